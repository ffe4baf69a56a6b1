/* Activities that wait for different things are ended together by one of them. */
#include "check.h"

#include <lcd/async.h>

static struct lcd_async_block block;
static struct lcd_async_link link;
static bool cleaned_up[3];

/* Goes on until it is told not to. */
static void yield_for_ever(void *argument)
{
	(void)argument;
	while (lcd_async_yield() == LCD_OK)
		;
	cleaned_up[0] = true;
}

/* Waits for an answer that never comes: nobody is at the other end of the ring. */
static void call_nobody(void *argument)
{
	uint64_t request[LCD_RING_WORDS] = { 1 }, response[LCD_RING_WORDS];

	(void)argument;
	cleaned_up[1] = lcd_async_call(&link, request, response) == LCD_CANCELLED;
}

/* Waits for activities of its own, which are cancelled with it. */
static void wait_for_others(void *argument)
{
	struct lcd_async_block inner;

	lcd_async_begin(&inner);
	lcd_async(yield_for_ever, argument);
	lcd_async_finish(&inner);
	cleaned_up[2] = lcd_async_cancelled();
}

static void abort_all(void *argument)
{
	(void)argument;
	for (int turn = 0; turn < 3; turn++)
		lcd_async_yield();
	lcd_async_cancel(&block);
}

static void count(void *argument)
{
	++*(int *)argument;
}

static int __init start(void)
{
	static uint8_t ring[LCD_PAGE_SIZE] __attribute__((aligned(64)));
	int counted = 0;

	TRY(lcd_ring_init(&link.ring, LCD_SLOT_NULL, ring, sizeof(ring), 0));
	TRY(lcd_async_attach(&link));
	TRY(lcd_async_begin(&block));
	TRY(lcd_async(yield_for_ever, NULL));
	TRY(lcd_async(call_nobody, NULL));
	TRY(lcd_async(wait_for_others, NULL));
	TRY(lcd_async(abort_all, NULL));
	pr_info("finish: %ld\n", (long)lcd_async_finish(&block));
	pr_info("cleaned up: %d %d %d\n", cleaned_up[0], cleaned_up[1], cleaned_up[2]);
	CHECK(cleaned_up[0] && cleaned_up[1] && cleaned_up[2]);

	/* The thread itself goes on. */
	CHECK(!lcd_async_cancelled());
	TRY(lcd_async(count, &counted));
	TRY(lcd_async_finish(NULL));
	TRY(lcd_async_detach(&link));
	CHECK(counted == 1);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

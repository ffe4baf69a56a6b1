/* Serves arithmetic over a channel that somebody sends it, until the other side is gone. */
#include "channel.h"
#include "functions.h"

#include <lcd/async.h>

#define CHANNEL 8

static unsigned int served;

static uint64_t compute(const uint64_t *words)
{
	uint64_t function = FUNCTION(words[0]), sum = 0;

	if (function == NULL_CALL)
		return NULL_RESULT;
	if (function == PLUS_50)
		return words[1] + 50;
	for (uint64_t i = 1; i <= function - ADD && i < LCD_RING_WORDS; i++)
		sum += words[i];
	return sum;
}

static void serve(struct lcd_async_link *link, const struct lcd_ring_message *request)
{
	uint64_t number = NUMBER(request->words[0]);
	uint64_t response[LCD_RING_WORDS] = { compute(request->words), number + BASE };

	/* Some take longer than others, so answers come in another order than requests. */
	for (uint64_t turn = 0; turn < number % 5; turn++)
		lcd_async_yield();
	served += lcd_async_answer(link, request, response) == LCD_OK;
}

static int __init start(void)
{
	static struct lcd_async_link link = { .serve = serve };

	lcd_utcb()->capability[0] = CHANNEL;
	TRY(lcd_sync_receive(lcd_boot_slot("caller"), 0));
	CHECK(lcd_utcb()->arrived == 1);
	TRY(lcd_page_map(CHANNEL, LCD_DATA_WINDOW, RW));
	TRY(open_channel(&link.ring, CHANNEL));
	TRY(lcd_async_attach(&link));
	CHECK(lcd_async_serve() == LCD_PEER_DIED);
	TRY(lcd_async_finish(NULL));
	pr_info("served %u calls\n", served);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

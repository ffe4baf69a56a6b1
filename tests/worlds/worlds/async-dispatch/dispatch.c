/*
 * Three threads of one domain: the first has a dispatch loop that serves two channels, the
 * others call it, each over its own.
 */
#include "channel.h"

#include <lcd/async.h>

#define CALLS 40

enum { DOUBLE, SQUARE, STOP };

static unsigned int served[2];
static unsigned int stopped;

/* What a message's first word says decides what is done with the second. */
static void serve(struct lcd_async_link *link, const struct lcd_ring_message *request)
{
	unsigned int *count = link->context;
	uint64_t function = request->words[0], x = request->words[1];
	uint64_t response[LCD_RING_WORDS] = { 0 };

	switch (function) {
	case DOUBLE:
		/* Others overtake. */
		lcd_async_yield();
		response[0] = x + x;
		break;
	case SQUARE:
		response[0] = x * x;
		break;
	case STOP:
		stopped++;
		break;
	}
	lcd_async_answer(link, request, response);
	++*count;
	if (stopped == ARRAY_SIZE(served))
		lcd_async_stop();
}

static int __init start(void)
{
	static struct lcd_async_link links[2];

	TRY(open_channel(&links[0].ring, lcd_boot_slot("first")));
	TRY(open_channel(&links[1].ring, lcd_boot_slot("second")));
	for (int i = 0; i < 2; i++) {
		links[i].serve = serve;
		links[i].context = &served[i];
		TRY(lcd_async_attach(&links[i]));
	}
	TRY(lcd_async_serve());
	TRY(lcd_async_finish(NULL));
	for (int i = 0; i < 2; i++) {
		CHECK(links[i].dropped == 0 && links[i].ring.corrupted == 0);
		TRY(lcd_async_detach(&links[i]));
	}
	pr_info("served %u and %u\n", served[0], served[1]);
	return 0;
}

static int ask(struct lcd_async_link *link, uint64_t function, uint64_t x, uint64_t answer)
{
	uint64_t request[LCD_RING_WORDS] = { function, x }, response[LCD_RING_WORDS];

	TRY(lcd_async_call(link, request, response));
	CHECK(response[0] == answer);
	return 0;
}

/* What the other two threads run; the argument is the channel's name. */
int client(const char *channel)
{
	struct lcd_async_link link = { 0 };

	TRY(open_channel(&link.ring, lcd_boot_slot(channel)));
	TRY(lcd_async_attach(&link));
	for (uint64_t i = 0; i < CALLS; i++) {
		TRY(ask(&link, DOUBLE, i, 2 * i));
		TRY(ask(&link, SQUARE, i, i * i));
	}
	TRY(ask(&link, STOP, 0, 0));
	TRY(lcd_async_detach(&link));
	return CALLS;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/* Two activities take turns on one thread; a block waits for both. */
#include "check.h"

#include <lcd/async.h>

#define TURNS 3

static char trace[64];

static void note(const char *name, int turn)
{
	size_t length = strlen(trace);

	snprintf(trace + length, sizeof(trace) - length, "%s%d ", name, turn);
}

static void take_turns(void *name)
{
	for (int turn = 0; turn < TURNS; turn++) {
		note(name, turn);
		lcd_async_yield();
	}
}

static int __init start(void)
{
	struct lcd_async_block block;

	TRY(lcd_async_begin(&block));
	TRY(lcd_async(take_turns, "a"));
	TRY(lcd_async(take_turns, "b"));
	/* Each has run until its first yield. */
	pr_info("started: %s\n", trace);
	TRY(lcd_async_finish(&block));
	pr_info("joined: %s\n", trace);
	CHECK(strcmp(trace, "a0 b0 a1 b1 a2 b2 ") == 0);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

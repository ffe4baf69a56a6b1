/* Writes numbers without meaning all over a channel's pages. */
#include "channel.h"

#define ROUNDS 100
#define WRITES 200

static int __init start(void)
{
	lcd_u64 channel = lcd_boot_slot("hostile");
	volatile uint32_t *words = memory_of(channel);
	uint64_t state = 99;

	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < WRITES; i++) {
			uint64_t random = random_next(&state);
			uint64_t at = random % (LCD_PAGE_SIZE / 4);

			/* Often it is the status of a slot, and often one that means something. */
			if (random >> 32 & 1)
				at &= ~15u;
			words[at] = random >> 33 & 1 ? LCD_RING_SENT : (uint32_t)(random >> 24);
		}
		lcd_notification_signal(channel);
		lcd_yield();
	}
	/* What it leaves behind is no message anywhere. */
	for (uint64_t at = 0; at < LCD_PAGE_SIZE / 4; at++)
		words[at] = 0xbad00000 + (uint32_t)at;
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/*
 * Fills a channel's ring. Only when there is no room does it make a hypercall, to wait, and when
 * the other side waits, to wake it.
 */
#include "channel.h"
#include "numbers.h"

static int __init start(void)
{
	struct lcd_ring ring;
	uint64_t state = SEED, digest = 0;

	TRY(open_channel(&ring, lcd_boot_slot("rings")));
	for (uint32_t i = 0; i < MESSAGES; i++) {
		struct lcd_ring_slot *slot;
		uint64_t words[LCD_RING_WORDS];

		digest ^= next_words(&state, words);
		TRY(lcd_ring_send_wait(&ring, &slot, 0));
		slot->flags = i;
		memcpy(slot->words, words, sizeof(words));
		TRY(lcd_ring_send_finish(&ring));
	}
	pr_info("%d messages, %#llx\n", MESSAGES, (unsigned long long)digest);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

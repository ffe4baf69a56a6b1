/* Empties the ring, and checks that each message is the next one and whole. */
#include "channel.h"
#include "numbers.h"

static int __init start(void)
{
	struct lcd_ring ring;
	uint64_t state = SEED, digest = 0;

	TRY(lcd_ring_init(&ring, LCD_SLOT_NULL, memory_of(lcd_boot_slot("rings")),
			  16 * LCD_PAGE_SIZE, 1));
	for (uint32_t i = 0; i < MESSAGES; i++) {
		const struct lcd_ring_message *message;
		uint64_t words[LCD_RING_WORDS];

		digest ^= next_words(&state, words);
		while (lcd_ring_receive_start(&ring, &message) == LCD_WOULD_BLOCK)
			lcd_yield();
		CHECK(message->flags == i);
		CHECK(memcmp(message->words, words, sizeof(words)) == 0);
		TRY(lcd_ring_receive_finish(&ring));
	}
	CHECK(ring.corrupted == 0);
	pr_info("%d messages, %#llx\n", MESSAGES, (unsigned long long)digest);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

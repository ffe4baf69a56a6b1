/*
 * Empties the ring, and checks that each message is the next one and whole. Only when there is
 * nothing does it make a hypercall, to wait.
 */
#include "channel.h"
#include "numbers.h"

static int __init start(void)
{
	struct lcd_ring ring;
	uint64_t state = SEED, digest = 0;

	TRY(open_channel(&ring, lcd_boot_slot("rings")));
	for (uint32_t i = 0; i < MESSAGES; i++) {
		const struct lcd_ring_message *message;
		uint64_t words[LCD_RING_WORDS];

		digest ^= next_words(&state, words);
		TRY(lcd_ring_receive_wait(&ring, &message, 0));
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

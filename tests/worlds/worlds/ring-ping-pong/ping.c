/* Sends numbers, and waits for each to come back one larger. */
#include "channel.h"

#define MESSAGES 4000

static int __init start(void)
{
	struct lcd_ring ring;
	struct lcd_ring_message message = { 0 };

	TRY(open_channel(&ring, lcd_boot_slot("table")));
	for (uint64_t i = 0; i < MESSAGES; i++) {
		message.flags = (uint32_t)i;
		for (uint64_t word = 0; word < LCD_RING_WORDS; word++)
			message.words[word] = i << 8 | word;
		TRY(lcd_ring_send(&ring, &message, 0));
		TRY(lcd_ring_receive(&ring, &message, 0));
		CHECK(message.flags == i);
		for (uint64_t word = 0; word < LCD_RING_WORDS; word++)
			CHECK(message.words[word] == (i << 8 | word) + 1);
	}
	pr_info("%d messages there and back\n", MESSAGES);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/* Sends each message back with its words one larger, until the other side is gone. */
#include "channel.h"

static int __init start(void)
{
	struct lcd_ring ring;
	struct lcd_ring_message message;
	lcd_status status;
	int returned = 0;

	TRY(open_channel(&ring, lcd_boot_slot("table")));
	while ((status = lcd_ring_receive(&ring, &message, 0)) == LCD_OK) {
		for (int word = 0; word < LCD_RING_WORDS; word++)
			message.words[word]++;
		TRY(lcd_ring_send(&ring, &message, 0));
		returned++;
	}
	CHECK(status == LCD_PEER_DIED && ring.corrupted == 0);
	pr_info("returned %d\n", returned);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/* Answers each number with the next one. */
#include "channel.h"

static int __init start(void)
{
	struct lcd_ring ring;
	struct lcd_ring_message message;
	lcd_status status;

	TRY(open_channel(&ring, lcd_boot_slot("friendly")));
	while ((status = lcd_ring_receive(&ring, &message, 0)) == LCD_OK) {
		message.words[0]++;
		TRY(lcd_ring_send(&ring, &message, 0));
	}
	CHECK(status == LCD_PEER_DIED);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/* Sends one word to a domain that it knows nothing of. */
#include "check.h"

static int __init start(void)
{
	lcd_utcb()->message[0] = 12345;
	TRY(lcd_sync_send(lcd_boot_slot("sibling"), 0));
	/* The endpoint is for sending only. */
	CHECK(lcd_sync_receive(lcd_boot_slot("sibling"), 0) == LCD_NOT_PERMITTED);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/* Answers each call with the next number, until nobody is left who could call. */
#include "module.h"

#define CLIENTS 5

static int __init start(void)
{
	struct lcd_utcb *utcb = lcd_utcb();
	lcd_status status = lcd_sync_receive(CLIENTS, 0);

	while (status == LCD_OK) {
		utcb->message[0]++;
		status = lcd_sync_reply_receive(CLIENTS, 0);
	}
	return status == LCD_PEER_DIED ? 0 : (int)status;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

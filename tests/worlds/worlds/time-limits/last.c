/* Sleeps for as long as it is told, and answers 42. */
#include "module.h"

#define BACK 6

static int __init start(void)
{
	lcd_status status;

	while ((status = lcd_sync_receive(BACK, 0)) == LCD_OK) {
		uint64_t ticks = *(volatile lcd_u64 *)&lcd_utcb()->message[0];

		lcd_sleep(ticks == 99 ? 1000000 : ticks);
		*(volatile lcd_u64 *)&lcd_utcb()->message[0] = 42;
		lcd_sync_reply();
	}
	return (int)status;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

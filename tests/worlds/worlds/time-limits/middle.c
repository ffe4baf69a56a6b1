/* Passes calls on, with a limit of its own, and answers whatever comes of that. */
#include "module.h"

#define FRONT 5
#define BACK 6

static int __init start(void)
{
	lcd_status status = lcd_sync_receive(FRONT, 0);

	for (;;) {
		volatile lcd_u64 *message = lcd_utcb()->message;
		uint64_t own = message[0], last = message[1];

		if (status != LCD_OK)
			return (int)status;
		lcd_sleep(own);
		message[0] = last;
		/* 99 asks for no limit. */
		status = lcd_sync_call(BACK, last == 99 ? 0 : 100);
		if (status != LCD_OK)
			message[0] = (uint64_t)status;
		/* Whoever called may have given up. */
		lcd_sync_reply();
		status = lcd_sync_receive(FRONT, 0);
	}
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

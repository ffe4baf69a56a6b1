/* Lends a page to two domains, waits until both read it, and takes it back. */
#include "module.h"

#define PAGE 8
#define READING 9
#define LEAVER 10
#define LOOPER 11
#define CHILDS_PAGE 12

static int __init start(void)
{
	lcd_u64 bits;

	lcd_cap_grant(LEAVER, PAGE, CHILDS_PAGE, LCD_READ, 0);
	lcd_cap_grant(LOOPER, PAGE, CHILDS_PAGE, LCD_READ, 0);
	lcd_domain_run(LEAVER);
	if (lcd_notification_wait(READING, 0, &bits) != LCD_OK)
		return -1;
	lcd_domain_run(LOOPER);
	if (lcd_notification_wait(READING, 0, &bits) != LCD_OK)
		return -2;
	/* In ticks, which are exits, mostly the leaver's. */
	lcd_sleep(40);
	return (int)lcd_cap_revoke(PAGE);
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

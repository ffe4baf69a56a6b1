/* Gives away a copy of its page capability that can only read. */
#include "module.h"

#define PAGE 5
#define CHILD 6
#define RW (LCD_READ | LCD_WRITE)

static int __init start(void)
{
	lcd_page_allocate_one(PAGE, RW | LCD_GRANT);
	lcd_page_map(PAGE, LCD_DATA_WINDOW, RW);
	strcpy(lcd_data_window(0), "read me");
	lcd_domain_create(CHILD);
	lcd_domain_load(CHILD, "reader");
	pr_info("grant %ld\n", lcd_cap_grant(CHILD, PAGE, 7, LCD_READ, 0));
	return (int)lcd_domain_run(CHILD);
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

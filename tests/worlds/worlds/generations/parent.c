/* The first of three holders of one page. */
#include "module.h"

#define PAGE 5
#define CHILD 6
#define RW (LCD_READ | LCD_WRITE)

static int __init start(void)
{
	volatile uint64_t *page = lcd_data_window(0);

	lcd_page_allocate_one(PAGE, RW | LCD_GRANT);
	lcd_page_map(PAGE, LCD_DATA_WINDOW, RW);
	page[0] = 1;
	lcd_domain_create(CHILD);
	lcd_domain_load(CHILD, "child");
	lcd_cap_grant(CHILD, PAGE, 7, RW | LCD_GRANT, 0);
	lcd_domain_run(CHILD);
	while (page[0] < 3)
		lcd_yield();
	pr_info("the page went from 1 to %llu\n", (unsigned long long)page[0]);
	pr_info("revoke %ld\n", lcd_cap_revoke(PAGE));
	for (int i = 0; i < 3; i++)
		lcd_yield();
	pr_info("still %llu\n", (unsigned long long)page[0]);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

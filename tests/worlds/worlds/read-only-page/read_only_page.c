/* Asks for less than it has, and gets less. */
#include "module.h"

#define SLOT 5

static int __init start(void)
{
	volatile uint64_t *page = lcd_data_window(0);

	lcd_page_allocate_one(SLOT, LCD_READ | LCD_WRITE);
	pr_info("map %ld\n", lcd_page_map(SLOT, LCD_DATA_WINDOW, LCD_READ));
	pr_info("read %llu\n", (unsigned long long)page[2]);
	page[2] = 1;
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

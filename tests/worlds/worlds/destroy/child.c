/* Says that it is there, and stays. */
#include "module.h"

#define PAGE 7

static int __init start(void)
{
	volatile uint64_t *page = lcd_data_window(0);

	pr_info("alive\n");
	lcd_page_map(PAGE, LCD_DATA_WINDOW, LCD_READ | LCD_WRITE);
	page[0] = 1;
	for (;;)
		lcd_yield();
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

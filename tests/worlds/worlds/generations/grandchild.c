/* The third holder: uses the page until it cannot. */
#include "module.h"

#define PAGE 3

static int __init start(void)
{
	volatile uint64_t *page = lcd_data_window(0);

	if (lcd_page_map(PAGE, LCD_DATA_WINDOW, LCD_READ | LCD_WRITE) != LCD_OK)
		return -1;
	page[0] = 3;
	while (page[0] == 3)
		lcd_yield();
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

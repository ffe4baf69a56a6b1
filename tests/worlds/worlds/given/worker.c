/* Multiplies two numbers in a page that somebody gives it before it runs. */
#include "module.h"

#define PAGE 3

static int __init start(void)
{
	volatile uint64_t *page = lcd_data_window(0x8000);

	if (lcd_page_map(PAGE, LCD_DATA_WINDOW + 0x8000, LCD_READ | LCD_WRITE) != LCD_OK)
		return -1;
	page[2] = page[0] * page[1];
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

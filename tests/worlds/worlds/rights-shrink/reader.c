/* Tries for more than it was given. */
#include "module.h"

#define PAGE 7

static int __init start(void)
{
	char *text = lcd_data_window(0);

	pr_info("map writable %ld\n", lcd_page_map(PAGE, LCD_DATA_WINDOW, LCD_READ | LCD_WRITE));
	pr_info("map readable %ld\n", lcd_page_map(PAGE, LCD_DATA_WINDOW, LCD_READ));
	pr_info("it says: %s\n", text);
	*(volatile char *)text = 'X';
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

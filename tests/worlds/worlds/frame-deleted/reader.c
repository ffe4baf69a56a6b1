/* Reads the page it was given, deletes its capability, and reads again. */
#include "module.h"

#define PAGE 7
#define RW (LCD_READ | LCD_WRITE)

static int __init start(void)
{
	volatile uint64_t *page = lcd_data_window(0x5000);

	pr_info("map %ld\n", lcd_page_map(PAGE, LCD_DATA_WINDOW + 0x5000, RW));
	pr_info("found %llu\n", (unsigned long long)page[0]);
	page[511] = 77;
	pr_info("delete %ld\n", lcd_cap_delete(PAGE));
	return (int)page[0];
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

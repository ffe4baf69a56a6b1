/* Answers in the page it was given, and then looks at it for as long as it can. */
#include "module.h"

#define PAGE 7
#define RW (LCD_READ | LCD_WRITE)

static int __init start(void)
{
	volatile uint64_t *page = lcd_data_window(0x3000);

	pr_info("map %ld\n", lcd_page_map(PAGE, LCD_DATA_WINDOW + 0x3000, RW));
	pr_info("found %llu\n", (unsigned long long)page[0]);
	page[1] = 5678;
	while (page[0] == 1234)
		lcd_yield();
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

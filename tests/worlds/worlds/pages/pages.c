/* One page capability, two places, then none. */
#include "module.h"

#define SLOT 5
#define RW (LCD_READ | LCD_WRITE)

static int __init start(void)
{
	volatile uint64_t *here = lcd_data_window(0), *there = lcd_data_window(0x1000);

	pr_info("allocate %ld\n", lcd_page_allocate_one(SLOT, RW));
	pr_info("map %ld\n", lcd_page_map(SLOT, LCD_DATA_WINDOW, RW));
	pr_info("fresh: %llu\n", (unsigned long long)here[1]);
	here[1] = 77;
	pr_info("unmap %ld\n", lcd_page_unmap(SLOT));
	pr_info("map elsewhere %ld\n", lcd_page_map(SLOT, LCD_DATA_WINDOW + 0x1000, RW));
	pr_info("kept: %llu\n", (unsigned long long)there[1]);
	pr_info("unmap %ld\n", lcd_page_unmap(SLOT));
	return (int)there[1];
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

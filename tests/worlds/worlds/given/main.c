/* Uses what it holds without having asked for it. */
#include "module.h"

#define PAGE 5
#define WORKER 6
#define READABLE 8
#define RW (LCD_READ | LCD_WRITE)

static int __init start(void)
{
	volatile uint64_t *page = lcd_data_window(0);

	pr_info("a fresh page: %llu\n", (unsigned long long)page[0]);
	pr_info("map the other writable: %ld\n",
		lcd_page_map(READABLE, LCD_DATA_WINDOW + 0x1000, RW));
	page[0] = 6;
	page[1] = 7;
	pr_info("grant %ld\n", lcd_cap_grant(WORKER, PAGE, 3, RW, 0));
	pr_info("run %ld\n", lcd_domain_run(WORKER));
	while (page[2] == 0)
		lcd_yield();
	pr_info("the worker computed %llu\n", (unsigned long long)page[2]);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/* Waits for a sign of life, and destroys. */
#include "module.h"

#define PAGE 5
#define CHILD 6
#define RW (LCD_READ | LCD_WRITE)

static int __init start(void)
{
	volatile uint64_t *page = lcd_data_window(0);

	lcd_page_allocate_one(PAGE, RW | LCD_GRANT);
	lcd_page_map(PAGE, LCD_DATA_WINDOW, RW);
	lcd_domain_create(CHILD);
	lcd_domain_load(CHILD, "child");
	lcd_cap_grant(CHILD, PAGE, 7, RW, 0);
	lcd_domain_run(CHILD);
	while (page[0] == 0)
		lcd_yield();
	pr_info("the child has begun\n");
	pr_info("delete %ld\n", lcd_cap_delete(CHILD));
	for (int i = 0; i < 3; i++)
		lcd_yield();
	pr_info("run it again %ld\n", lcd_domain_run(CHILD));
	pr_info("the page is still here: %llu\n", (unsigned long long)page[0]);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

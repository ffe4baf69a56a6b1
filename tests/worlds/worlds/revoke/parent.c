/*
 * Creates a domain, shares a page with it, and takes the page back while the child is in
 * the middle of using it.
 */
#include "module.h"

#define PAGE 5
#define CHILD 6
/* The child's slot for the page: both sides know it. */
#define CHILDS_PAGE 7
#define RW (LCD_READ | LCD_WRITE)

static int __init start(void)
{
	volatile uint64_t *page = lcd_data_window(0);

	lcd_page_allocate_one(PAGE, RW | LCD_GRANT);
	lcd_page_map(PAGE, LCD_DATA_WINDOW, RW);
	page[0] = 1234;
	pr_info("create %ld\n", lcd_domain_create(CHILD));
	pr_info("configure %ld\n", lcd_domain_load(CHILD, "child"));
	pr_info("grant %ld\n", lcd_cap_grant(CHILD, PAGE, CHILDS_PAGE, RW, 0));
	pr_info("run %ld\n", lcd_domain_run(CHILD));
	while (page[1] == 0)
		lcd_yield();
	pr_info("the child saw %llu and answered %llu\n", (unsigned long long)page[0],
		(unsigned long long)page[1]);
	pr_info("revoke %ld\n", lcd_cap_revoke(PAGE));
	for (int i = 0; i < 3; i++)
		lcd_yield();
	pr_info("mine still holds %llu\n", (unsigned long long)page[1]);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

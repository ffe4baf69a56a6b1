/* The second holder: passes the page on, and notices through a hypercall that it is gone. */
#include "module.h"

#define PAGE 7
#define GRANDCHILD 8
#define RW (LCD_READ | LCD_WRITE)

static int __init start(void)
{
	volatile uint64_t *page = lcd_data_window(0);

	lcd_page_map(PAGE, LCD_DATA_WINDOW, RW);
	page[0] = 2;
	lcd_domain_create(GRANDCHILD);
	lcd_domain_load(GRANDCHILD, "grandchild");
	pr_info("granted %ld\n", lcd_cap_grant(GRANDCHILD, PAGE, 3, RW, 0));
	lcd_domain_run(GRANDCHILD);
	/* Granting to a taken slot is refused for that reason only as long as the source exists. */
	while (lcd_cap_grant(GRANDCHILD, PAGE, 3, RW, 0) == LCD_EXISTS)
		lcd_yield();
	pr_info("unmap my page %ld\n", lcd_page_unmap(PAGE));
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

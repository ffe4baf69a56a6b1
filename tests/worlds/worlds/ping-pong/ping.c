/* Serves: makes the counter odd, and waits until it is even again. */
#include "module.h"

#define PAGE 5
#define OTHER 6
#define RW (LCD_READ | LCD_WRITE)

static int __init start(void)
{
	volatile uint64_t *counter = lcd_data_window(0);

	lcd_page_allocate_one(PAGE, RW | LCD_GRANT);
	lcd_page_map(PAGE, LCD_DATA_WINDOW, RW);
	lcd_domain_create(OTHER);
	lcd_domain_load(OTHER, "pong");
	lcd_cap_grant(OTHER, PAGE, 7, RW, 0);
	lcd_domain_run(OTHER);
	while (*counter < 200) {
		++*counter;
		while (*counter % 2 != 0)
			lcd_yield();
	}
	pr_info("the counter reached %llu\n", (unsigned long long)*counter);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

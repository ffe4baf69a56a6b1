/*
 * One page under two capabilities of its own and one of a child's. Deletes the first and
 * reads through the second; deletes the second and leaves the page to the child, which
 * deletes the last.
 */
#include "module.h"

#define FIRST 5
#define SECOND 6
#define CHILD 7
#define NEW 8
#define RW (LCD_READ | LCD_WRITE)

static int __init start(void)
{
	volatile uint64_t *first = lcd_data_window(0), *second = lcd_data_window(0x3000);
	volatile uint64_t *fresh = lcd_data_window(0x8000);
	struct lcd_domain child = { 0 };

	lcd_page_allocate_one(FIRST, RW | LCD_GRANT);
	lcd_cap_copy(FIRST, SECOND, RW | LCD_GRANT, 0);
	lcd_page_map(FIRST, LCD_DATA_WINDOW, RW);
	lcd_page_map(SECOND, LCD_DATA_WINDOW + 0x3000, LCD_READ);
	first[0] = 1234;
	pr_info("second view: %llu\n", (unsigned long long)second[0]);
	pr_info("delete the first %ld\n", lcd_cap_delete(FIRST));
	pr_info("second view still: %llu\n", (unsigned long long)second[0]);
	lcd_domain_create(CHILD);
	lcd_domain_load(CHILD, "reader");
	lcd_cap_grant(CHILD, SECOND, 7, RW, 0);
	lcd_cap_delete(SECOND);
	pr_info("run %ld\n", lcd_domain_run(CHILD));
	do {
		lcd_yield();
		lcd_domain_inspect(CHILD, &child);
	} while (child.threads != 0);
	pr_info("the reader is done\n");
	/* The frame that was freed last is the first to come again. */
	lcd_page_allocate_one(NEW, RW);
	lcd_page_map(NEW, LCD_DATA_WINDOW + 0x8000, RW);
	pr_info("a new page: %llu %llu\n", (unsigned long long)fresh[0],
		(unsigned long long)fresh[511]);
	first[0] = 1;
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/*
 * Has no page until it touches one: then it is there, in the next slot, and is passed on
 * at the same place.
 */
#include "faults.h"

#define ENDPOINT 5
#define CHILD 6
#define PAGES 10

static int __init start(void)
{
	uint64_t number = 0;
	struct fault fault;

	lcd_endpoint_create(ENDPOINT);
	lcd_domain_create(CHILD);
	lcd_domain_load(CHILD, "child");
	lcd_fault_bind(CHILD, ENDPOINT);
	lcd_domain_run(CHILD);
	while (fault_receive(ENDPOINT, &fault) == LCD_OK) {
		uint64_t page = fault.physical & PAGE_MASK, slot = PAGES + ++number;
		lcd_status passed;

		*(volatile uint64_t *)lcd_data_window(page - LCD_DATA_WINDOW) = number;
		passed = lcd_memory_grant_and_map(CHILD, slot, slot, page, LCD_READ);
		pr_info("%llx passed on %ld\n", (unsigned long long)page, passed);
		fault_answer(GO_ON);
	}
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/* Has all the pages. Takes the first back when the second is asked for. */
#include "faults.h"

#define ENDPOINT 5
#define PAGER 6
#define PAGES 10

static int __init start(void)
{
	uint64_t number = 0;
	struct fault fault;

	lcd_endpoint_create(ENDPOINT);
	lcd_domain_create(PAGER);
	lcd_domain_load(PAGER, "pager");
	lcd_fault_bind(PAGER, ENDPOINT);
	lcd_domain_run(PAGER);
	while (fault_receive(ENDPOINT, &fault) == LCD_OK) {
		uint64_t page = fault.physical & PAGE_MASK, slot = PAGES + ++number;
		lcd_status given;

		if (number == 4) {
			pr_info("%llu: %llx refused\n", (unsigned long long)number,
				(unsigned long long)page);
			break;
		}
		if (number == 2)
			lcd_cap_revoke(PAGES + 1);
		lcd_page_allocate_one(slot, RW | LCD_GRANT);
		given = lcd_memory_grant_and_map(PAGER, slot, slot, page, RW | LCD_GRANT);
		pr_info("%llu: %llx given %ld%s\n", (unsigned long long)number,
			(unsigned long long)page, given, number == 2 ? ", after revoking 1" : "");
		fault_answer(GO_ON);
	}
	fault_answer(END);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/* Gives another domain its pages when it needs them. */
#include "faults.h"

#define ENDPOINT 5
#define CHILD 6
#define FIRST_PAGE 7

static lcd_status make_good(const struct fault *fault, uint64_t slot)
{
	uint64_t place = slot * LCD_PAGE_SIZE;

	lcd_page_allocate_one(slot, RW | RX | LCD_GRANT);
	lcd_page_map(slot, LCD_DATA_WINDOW + place, RW);
	fault_fill(lcd_data_window(place), fault->detail);
	return lcd_memory_grant_and_map(CHILD, slot, slot, fault->physical & PAGE_MASK,
					fault_rights(fault->detail));
}

static int __init start(void)
{
	uint64_t slot = FIRST_PAGE;
	struct fault fault;

	lcd_endpoint_create(ENDPOINT);
	lcd_domain_create(CHILD);
	lcd_domain_load(CHILD, "toucher");
	lcd_fault_bind(CHILD, ENDPOINT);
	lcd_domain_run(CHILD);
	while (fault_receive(ENDPOINT, &fault) == LCD_OK) {
		if (fault.kind == FAULT_PAGE) {
			lcd_status given = make_good(&fault, slot++);

			pr_info("page %llx: %c, given %ld\n", (unsigned long long)fault.physical,
				" rw x"[fault.detail], given);
			fault_answer(GO_ON);
			continue;
		}
		pr_info("exception %llu at %llx\n", (unsigned long long)fault.detail,
			(unsigned long long)fault.address);
		if (fault.detail != INVALID_OPCODE)
			break;
		fault_leave(CHILD, &fault, fault.rip + 2, 0);
	}
	fault_answer(END);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

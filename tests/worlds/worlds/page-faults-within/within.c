/* The first thread deals with the faults of the second. */
#include "touches.h"

#define ENDPOINT 5
#define FIRST_PAGE 6
#define SCRATCH 0x100000

static uint64_t toucher(uint64_t unused)
{
	(void)unused;
	return (uint64_t)touch();
}

static void make_good(const struct fault *fault, uint64_t slot)
{
	lcd_page_allocate_one(slot, RW | RX);
	lcd_page_map(slot, LCD_DATA_WINDOW + SCRATCH, RW);
	fault_fill(lcd_data_window(SCRATCH), fault->detail);
	lcd_page_unmap(slot);
	lcd_page_map(slot, fault->physical & PAGE_MASK, fault_rights(fault->detail));
}

static int __init start(void)
{
	uint64_t slot = FIRST_PAGE;
	struct lcd_domain self = { 0 };
	struct fault fault;
	lcd_u64 thread = 0;

	lcd_endpoint_create(ENDPOINT);
	lcd_fault_bind(0, ENDPOINT);
	lcd_thread_create(0, (uintptr_t)toucher, 0, 0, &thread);
	lcd_thread_resume(0, thread);
	while (fault_receive(ENDPOINT, &fault) == LCD_OK) {
		if (fault.kind == FAULT_PAGE) {
			pr_info("page %llx: %c\n", (unsigned long long)fault.physical,
				" rw x"[fault.detail]);
			make_good(&fault, slot++);
			fault_answer(GO_ON);
			continue;
		}
		pr_info("exception %llu at %llx\n", (unsigned long long)fault.detail,
			(unsigned long long)fault.address);
		if (fault.detail != INVALID_OPCODE)
			break;
		fault_leave(0, &fault, fault.rip + 2, 0);
	}
	fault_answer(END);
	lcd_domain_inspect(0, &self);
	pr_info("threads left: %llu\n", (unsigned long long)self.threads);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

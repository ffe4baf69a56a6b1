/*
 * A page with a return instruction, mapped with each set of rights that there can be. The
 * first thread tries everything; the second receives its faults and has it leave.
 */
#include "faults.h"

#define ENDPOINT 5
#define PAGE 6

static uint64_t refusals;

static uint64_t handler(uint64_t unused)
{
	struct fault fault;

	(void)unused;
	while (fault_receive(ENDPOINT, &fault) == LCD_OK) {
		refusals++;
		fault_leave(0, &fault, 0, 1);
	}
	return 0;
}

/* Each returns 1 if it was refused. %rbx is where to leave to. */
static uint64_t try_read(void *at)
{
	uint64_t refused = 0;

	__asm__ volatile("lea 1f(%%rip), %%rbx\n\tmovb (%1), %%cl\n1:"
			 : "+a"(refused)
			 : "d"(at)
			 : "rbx", "rcx", "memory");
	return refused;
}

static uint64_t try_write(void *at)
{
	uint64_t refused = 0;

	__asm__ volatile("lea 1f(%%rip), %%rbx\n\tmovb $0xc3, (%1)\n1:"
			 : "+a"(refused)
			 : "d"(at)
			 : "rbx", "memory");
	return refused;
}

static uint64_t try_execute(void *at)
{
	uint64_t refused = 0;

	__asm__ volatile("lea 1f(%%rip), %%rbx\n\tmov %%rsp, %%r12\n\tcall *%1\n"
			 "1:\tmov %%r12, %%rsp"
			 : "+a"(refused)
			 : "d"(at)
			 : "rbx", "r12", "memory", "cc");
	return refused;
}

static const char *said(uint64_t refused)
{
	return refused ? "refused" : "done";
}

static void try(const char *name, uint64_t at, void *seen, uint64_t rights)
{
	uint64_t read, write;

	/* Never writable and executable at once: the code comes first. */
	lcd_page_map(PAGE, LCD_DATA_WINDOW, RW);
	*(uint8_t *)lcd_data_window(0) = 0xc3;
	lcd_page_unmap(PAGE);
	if (rights && lcd_page_map(PAGE, at, rights) != LCD_OK) {
		pr_info("%s: not mapped\n", name);
		return;
	}
	read = try_read(seen);
	write = try_write(seen);
	pr_info("%s: read %s, write %s, execute %s\n", name, said(read), said(write),
		said(try_execute(seen)));
	lcd_page_unmap(PAGE);
}

static int __init start(void)
{
	void *data = lcd_data_window(0x4000), *code = lcd_code_window(0x4000);
	lcd_u64 thread = 0;

	lcd_endpoint_create(ENDPOINT);
	lcd_fault_bind(0, ENDPOINT);
	lcd_thread_create(0, (uintptr_t)handler, 0, 0, &thread);
	lcd_thread_resume(0, thread);
	lcd_page_allocate_one(PAGE, RW | RX);
	try("-- data", LCD_DATA_WINDOW + 0x4000, data, 0);
	try("r- data", LCD_DATA_WINDOW + 0x4000, data, LCD_READ);
	try("rw data", LCD_DATA_WINDOW + 0x4000, data, RW);
	try("-- code", LCD_CODE_WINDOW + 0x4000, code, 0);
	/* All that is there can be executed, so this would be more than was asked for. */
	try("r- code", LCD_CODE_WINDOW + 0x4000, code, LCD_READ);
	try("rx code", LCD_CODE_WINDOW + 0x4000, code, RX);
	return (int)refusals;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

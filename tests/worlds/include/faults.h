/* What a thread that deals with others' faults needs. */
#ifndef FAULTS_H
#define FAULTS_H

#include "module.h"

#define FAULT_PAGE 1      /* a page without capability */
#define FAULT_EXCEPTION 2 /* an exception: `detail` is its vector */

#define INVALID_OPCODE 6
#define PAGE_FAULT 14

#define GO_ON 0
#define END 1

#define RW (LCD_READ | LCD_WRITE)
#define RX (LCD_READ | LCD_EXECUTE)
#define PAGE_MASK (~(uint64_t)(LCD_PAGE_SIZE - 1))

/* A fault, as the message registers tell it. */
struct fault {
	uint64_t kind;
	uint64_t address;
	uint64_t detail;
	uint64_t rip;
	uint64_t thread;
	uint64_t code;
	uint64_t physical;
};

static inline lcd_status fault_receive(uint64_t endpoint, struct fault *fault)
{
	lcd_status status = lcd_sync_receive(endpoint, 0);

	if (status == LCD_OK)
		lcd_copy(fault, lcd_utcb()->message, sizeof(*fault));
	return status;
}

/* Answers the fault that was received last: GO_ON or END. */
static inline lcd_status fault_answer(uint64_t decision)
{
	lcd_utcb()->message[0] = decision;
	return lcd_sync_reply();
}

/* Lets the thread go on somewhere else, with this in its %rax. */
static inline lcd_status fault_leave(uint64_t domain, const struct fault *fault, uint64_t rip,
				     uint64_t rax)
{
	struct lcd_registers registers;

	lcd_thread_suspend(domain, fault->thread);
	lcd_thread_get_registers(domain, fault->thread, &registers);
	/* 0: where its %rbx says. */
	registers.rip = rip ? rip : registers.general[3];
	registers.general[0] = rax;
	lcd_thread_set_registers(domain, fault->thread, &registers);
	fault_answer(GO_ON);
	return lcd_thread_resume(domain, fault->thread);
}

/* Fills a page with what a fault's thread will find there: words, or a function. */
static inline void fault_fill(volatile uint64_t *page, uint64_t needed)
{
	/* mov $42, %eax; ret */
	static const uint8_t code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };

	if (needed == LCD_EXECUTE) {
		memcpy((void *)page, code, sizeof(code));
		return;
	}
	for (int i = 0; i < 512; i++)
		page[i] = 0x1111111100000000 + i;
}

/* The rights of a mapping that lets an access succeed. */
static inline uint64_t fault_rights(uint64_t needed)
{
	return LCD_READ | needed;
}

#endif /* FAULTS_H */

/*
 * Per-processor variables of the kernel. Modules reach them as `%gs:symbol`, so each is
 * an absolute symbol: its offset in the thread's area (lcd.h, LCD_AREA_*). The area
 * starts zeroed: processor 0, no current task, preemption count 0.
 */
#include "lcd.h"

	.macro	at offset, name
	.globl	\name
	.set	\name, \offset
	.endm

	/* With the protector's value at its offset 40. */
	at	0, fixed_percpu_data
	/* The area's own address: an address plus a variable's offset is the variable. */
	at	LCD_AREA_SELF, this_cpu_off
	at	LCD_AREA_FREE + 0x00, cpu_number
	at	LCD_AREA_FREE + 0x04, __preempt_count
	at	LCD_AREA_FREE + 0x08, current_task
	/* From Linux 6.2 on, one structure that starts with the task and the count. */
	at	LCD_AREA_FREE + 0x40, pcpu_hot
	at	LCD_AREA_FREE + 0x80, numa_node
	/* LCD_AREA_FREE + 0x100 is c/async.c's. */

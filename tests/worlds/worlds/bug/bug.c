/*
 * Calls five functions deep, shows its stack there, and goes on to a function that nobody
 * provides with a number of its own in every register.
 */
#include "check.h"

#define DEEP __attribute__((noinline, noclone))

static DEEP int fifth(int depth)
{
	lcd_dump_stack();
	pr_info("at depth %d\n", depth);
	/* None of it is restored: nothing comes back. */
	__asm__ volatile("movl $1, %eax\n\t"
			 "movl $2, %ebx\n\t"
			 "movl $3, %ecx\n\t"
			 "movl $4, %edx\n\t"
			 "movl $5, %esi\n\t"
			 "movl $6, %edi\n\t"
			 "movl $7, %ebp\n\t"
			 "movl $8, %r8d\n\t"
			 "movl $9, %r9d\n\t"
			 "movl $0xa, %r10d\n\t"
			 "movl $0xb, %r11d\n\t"
			 "movl $0xc, %r12d\n\t"
			 "movl $0xd, %r13d\n\t"
			 "movl $0xe, %r14d\n\t"
			 "movl $0xf, %r15d\n\t"
			 "call function_of_the_host");
	return depth;
}

/* The multiplications keep the calls from becoming jumps. */
static DEEP int fourth(int depth)
{
	return fifth(depth + 1) * 3;
}

static DEEP int third(int depth)
{
	return fourth(depth + 1) * 3;
}

static DEEP int second(int depth)
{
	return third(depth + 1) * 3;
}

static DEEP int first(int depth)
{
	return second(depth + 1) * 3;
}

static int __init start(void)
{
	return first(1);
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/* Pushes for ever. */
#include "module.h"

static int __init start(void)
{
	__asm__ volatile("1:\n\t"
			 "pushq $0\n\t"
			 "jmp 1b");
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

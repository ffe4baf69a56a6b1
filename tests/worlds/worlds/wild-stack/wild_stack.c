/* Loses its stack, then executes an undefined instruction. */
#include "module.h"

static int __init start(void)
{
	__asm__ volatile("movq $0x123000, %rsp\n\t"
			 "ud2");
	__builtin_unreachable();
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/* The same as non-canonical, but relative to rbp, which implies the stack segment. */
#include "module.h"

static int __init start(void)
{
	int value;

	__asm__ volatile("pushq %%rbp\n\t"
			 "movabsq $0x800000000000, %%rbp\n\t"
			 "movl (%%rbp), %0\n\t"
			 "popq %%rbp"
			 : "=r"(value)
			 :
			 : "memory");
	return value;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

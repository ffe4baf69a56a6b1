/* A breakpoint that nobody set. */
#include "module.h"

static int __init start(void)
{
	__asm__ volatile("int3");
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

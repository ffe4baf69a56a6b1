/* Halts the processor, which is not the domain's to halt. */
#include "module.h"

static int __init start(void)
{
	__asm__ volatile("hlt");
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

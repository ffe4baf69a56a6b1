/* Reads an address that no page table maps. */
#include "module.h"

static int __init start(void)
{
	pr_info("reading\n");
	return *(volatile int *)0x123000;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

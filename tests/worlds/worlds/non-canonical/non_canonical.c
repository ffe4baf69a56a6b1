/* Reads just above the lower half of the address space. */
#include "module.h"

static int __init start(void)
{
	return *(volatile int *)opaque(0x800000000000ul);
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/* Calls an address that no page table maps. */
#include "module.h"

static int __init start(void)
{
	((void (*)(void))opaque(0x123000ul))();
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

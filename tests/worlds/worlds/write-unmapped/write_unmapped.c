/* Writes to an address that no page table maps. */
#include "module.h"

static int __init start(void)
{
	*(volatile uint8_t *)0x123456 = 1;
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

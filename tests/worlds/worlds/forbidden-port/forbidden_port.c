/* Writes to the port that PCs use for power-on codes. */
#include "module.h"

static int __init start(void)
{
	__asm__ volatile("outb %%al, $0x80" : : "a"(0));
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/* Writes to .rodata. */
#include "module.h"

static const uint64_t constant = 7;

static int __init start(void)
{
	*(volatile uint64_t *)opaque((uintptr_t)&constant) = 8;
	return (int)constant;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

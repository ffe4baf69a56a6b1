/* Writes to .text. */
#include "module.h"

static __attribute__((noinline)) int victim(int x)
{
	return x + opaque(1);
}

static int __init start(void)
{
	*(volatile uint8_t *)opaque((uintptr_t)victim) = 0xc3;
	return victim(1);
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

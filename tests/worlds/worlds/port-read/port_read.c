/* `in` where `out` was meant. */
#include "module.h"

static int __init start(void)
{
	uint32_t value;

	__asm__ volatile("inl $0xe0, %0" : "=a"(value));
	return (int)value;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

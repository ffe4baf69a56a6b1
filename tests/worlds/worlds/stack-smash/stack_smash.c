/*
 * Writes past a buffer in a guarded function; __stack_chk_fail() panics.
 *
 * build: stack-protector
 */
#include "module.h"

static __attribute__((noinline)) int fill(size_t length)
{
	char buffer[16];

	for (size_t i = 0; i < length; i++)
		((volatile char *)buffer)[i] = 'A';
	return buffer[0];
}

static int __init start(void)
{
	pr_info("within: %c\n", fill(opaque((size_t)16)));
	return fill(opaque((size_t)32));
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

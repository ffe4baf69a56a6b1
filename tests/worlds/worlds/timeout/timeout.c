/* Works for longer than anybody waits: a counter of 64 bits, one by one. */
#include "module.h"

static int __init start(void)
{
	for (uint64_t i = 0; opaque(i) != ~0ull; i++)
		;
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

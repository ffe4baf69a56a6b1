/* An instruction that is defined to be undefined. */
#include "module.h"

static int __init start(void)
{
	if (opaque(1))
		__builtin_trap();
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

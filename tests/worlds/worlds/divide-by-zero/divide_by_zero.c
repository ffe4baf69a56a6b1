/* Divides by zero. */
#include "module.h"

static int __init start(void)
{
	return opaque(1000) / opaque(0);
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/* Divides the smallest number by -1. */
#include "module.h"

static int __init start(void)
{
	int64_t quotient = INT64_MIN / opaque((int64_t)-1);

	return (int)quotient;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

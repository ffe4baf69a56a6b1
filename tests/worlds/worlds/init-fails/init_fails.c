/* Fails to initialise, with EINVAL. */
#include "module.h"

static int __init start(void)
{
	pr_err("no such device here\n");
	return -22;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/* Is none the worse for it. */
#include "module.h"

static int __init start(void)
{
	pr_info("unharmed\n");
	return 7;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

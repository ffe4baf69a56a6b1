/* Counts its starts, and says so at the end. */
#include "module.h"

static int starts;

static int __init start(void)
{
	starts++;
	pr_info("loaded\n");
	return 0;
}

static void __exit end(void)
{
	pr_info("unloaded after %d start\n", starts);
}

module_init(start);
module_exit(end);
MODULE_LICENSE("Dual MIT/Apache-2.0");

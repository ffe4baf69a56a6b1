/* Four messages, as the original's printk module printed. */
#include "module.h"

static int __init printk_start(void)
{
	static const char *const names[] = { "one", "two", "three" };

	pr_info("hello from a domain\n");
	for (int i = 0; i < 3; i++)
		pr_info("message %d of %zu: %s\n", i + 1, ARRAY_SIZE(names), names[i]);
	return 0;
}

static void __exit printk_end(void)
{
	pr_info("goodbye\n");
}

module_init(printk_start);
module_exit(printk_end);
MODULE_LICENSE("Dual MIT/Apache-2.0");
MODULE_DESCRIPTION("prints and returns");

/* Claims that vector 6 was raised. Only the gates may say so. */
#include "module.h"

static int __init start(void)
{
	pr_info("pretending\n");
	__asm__ volatile("outl %%eax, $0xc6" : : "a"(0));
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

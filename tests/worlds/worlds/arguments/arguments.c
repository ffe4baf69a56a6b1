/* All six integer arguments that registers carry. */
#include "module.h"

uint64_t combine(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	pr_info("6 arguments\n");
	return a + 10 * b + 100 * c + 1000 * d + 10000 * e + 100000 * f;
}
EXPORT_SYMBOL(combine);

static int __init start(void)
{
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

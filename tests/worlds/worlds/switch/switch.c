/* A switch with neighbouring cases becomes a table of addresses, one with scattered ones a tree. */
#include "module.h"

static __attribute__((noinline)) uint64_t dense(unsigned int what, uint64_t x)
{
	switch (what) {
	case 0:
		return x + 1;
	case 1:
		return x * 3;
	case 2:
		return x ^ 0x5555;
	case 3:
		return x >> 1;
	case 4:
		return x - 77;
	case 5:
		return ~x;
	case 6:
		return x << 7;
	case 7:
		return x / 10;
	case 8:
		return x % 1000;
	case 9:
		return -x;
	default:
		return 0x1234;
	}
}

static __attribute__((noinline)) const char *sparse(int number)
{
	switch (number) {
	case -40:
		return "cold";
	case 0:
		return "freezing";
	case 37:
		return "body";
	case 100:
		return "boiling";
	case 451:
		return "paper";
	case 1538:
		return "iron";
	case 1000000:
		return "star";
	default:
		return "unnamed";
	}
}

static int __init start(void)
{
	static const int temperatures[] = { -40, -39, 0, 37, 100, 451, 1538, 1000000, 2147483647 };
	uint64_t value = 1, state = 7;

	for (int i = 0; i < 500; i++)
		value = digest_add(dense((unsigned int)(random_next(&state) >> 60), value),
				   (uint64_t)i);
	pr_info("dense %016llx\n", (unsigned long long)value);
	for (size_t i = 0; i < ARRAY_SIZE(temperatures); i++)
		printk("%s%s", i ? " " : "", sparse(temperatures[i]));
	printk("\n");
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/* The sieve of Eratosthenes. */
#include "module.h"

#define LIMIT 20000

static uint8_t composite[LIMIT];

static int __init start(void)
{
	int count = 0, last = 0;

	for (int i = 2; i < LIMIT; i++) {
		if (composite[i])
			continue;
		count++;
		last = i;
		for (int j = i * i; j < LIMIT && i < 200; j += i)
			composite[j] = 1;
	}
	pr_info("%d primes, the last is %d\n", count, last);
	return count;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

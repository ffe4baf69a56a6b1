/* Threads of two domains add to one counter; however they meet, the sum is the same. */
#include "channel.h"

#define ADDITIONS 10000
#define THREADS 4

struct shared {
	uint64_t counter, finished;
};

int add(void)
{
	struct shared *shared = memory_of(lcd_boot_slot("counter"));

	for (int i = 0; i < ADDITIONS; i++) {
		__atomic_add_fetch(&shared->counter, 1, __ATOMIC_RELAXED);
		if (i % 1000 == 0)
			lcd_yield();
	}
	__atomic_add_fetch(&shared->finished, 1, __ATOMIC_RELEASE);
	return 0;
}

/* Adds as well, and waits for the others. */
static int __init start(void)
{
	struct shared *shared = memory_of(lcd_boot_slot("counter"));

	TRY(add());
	while (__atomic_load_n(&shared->finished, __ATOMIC_ACQUIRE) < THREADS)
		let_others_run();
	pr_info("%llu\n", (unsigned long long)shared->counter);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

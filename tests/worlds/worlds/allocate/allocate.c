/* Allocations that are filled with their own pattern and checked before they are freed. */
#include "module.h"

#define LIVE 200
#define STEPS 4000

static struct {
	uint8_t *bytes;
	uint32_t size;
	uint8_t pattern;
} live[LIVE];

static uint32_t size_of(uint64_t random)
{
	/* Mostly small, sometimes a few pages. */
	switch (random % 16) {
	case 0:
		return 4096 + (uint32_t)(random >> 16 & 0x3fff);
	case 1:
		return 1024 + (uint32_t)(random >> 16 & 0xfff);
	default:
		return 1 + (uint32_t)(random >> 16 & 0xff);
	}
}

static int release(unsigned int i)
{
	int wrong = 0;

	for (uint32_t at = 0; at < live[i].size; at++)
		wrong += live[i].bytes[at] != live[i].pattern;
	kfree(live[i].bytes);
	live[i].bytes = NULL;
	return wrong;
}

static int __init start(void)
{
	uint64_t state = 12345, total = 0;
	int wrong = 0, unaligned = 0, dirty = 0;
	uint8_t *block;

	for (unsigned int step = 0; step < STEPS; step++) {
		uint64_t random = random_next(&state);
		unsigned int i = random >> 48 & 0xff;

		if (i >= LIVE)
			continue;
		if (live[i].bytes) {
			wrong += release(i);
			continue;
		}
		live[i].size = size_of(random);
		live[i].pattern = (uint8_t)step;
		live[i].bytes = random & 1 << 8 ? kzalloc(live[i].size, GFP_KERNEL)
						: kmalloc(live[i].size, GFP_KERNEL);
		if (!live[i].bytes)
			return -12;
		unaligned += (uintptr_t)live[i].bytes % 16 != 0;
		if (random & 1 << 8)
			for (uint32_t at = 0; at < live[i].size; at++)
				dirty += live[i].bytes[at] != 0;
		total += live[i].size;
		memset(live[i].bytes, live[i].pattern, live[i].size);
	}
	for (unsigned int i = 0; i < LIVE; i++)
		if (live[i].bytes)
			wrong += release(i);
	pr_info("%llu bytes, %d wrong, %d unaligned, %d not zeroed\n", (unsigned long long)total,
		wrong, unaligned, dirty);

	block = kmalloc(100, GFP_KERNEL);
	memset(block, 7, 100);
	pr_info("room of 100: %zu\n", ksize(block));
	block = krealloc(block, 5000, GFP_KERNEL);
	pr_info("grown: %d, room of 5000: %zu\n", block[99], ksize(block));
	kfree(block);
	pr_info("nothing: %px, page-aligned: %d\n", kmalloc(0, GFP_KERNEL),
		(uintptr_t)kmalloc(4096, GFP_KERNEL) % 4096 == 0);
	block = vmalloc(100000);
	block[99999] = 1;
	vfree(block);
	kfree(NULL);
	kfree((void *)0x1234560);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

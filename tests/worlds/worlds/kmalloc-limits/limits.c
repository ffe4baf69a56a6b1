/* What kmalloc gives at most, and a cache that hands out, takes back and hands out again. */
#include "check.h"

#define OBJECTS 8
/* Linux 6.1, KMALLOC_MAX_SIZE: pages of order 10. */
#define KMALLOC_MAX ((size_t)LCD_PAGE_SIZE << 10)

/* Whether memory of this size is given, and can be used up to its last byte. */
static bool works(size_t size)
{
	uint8_t *memory = kmalloc(size, GFP_KERNEL);
	bool same = true;

	if (!memory)
		return false;
	for (size_t at = 0; at < size; at += LCD_PAGE_SIZE)
		memory[at] = (uint8_t)(at / LCD_PAGE_SIZE);
	for (size_t at = 0; at < size; at += LCD_PAGE_SIZE)
		same &= memory[at] == (uint8_t)(at / LCD_PAGE_SIZE);
	memory[size - 1] = 1;
	kfree(memory);
	return same;
}

static int cache(void)
{
	struct kmem_cache *cache = kmem_cache_create("objects", 200, 64, 0, NULL);
	uint8_t *objects[OBJECTS];

	CHECK(cache);
	for (int i = 0; i < OBJECTS; i++) {
		objects[i] = kmem_cache_alloc(cache, GFP_KERNEL);
		CHECK(objects[i] && (uintptr_t)objects[i] % 64 == 0);
		memset(objects[i], i, 200);
	}
	for (int i = 0; i < OBJECTS; i++)
		for (int at = 0; at < 200; at++)
			CHECK(objects[i][at] == i);
	for (int i = 0; i < OBJECTS; i++)
		kmem_cache_free(cache, objects[i]);
	kmem_cache_destroy(cache);
	pr_info("%d objects of a cache\n", OBJECTS);
	return 0;
}

static int __init start(void)
{
	pr_info("24 pages: %d\n", works(24 * LCD_PAGE_SIZE));
	pr_info("the most: %d\n", works(KMALLOC_MAX));
	pr_info("a byte more: %d\n", works(KMALLOC_MAX + 1));
	pr_info("all there is: %d\n", works(opaque(SIZE_MAX)));
	return cache();
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

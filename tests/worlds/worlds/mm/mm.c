/* The kernel's allocators as a module uses them: ten structures, and a cache of objects. */
#include "check.h"

#define COUNT 10

struct item {
	struct item *next;
	uint64_t number;
	char name[24];
};

static int constructed;

static void construct(void *object)
{
	*(struct item *)object = (struct item){ .number = 99 };
	constructed++;
}

static void fill(struct item *item, uint64_t number, struct item *next)
{
	item->next = next;
	item->number = number;
	snprintf(item->name, sizeof(item->name), "item %llu", (unsigned long long)number);
}

/* Whether a list has the items from `number` down to 0, each with its own contents. */
static bool is_whole(const struct item *item, uint64_t number)
{
	char name[24];

	for (; item && item->number == number; item = item->next, number--) {
		snprintf(name, sizeof(name), "item %llu", (unsigned long long)number);
		if (strcmp(item->name, name) != 0)
			return false;
	}
	return !item && number == UINT64_MAX;
}

static int structures(void)
{
	struct item *list = NULL, *item;

	for (uint64_t i = 0; i < COUNT; i++) {
		item = kmalloc(sizeof(*item), GFP_KERNEL);
		CHECK(item && (uintptr_t)item % 8 == 0);
		fill(item, i, list);
		list = item;
	}
	CHECK(is_whole(list, COUNT - 1));
	while ((item = list)) {
		list = item->next;
		kfree(item);
	}
	pr_info("%d structures held what was put into them\n", COUNT);
	return 0;
}

static int cache(void)
{
	struct kmem_cache *cache = kmem_cache_create("items", sizeof(struct item), 0, 0, construct);
	struct item *items[COUNT];

	CHECK(cache);
	for (uint64_t i = 0; i < COUNT; i++) {
		items[i] = kmem_cache_alloc(cache, GFP_KERNEL);
		CHECK(items[i] && items[i]->number == 99);
		fill(items[i], i, i == 0 ? NULL : items[i - 1]);
	}
	CHECK(is_whole(items[COUNT - 1], COUNT - 1));
	for (int i = 0; i < COUNT; i++)
		kmem_cache_free(cache, items[i]);
	kmem_cache_destroy(cache);
	pr_info("%d objects came out of a cache, each constructed\n", constructed);
	return 0;
}

static int __init start(void)
{
	TRY(structures());
	TRY(cache());
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

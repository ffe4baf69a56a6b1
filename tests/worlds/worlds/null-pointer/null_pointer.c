/* Follows a null pointer to its second word. */
#include "module.h"

struct item {
	uint64_t value;
	struct item *next;
};

static int __init start(void)
{
	struct item *item = opaque((struct item *)NULL);

	return (int)(uintptr_t)item->next;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/* Arrays in order: sorting, and searching by halves. */
#include "kernel.h"

typedef int (*compare_r)(const void *a, const void *b, const void *with);
typedef void (*swap_r)(void *a, void *b, int size, const void *with);

/* What sort() hands to sort_r(): functions without the extra argument. */
struct plain {
	int (*compare)(const void *a, const void *b);
	void (*swap)(void *a, void *b, int size);
};

static int compare_plain(const void *a, const void *b, const void *with)
{
	return ((const struct plain *)with)->compare(a, b);
}

static void swap_plain(void *a, void *b, int size, const void *with)
{
	((const struct plain *)with)->swap(a, b, size);
}

static void swap_bytes(void *a, void *b, int size, const void *with)
{
	unsigned char *x = a, *y = b;

	(void)with;
	for (int i = 0; i < size; i++) {
		unsigned char byte = x[i];

		x[i] = y[i];
		y[i] = byte;
	}
}

/* Heap sort: no extra memory, and no bad case. */
void sort_r(void *base, size_t count, size_t size, compare_r compare, swap_r swap, const void *with)
{
	unsigned char *at = base;
	size_t unsorted = count / 2, end = count;

	if (!swap)
		swap = swap_bytes;
	while (end > 1) {
		size_t root, child;

		/* First make a heap, root by root; then move the largest to the end. */
		if (unsorted > 0)
			unsorted--;
		else
			swap(at, at + --end * size, (int)size, with);
		for (root = unsorted; (child = 2 * root + 1) < end; root = child) {
			if (child + 1 < end &&
			    compare(at + child * size, at + (child + 1) * size, with) < 0)
				child++;
			if (compare(at + root * size, at + child * size, with) >= 0)
				break;
			swap(at + root * size, at + child * size, (int)size, with);
		}
	}
}

void sort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *),
	  void (*swap)(void *, void *, int))
{
	struct plain plain = { compare, swap };

	sort_r(base, count, size, compare_plain, swap ? swap_plain : NULL, &plain);
}

void *bsearch(const void *key, const void *base, size_t count, size_t size,
	      int (*compare)(const void *key, const void *element))
{
	const unsigned char *low = base;

	while (count > 0) {
		const unsigned char *middle = low + count / 2 * size;
		int order = compare(key, middle);

		if (order == 0)
			return (void *)middle;
		if (order > 0) {
			low = middle + size;
			count--;
		}
		count /= 2;
	}
	return NULL;
}

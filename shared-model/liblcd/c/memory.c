/*
 * kmalloc: objects of a few sizes share pages, larger ones have whole pages.
 *
 * A page of small objects belongs to one size for good; its free objects are linked
 * through their first words, in one list for each size. The sizes are the kernel's, and
 * as there a size that is a power of two is also an alignment. Freeing the wrong thing is
 * reported and ignored.
 */
#include "kernel.h"

/* Values of page_class() for pages of small objects: CLASS_FIRST + index of the size. */
#define CLASS_FIRST 16
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static const uint16_t sizes[] = { 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048 };

struct free_object {
	struct free_object *next;
};

static struct free_object *free_lists[sizeof(sizes) / sizeof(sizes[0])];

/* What kmalloc gives at most: blocks of order 10, as in the kernel. vmalloc has no limit. */
#define ORDER_MAX 10
#define KMALLOC_MAX ((size_t)LCD_PAGE_SIZE << ORDER_MAX)

/* The heap's: the free lists and all of pages.c. */
static struct lock lock;

static size_t pages_for(size_t size)
{
	return size / LCD_PAGE_SIZE + (size % LCD_PAGE_SIZE != 0);
}

/* Turns a new page into free objects; the lowest address is used first. */
static bool refill(unsigned int index)
{
	char *page = pages_allocate(1);
	size_t size = sizes[index];

	if (!page)
		return false;
	*page_class(page) = (uint8_t)(CLASS_FIRST + index);
	for (size_t at = LCD_PAGE_SIZE / size * size; at >= size; at -= size) {
		struct free_object *object = (struct free_object *)(page + at - size);

		object->next = free_lists[index];
		free_lists[index] = object;
	}
	return true;
}

static void *allocate_locked(size_t size)
{
	for (unsigned int i = 0; i < SIZES; i++) {
		struct free_object *object;

		if (size > sizes[i])
			continue;
		if (!free_lists[i] && !refill(i))
			return NULL;
		object = free_lists[i];
		free_lists[i] = object->next;
		return object;
	}
	return pages_allocate(pages_for(size));
}

static void *allocate(size_t size)
{
	void *p;

	lock_take(&lock);
	p = allocate_locked(size);
	lock_release(&lock);
	return p;
}

static void *allocate_pages(size_t count)
{
	void *p;

	lock_take(&lock);
	p = pages_allocate(count);
	lock_release(&lock);
	return p;
}

/* The bytes that an object has, or 0 if there is none at this address. */
static size_t object_size(const void *p)
{
	unsigned int class;

	if (!is_heap(p))
		return 0;
	class = *page_class(p);
	if (class < CLASS_FIRST || class >= CLASS_FIRST + SIZES)
		return pages_count(p) * LCD_PAGE_SIZE;
	if ((uintptr_t)p % LCD_PAGE_SIZE % sizes[class - CLASS_FIRST] != 0)
		return 0;
	return sizes[class - CLASS_FIRST];
}

/* Of any size that the heap has room for. */
static void *allocate_flags(size_t size, gfp_t flags)
{
	void *p;

	if (size == 0)
		return ZERO_SIZE_PTR;
	p = allocate(size);
	if (p && (flags & GFP_ZERO))
		memset(p, 0, size);
	return p;
}

void *__kmalloc(size_t size, gfp_t flags)
{
	return size > KMALLOC_MAX ? NULL : allocate_flags(size, flags);
}

void kfree(const void *p)
{
	size_t size;

	if (is_zero_or_null(p))
		return;
	lock_take(&lock);
	size = object_size(p);
	if (size > 0 && *page_class(p) < CLASS_FIRST) {
		pages_free((void *)p);
	} else if (size > 0) {
		struct free_object *object = (struct free_object *)p;
		unsigned int index = *page_class(p) - CLASS_FIRST;

		object->next = free_lists[index];
		free_lists[index] = object;
	}
	lock_release(&lock);
	if (size == 0)
		_printk("kfree: %px was not allocated\n", p);
}

size_t ksize(const void *p)
{
	size_t size;

	if (is_zero_or_null(p))
		return 0;
	lock_take(&lock);
	size = object_size(p);
	lock_release(&lock);
	return size;
}

/* The many names of the same: the kernel passes caches, nodes and callers along. */

void *kmalloc_trace(void *cache, gfp_t flags, size_t size)
{
	(void)cache;
	return __kmalloc(size, flags);
}

/* Linux before 6.1. */
void *kmem_cache_alloc_trace(void *cache, gfp_t flags, size_t size)
{
	return kmalloc_trace(cache, flags, size);
}

void *kmalloc_node_trace(void *cache, gfp_t flags, int node, size_t size)
{
	(void)cache;
	(void)node;
	return __kmalloc(size, flags);
}

void *__kmalloc_node(size_t size, gfp_t flags, int node)
{
	(void)node;
	return __kmalloc(size, flags);
}

void *__kmalloc_track_caller(size_t size, gfp_t flags, unsigned long caller)
{
	(void)caller;
	return __kmalloc(size, flags);
}

void *__kmalloc_node_track_caller(size_t size, gfp_t flags, int node, unsigned long caller)
{
	(void)node;
	(void)caller;
	return __kmalloc(size, flags);
}

void *kmalloc_large(size_t size, gfp_t flags)
{
	return __kmalloc(size, flags);
}

void *kmalloc_large_node(size_t size, gfp_t flags, int node)
{
	(void)node;
	return __kmalloc(size, flags);
}

void *kvmalloc_node(size_t size, gfp_t flags, int node)
{
	(void)node;
	return allocate_flags(size, flags);
}

/* vmalloc promises whole pages. */
void *vmalloc(unsigned long size)
{
	return size == 0 ? NULL : allocate_pages(pages_for(size));
}

void *vzalloc(unsigned long size)
{
	void *p = vmalloc(size);

	return p ? memset(p, 0, size) : NULL;
}

void *__vmalloc(unsigned long size, gfp_t flags)
{
	return flags & GFP_ZERO ? vzalloc(size) : vmalloc(size);
}

void *vmalloc_node(unsigned long size, int node)
{
	(void)node;
	return vmalloc(size);
}

void *vzalloc_node(unsigned long size, int node)
{
	(void)node;
	return vzalloc(size);
}

void vfree(const void *p)
{
	kfree(p);
}

void kvfree(const void *p)
{
	kfree(p);
}

void kfree_sensitive(const void *p)
{
	memzero_explicit((void *)p, ksize(p));
	kfree(p);
}

void kvfree_sensitive(const void *p, size_t size)
{
	if (!is_zero_or_null(p))
		memzero_explicit((void *)p, size);
	kfree(p);
}

/* Strings in read-only data are freed by this too: they are not in the heap. */
void kfree_const(const void *p)
{
	if (is_heap(p))
		kfree(p);
}

void *krealloc(const void *p, size_t size, gfp_t flags)
{
	size_t old = ksize(p);
	void *moved;

	if (size == 0) {
		kfree(p);
		return ZERO_SIZE_PTR;
	}
	if (size <= old)
		return (void *)p;
	moved = __kmalloc(size, flags);
	if (moved && old > 0) {
		memcpy(moved, p, old);
		kfree(p);
	}
	return moved;
}

/* Whole pages by order, as an address. */
unsigned long __get_free_pages(gfp_t flags, unsigned int order)
{
	void *p = order > ORDER_MAX ? NULL : allocate_pages((size_t)1 << order);

	if (p && (flags & GFP_ZERO))
		memset(p, 0, (size_t)LCD_PAGE_SIZE << order);
	return (unsigned long)p;
}

unsigned long get_zeroed_page(gfp_t flags)
{
	return __get_free_pages(flags | GFP_ZERO, 0);
}

void free_pages(unsigned long address, unsigned int order)
{
	(void)order;
	kfree((void *)address);
}

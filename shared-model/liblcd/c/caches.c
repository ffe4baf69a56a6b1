/*
 * Object caches: each remembers the size of its objects and asks kmalloc for them.
 */
#include "kernel.h"

typedef unsigned int slab_flags_t;
/* Objects aligned to a cache line of 64 bytes. */
#define SLAB_HWCACHE_ALIGN 0x2000u

struct kmem_cache {
	unsigned int size;
	const char *name;
	void (*construct)(void *object);
};

/*
 * The caches behind kmalloc, by type and size: modules read this array themselves where
 * the size is constant. Index 1 is 96 bytes, 2 is 192, others are powers of two; there are
 * four types in Debian's configuration (include/linux/slab.h).
 */
#define TYPES 4
#define INDEXES 14

#define CACHE(bytes) &(struct kmem_cache){ .size = (bytes), .name = "kmalloc-" #bytes }
#define CACHES                                                                             \
	{                                                                                  \
		NULL, CACHE(96), CACHE(192), CACHE(8), CACHE(16), CACHE(32), CACHE(64),    \
			CACHE(128), CACHE(256), CACHE(512), CACHE(1024), CACHE(2048),      \
			CACHE(4096), CACHE(8192)                                           \
	}

struct kmem_cache *kmalloc_caches[TYPES][INDEXES] = { CACHES, CACHES, CACHES, CACHES };

struct kmem_cache *kmem_cache_create(const char *name, unsigned int size, unsigned int align,
				     slab_flags_t flags, void (*construct)(void *object))
{
	struct kmem_cache *cache;

	if (flags & SLAB_HWCACHE_ALIGN && align < 64 && size > 32)
		align = 64;
	/* kmalloc aligns to the size where that is a power of two. */
	if (align > 16) {
		size = (size + align - 1) / align * align;
		while (size & (size - 1))
			size += size & -size;
	}
	cache = __kmalloc(sizeof(*cache), GFP_KERNEL);
	if (cache)
		*cache = (struct kmem_cache){ .size = size, .name = name, .construct = construct };
	return cache;
}

struct kmem_cache *kmem_cache_create_usercopy(const char *name, unsigned int size,
					      unsigned int align, slab_flags_t flags,
					      unsigned int start, unsigned int length,
					      void (*construct)(void *object))
{
	(void)start;
	(void)length;
	return kmem_cache_create(name, size, align, flags, construct);
}

void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t flags)
{
	void *object = __kmalloc(cache->size, flags);

	if (object && cache->construct)
		cache->construct(object);
	return object;
}

void *kmem_cache_alloc_node(struct kmem_cache *cache, gfp_t flags, int node)
{
	(void)node;
	return kmem_cache_alloc(cache, flags);
}

void *kmem_cache_alloc_lru(struct kmem_cache *cache, void *lru, gfp_t flags)
{
	(void)lru;
	return kmem_cache_alloc(cache, flags);
}

void kmem_cache_free(struct kmem_cache *cache, void *object)
{
	(void)cache;
	kfree(object);
}

void kmem_cache_destroy(struct kmem_cache *cache)
{
	kfree(cache);
}

int kmem_cache_shrink(struct kmem_cache *cache)
{
	(void)cache;
	return 0;
}

unsigned int kmem_cache_size(struct kmem_cache *cache)
{
	return cache->size;
}

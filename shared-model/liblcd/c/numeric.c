/* Arithmetic, sorting and searching that the kernel keeps in lib/. */
#include "kernel.h"

unsigned long gcd(unsigned long a, unsigned long b)
{
	while (b != 0) {
		unsigned long rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

unsigned long lcm(unsigned long a, unsigned long b)
{
	return a && b ? a / gcd(a, b) * b : 0;
}

/* The largest number whose square is at most `x`. */
unsigned long int_sqrt(unsigned long x)
{
	unsigned long root = 0;

	for (int bit = 31; bit >= 0; bit--) {
		unsigned long larger = root | 1ul << bit;

		if (larger * larger <= x)
			root = larger;
	}
	return root;
}

unsigned int __sw_hweight8(unsigned int x)
{
	unsigned int weight = 0;

	for (x &= 0xff; x != 0; x &= x - 1)
		weight++;
	return weight;
}

unsigned int __sw_hweight16(unsigned int x)
{
	return __sw_hweight8(x) + __sw_hweight8(x >> 8);
}

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

/* A generator whose state the caller seeds: repeatable (Tausworthe, L'Ecuyer 1999, taus113). */
struct rnd_state {
	uint32_t s1, s2, s3, s4;
};

uint32_t prandom_u32_state(struct rnd_state *s)
{
	s->s1 = (s->s1 & ~1u) << 18 ^ (s->s1 << 6 ^ s->s1) >> 13;
	s->s2 = (s->s2 & ~7u) << 2 ^ (s->s2 << 2 ^ s->s2) >> 27;
	s->s3 = (s->s3 & ~15u) << 7 ^ (s->s3 << 13 ^ s->s3) >> 21;
	s->s4 = (s->s4 & ~127u) << 13 ^ (s->s4 << 3 ^ s->s4) >> 12;
	return s->s1 ^ s->s2 ^ s->s3 ^ s->s4;
}

void prandom_bytes_state(struct rnd_state *state, void *to, size_t n)
{
	uint8_t *bytes = to;

	for (; n >= 4; n -= 4, bytes += 4) {
		uint32_t word = prandom_u32_state(state);

		memcpy(bytes, &word, 4);
	}
	if (n > 0) {
		uint32_t word = prandom_u32_state(state);

		memcpy(bytes, &word, n);
	}
}

/* Checksums that are part of the kernel itself, bit by bit. */
static uint32_t crc_reflected(uint32_t crc, const uint8_t *bytes, size_t n, uint32_t polynomial)
{
	while (n-- > 0) {
		crc ^= *bytes++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
	}
	return crc;
}

uint32_t crc32_le(uint32_t crc, const uint8_t *bytes, size_t n)
{
	return crc_reflected(crc, bytes, n, 0xedb88320);
}

uint32_t __crc32c_le(uint32_t crc, const uint8_t *bytes, size_t n)
{
	return crc_reflected(crc, bytes, n, 0x82f63b78);
}

uint32_t crc32_be(uint32_t crc, const uint8_t *bytes, size_t n)
{
	while (n-- > 0) {
		crc ^= (uint32_t)*bytes++ << 24;
		for (int bit = 0; bit < 8; bit++)
			crc = crc << 1 ^ (crc >> 31 ? 0x04c11db7 : 0);
	}
	return crc;
}

/* Two helpers of the crypto layer that need nothing of it. */
void __crypto_xor(uint8_t *to, const uint8_t *a, const uint8_t *b, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		to[i] = a[i] ^ b[i];
}

/* Adds one to a big-endian number. */
void crypto_inc(uint8_t *number, unsigned int n)
{
	while (n-- > 0)
		if (++number[n] != 0)
			break;
}

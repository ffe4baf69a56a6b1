/* Bit arrays of 64-bit words. */
#include "kernel.h"

#define WORD_BITS 64

static size_t words(unsigned long bits)
{
	return (bits + WORD_BITS - 1) / WORD_BITS;
}

/* The bits of the last word that belong to the array. */
static uint64_t last_word(unsigned long bits)
{
	return bits % WORD_BITS ? ~0ull >> (WORD_BITS - bits % WORD_BITS) : ~0ull;
}

/* The first bit at or after `start` that is set in `(a & b) ^ invert`, or `bits`. */
static unsigned long find(const uint64_t *a, const uint64_t *b, uint64_t invert, unsigned long bits,
			  unsigned long start)
{
	for (unsigned long at = start; at < bits; at = (at / WORD_BITS + 1) * WORD_BITS) {
		size_t word = at / WORD_BITS;
		uint64_t found = ((a[word] & (b ? b[word] : ~0ull)) ^ invert) >> at % WORD_BITS;

		if (found) {
			at += (unsigned long)__builtin_ctzll(found);
			return at < bits ? at : bits;
		}
	}
	return bits;
}

unsigned long _find_next_bit(const uint64_t *map, unsigned long bits, unsigned long start)
{
	return find(map, NULL, 0, bits, start);
}

unsigned long _find_first_bit(const uint64_t *map, unsigned long bits)
{
	return find(map, NULL, 0, bits, 0);
}

unsigned long _find_next_zero_bit(const uint64_t *map, unsigned long bits, unsigned long start)
{
	return find(map, NULL, ~0ull, bits, start);
}

unsigned long _find_first_zero_bit(const uint64_t *map, unsigned long bits)
{
	return find(map, NULL, ~0ull, bits, 0);
}

unsigned long _find_next_and_bit(const uint64_t *a, const uint64_t *b, unsigned long bits,
				 unsigned long start)
{
	return find(a, b, 0, bits, start);
}

unsigned long _find_first_and_bit(const uint64_t *a, const uint64_t *b, unsigned long bits)
{
	return find(a, b, 0, bits, 0);
}

unsigned long _find_last_bit(const uint64_t *map, unsigned long bits)
{
	for (unsigned long at = bits; at-- > 0;)
		if (map[at / WORD_BITS] >> at % WORD_BITS & 1)
			return at;
	return bits;
}

unsigned int __bitmap_weight(const uint64_t *map, unsigned int bits)
{
	unsigned int weight = 0;

	for (unsigned long at = find(map, NULL, 0, bits, 0); at < bits;
	     at = find(map, NULL, 0, bits, at + 1))
		weight++;
	return weight;
}

#define COMBINE(name, expression)                                                          \
	void name(uint64_t *to, const uint64_t *a, const uint64_t *b, unsigned int bits);  \
	void name(uint64_t *to, const uint64_t *a, const uint64_t *b, unsigned int bits)   \
	{                                                                                  \
		for (size_t i = 0; i < words(bits); i++)                                   \
			to[i] = expression;                                                \
	}

/* The same, and whether any bit of the result is set. */
#define COMBINE_ANY(name, expression)                                                      \
	bool name(uint64_t *to, const uint64_t *a, const uint64_t *b, unsigned int bits);  \
	bool name(uint64_t *to, const uint64_t *a, const uint64_t *b, unsigned int bits)   \
	{                                                                                  \
		uint64_t any = 0;                                                          \
                                                                                           \
		for (size_t i = 0; i < words(bits); i++) {                                 \
			to[i] = expression;                                                \
			any |= i + 1 == words(bits) ? to[i] & last_word(bits) : to[i];     \
		}                                                                          \
		return any != 0;                                                           \
	}

/* Whether the expression is zero for every bit. */
#define COMPARE(name, expression)                                                          \
	bool name(const uint64_t *a, const uint64_t *b, unsigned int bits);                \
	bool name(const uint64_t *a, const uint64_t *b, unsigned int bits)                 \
	{                                                                                  \
		for (size_t i = 0; i < words(bits); i++)                                   \
			if ((expression) & (i + 1 == words(bits) ? last_word(bits) : ~0ull)) \
				return false;                                              \
		return true;                                                               \
	}

COMBINE(__bitmap_or, a[i] | b[i])
COMBINE(__bitmap_xor, a[i] ^ b[i])
COMBINE_ANY(__bitmap_and, a[i] & b[i])
COMBINE_ANY(__bitmap_andnot, a[i] & ~b[i])
COMPARE(__bitmap_equal, a[i] ^ b[i])
COMPARE(__bitmap_subset, a[i] & ~b[i])

bool __bitmap_intersects(const uint64_t *a, const uint64_t *b, unsigned int bits)
{
	return find(a, b, 0, bits, 0) < bits;
}

void __bitmap_complement(uint64_t *to, const uint64_t *from, unsigned int bits)
{
	for (size_t i = 0; i < words(bits); i++)
		to[i] = ~from[i];
}

void __bitmap_set(uint64_t *map, unsigned int start, int count)
{
	for (; count > 0; count--, start++)
		map[start / WORD_BITS] |= 1ull << start % WORD_BITS;
}

void __bitmap_clear(uint64_t *map, unsigned int start, int count)
{
	for (; count > 0; count--, start++)
		map[start / WORD_BITS] &= ~(1ull << start % WORD_BITS);
}

uint64_t *bitmap_alloc(unsigned int bits, gfp_t flags)
{
	return __kmalloc(words(bits) * sizeof(uint64_t), flags);
}

uint64_t *bitmap_zalloc(unsigned int bits, gfp_t flags)
{
	return bitmap_alloc(bits, flags | GFP_ZERO);
}

void bitmap_free(const uint64_t *map)
{
	kfree(map);
}

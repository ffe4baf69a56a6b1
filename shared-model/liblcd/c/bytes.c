/* Memory as bytes. The string instructions are what both a processor and a simulator do fastest. */
#include "kernel.h"

void *memcpy(void *to, const void *from, size_t n)
{
	void *at = to;
	size_t words = n / 8;

	n %= 8;
	__asm__ volatile("cld\n\t"
			 "rep movsq\n\t"
			 "movq %3, %2\n\t"
			 "rep movsb"
			 : "+D"(at), "+S"(from), "+c"(words), "+r"(n)
			 :
			 : "memory", "cc");
	return to;
}

/* The kernel's names for the same function, for callers that must not be instrumented. */
void *__memcpy(void *to, const void *from, size_t n) __attribute__((alias("memcpy")));

void *memmove(void *to, const void *from, size_t n)
{
	unsigned char *d = to;
	const unsigned char *s = from;

	/* Forwards is right unless the destination starts inside the source. */
	if ((uintptr_t)d - (uintptr_t)s >= n)
		return memcpy(to, from, n);
	while (n >= 8) {
		uint64_t word;

		n -= 8;
		__builtin_memcpy(&word, s + n, 8);
		__builtin_memcpy(d + n, &word, 8);
	}
	while (n > 0) {
		n--;
		d[n] = s[n];
	}
	return to;
}

void *__memmove(void *to, const void *from, size_t n) __attribute__((alias("memmove")));

void *memset(void *to, int byte, size_t n)
{
	void *at = to;
	uint64_t pattern = (unsigned char)byte * 0x0101010101010101u;
	size_t words = n / 8;

	n %= 8;
	__asm__ volatile("cld\n\t"
			 "rep stosq\n\t"
			 "movq %2, %1\n\t"
			 "rep stosb"
			 : "+D"(at), "+c"(words), "+r"(n)
			 : "a"(pattern)
			 : "memory", "cc");
	return to;
}

void *__memset(void *to, int byte, size_t n) __attribute__((alias("memset")));

void *memset16(uint16_t *to, uint16_t value, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] = value;
	return to;
}

void *memset32(uint32_t *to, uint32_t value, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] = value;
	return to;
}

void *memset64(uint64_t *to, uint64_t value, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] = value;
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (size_t i = 0; i < n; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}

int bcmp(const void *a, const void *b, size_t n) __attribute__((alias("memcmp")));

void *memchr(const void *bytes, int byte, size_t n)
{
	const unsigned char *s = bytes;

	for (size_t i = 0; i < n; i++)
		if (s[i] == (unsigned char)byte)
			return (void *)(s + i);
	return NULL;
}

/* Like memchr, but the end of the area when there is none. */
void *memscan(void *bytes, int byte, size_t n)
{
	void *found = memchr(bytes, byte, n);

	return found ? found : (unsigned char *)bytes + n;
}

/* The first byte that is not this one. */
void *memchr_inv(const void *bytes, int byte, size_t n)
{
	const unsigned char *s = bytes;

	for (size_t i = 0; i < n; i++)
		if (s[i] != (unsigned char)byte)
			return (void *)(s + i);
	return NULL;
}

/* Zeroes in a way that the compiler cannot see to be useless. */
void memzero_explicit(void *bytes, size_t n)
{
	memset(bytes, 0, n);
	__asm__ volatile("" : : "r"(bytes) : "memory");
}

/* The number of one bits. */
size_t memweight(const void *bytes, size_t n)
{
	const unsigned char *s = bytes;
	size_t ones = 0;

	for (size_t i = 0; i < n; i++)
		for (unsigned int byte = s[i]; byte; byte &= byte - 1)
			ones++;
	return ones;
}

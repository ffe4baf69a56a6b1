/* Helpers of the crypto layer that need nothing of it. */
#include "kernel.h"

/* Compares in a time that depends on the length only: for secrets. */
unsigned long __crypto_memneq(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;
	unsigned long difference = 0;

	for (size_t i = 0; i < n; i++) {
		difference |= x[i] ^ y[i];
		__asm__("" : "+r"(difference));
	}
	return difference;
}

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

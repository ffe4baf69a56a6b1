/* Arithmetic on whole numbers. */
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

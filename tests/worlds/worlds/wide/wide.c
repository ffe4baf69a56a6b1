/* Two-register arithmetic: add with carry, subtract with borrow, multiply, double shifts. */
#include "module.h"

typedef unsigned __int128 wide;

static uint64_t high(wide x)
{
	return (uint64_t)(x >> 64);
}

/* Bit by bit, because the compiler's own routine is a library that kernels do not have. */
static __attribute__((noinline)) wide divide(wide a, wide b, wide *remainder)
{
	wide quotient = 0, rest = 0;

	for (int i = 127; i >= 0; i--) {
		rest = rest << 1 | (a >> i & 1);
		if (rest >= b) {
			rest -= b;
			quotient |= (wide)1 << i;
		}
	}
	*remainder = rest;
	return quotient;
}

static void print_decimal(const char *name, wide x)
{
	char digits[40];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		wide digit;

		x = divide(x, 10, &digit);
		digits[--at] = (char)('0' + (int)digit);
	} while (x != 0);
	pr_info("%s %s\n", name, digits + at);
}

static int __init start(void)
{
	wide factorial = 1, fibonacci = 0, next = 1, mixed = opaque(1ull), remainder;

	for (unsigned int i = 2; i <= 34; i++)
		factorial *= i;
	print_decimal("34!", factorial);
	for (int i = 0; i < 186; i++) {
		wide sum = fibonacci + next;

		fibonacci = next;
		next = sum;
	}
	print_decimal("fibonacci(186)", fibonacci);
	print_decimal("2^128-1", -(wide)1);
	for (unsigned int i = 0; i < 300; i++) {
		mixed = mixed * 0x9e3779b97f4a7c15u + ((wide)i << 90);
		mixed ^= mixed >> (i % 127 + 1);
		mixed -= mixed << (i % 63 + 1);
		mixed += divide(mixed, mixed >> 50 | 1, &remainder) ^ remainder;
	}
	pr_info("mixed %016llx%016llx\n", (unsigned long long)high(mixed),
		(unsigned long long)mixed);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

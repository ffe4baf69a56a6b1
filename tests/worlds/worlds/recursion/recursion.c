/* Functions that call themselves, in ways that compilers do not turn into loops. */
#include "module.h"

static __attribute__((noinline)) unsigned int ackermann(unsigned int m, unsigned int n)
{
	if (m == 0)
		return n + 1;
	if (n == 0)
		return ackermann(m - 1, 1);
	return ackermann(m - 1, ackermann(m, n - 1));
}

static __attribute__((noinline)) unsigned int fibonacci(unsigned int n)
{
	return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static unsigned int pegs[3];

static __attribute__((noinline)) unsigned int hanoi(unsigned int discs, int from, int to)
{
	unsigned int moves;

	if (discs == 0)
		return 0;
	moves = hanoi(discs - 1, from, 3 - from - to);
	pegs[from] ^= 1u << discs;
	pegs[to] ^= 1u << discs;
	return moves + 1 + hanoi(discs - 1, 3 - from - to, to);
}

static int __init start(void)
{
	pr_info("ackermann(2, 9) = %u\n", ackermann(opaque(2u), 9));
	pr_info("fibonacci(20) = %u\n", fibonacci(opaque(20u)));
	pegs[0] = 0x7fe;
	pr_info("hanoi(10) takes %u moves\n", hanoi(opaque(10u), 0, 2));
	return pegs[0] == 0 && pegs[2] == 0x7fe ? 0 : -1;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

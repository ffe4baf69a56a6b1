/*
 * Multiplication, division, shifts and rotations in every width and signedness, over
 * numbers at the edges and a stream of others; a digest for each operation.
 */
#include "module.h"

static const uint64_t edges[] = {
	0, 1, 2, 3, 7, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff,
	0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000,
	0xfffffffffffffffe, 0xffffffffffffffff, 0x0123456789abcdef, 0xfedcba9876543210,
};

/* One function for each width, so that each uses the instructions of that width. */
#define WIDTH(bits)                                                                        \
	static __attribute__((noinline)) void pair_##bits(uint64_t *digests, uint64_t x,   \
							   uint64_t y)                     \
	{                                                                                  \
		uint##bits##_t a = (uint##bits##_t)x, b = (uint##bits##_t)y;               \
		int##bits##_t sa = (int##bits##_t)a, sb = (int##bits##_t)b;                \
		unsigned int by = (unsigned int)(y % bits);                                \
                                                                                           \
		digests[0] = digest_add(digests[0], (uint##bits##_t)(a + b));              \
		digests[0] = digest_add(digests[0], (uint##bits##_t)(a - b));              \
		digests[1] = digest_add(digests[1], (uint##bits##_t)((uint64_t)a * b));    \
		if (b != 0) {                                                              \
			digests[2] = digest_add(digests[2], a / b);                        \
			digests[2] = digest_add(digests[2], a % b);                        \
		}                                                                          \
		/* The one quotient that does not fit is left out: see divide-overflow. */ \
		if (sb != 0 && sb != -1) {                                                 \
			digests[3] = digest_add(digests[3], (uint64_t)(sa / sb));          \
			digests[3] = digest_add(digests[3], (uint64_t)(sa % sb));          \
		}                                                                          \
		digests[4] = digest_add(digests[4], (uint##bits##_t)(a << by));            \
		digests[4] = digest_add(digests[4], a >> by);                              \
		digests[4] = digest_add(digests[4], (uint64_t)(sa >> by));                 \
		digests[5] = digest_add(                                                   \
			digests[5],                                                        \
			(uint##bits##_t)(a << by | (by ? a >> (bits - by) : 0)));          \
		digests[6] = digest_add(digests[6], (uint64_t)(a < b) << 3 |               \
							    (uint64_t)(sa < sb) << 2 |     \
							    (uint64_t)(a == b) << 1 |      \
							    (uint64_t)(sa >= sb));         \
	}

WIDTH(8)
WIDTH(16)
WIDTH(32)
WIDTH(64)

static void report(const char *width, const uint64_t *digests)
{
	static const char *const operations[] = {
		"add sub", "mul", "div", "idiv", "shift", "rotate", "compare",
	};

	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		pr_info("%s %s: %016llx\n", width, operations[i], (unsigned long long)digests[i]);
}

static void run(const char *width, void (*pair)(uint64_t *, uint64_t, uint64_t))
{
	uint64_t digests[7], state = 88172645463325252u;

	for (size_t i = 0; i < ARRAY_SIZE(digests); i++)
		digests[i] = DIGEST_START;
	for (size_t i = 0; i < ARRAY_SIZE(edges); i++)
		for (size_t j = 0; j < ARRAY_SIZE(edges); j++)
			pair(digests, edges[i], edges[j]);
	for (int i = 0; i < 2000; i++) {
		uint64_t x = random_next(&state), y = random_next(&state);

		/* Numbers of every length, not only long ones. */
		pair(digests, x >> (x & 63), y >> (y & 63));
	}
	report(width, digests);
}

static int __init arithmetic_start(void)
{
	run("8-bit", pair_8);
	run("16-bit", pair_16);
	run("32-bit", pair_32);
	run("64-bit", pair_64);
	return 0;
}

module_init(arithmetic_start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

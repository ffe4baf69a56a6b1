/* Pushes the flags after each instruction, keeps those that are defined, and digests them. */
#include "module.h"

#define CF 0x001
#define PF 0x004
#define AF 0x010
#define ZF 0x040
#define SF 0x080
#define OF 0x800
#define ALL (CF | PF | AF | ZF | SF | OF)

static const uint64_t samples[] = {
	0, 1, 2, 0x0f, 0x10, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
	0xffffffff, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0x123456789abcdef0,
};

/* One instruction on a pair of operands, with the carry set first if `carry` is 1. */
#define ONE(instruction, type, mask, x, y, carry)                                          \
	({                                                                                 \
		type to = (type)(x), from = (type)(y);                                     \
		uint64_t seen;                                                             \
                                                                                           \
		__asm__ volatile("cmpl $1, %k3\n\tcmc\n\t" instruction "\n\tpushfq\n\tpopq %1" \
				 : "+q"(to), "=&r"(seen)                                   \
				 : "q"(from), "r"(carry)                                   \
				 : "cc", "memory");                                        \
		(uint64_t)to ^ (seen & (mask)) << 32;                                      \
	})

#define PAIRS(instruction, type, mask)                                                     \
	({                                                                                 \
		uint64_t digest = DIGEST_START;                                            \
                                                                                           \
		for (size_t i = 0; i < ARRAY_SIZE(samples); i++)                           \
			for (size_t j = 0; j < ARRAY_SIZE(samples); j++)                   \
				for (int c = 0; c < 2; c++)                                \
					digest = digest_add(digest,                        \
							    ONE(instruction, type, mask,   \
								samples[i], samples[j], c)); \
		(unsigned long long)digest;                                                \
	})

#define ROW(name, suffixless, mask)                                                        \
	pr_info(name " %016llx %016llx %016llx %016llx\n",                                 \
		PAIRS(suffixless " %b2, %b0", uint8_t, mask),                              \
		PAIRS(suffixless " %w2, %w0", uint16_t, mask),                             \
		PAIRS(suffixless " %k2, %k0", uint32_t, mask),                             \
		PAIRS(suffixless " %q2, %q0", uint64_t, mask))

/* Operations on one operand, which may be a shift by a constant. */
#define ROW1(name, before, mask)                                                           \
	pr_info(name " %016llx %016llx %016llx %016llx\n",                                 \
		PAIRS(before "%b0", uint8_t, mask), PAIRS(before "%w0", uint16_t, mask),   \
		PAIRS(before "%k0", uint32_t, mask), PAIRS(before "%q0", uint64_t, mask))

static int __init start(void)
{
	ROW("add", "add", ALL);
	ROW("adc", "adc", ALL);
	ROW("sub", "sub", ALL);
	ROW("sbb", "sbb", ALL);
	ROW("cmp", "cmp", ALL);
	ROW("and", "and", ALL & ~AF);
	ROW("or", "or", ALL & ~AF);
	ROW("xor", "xor", ALL & ~AF);
	ROW("test", "test", ALL & ~AF);
	ROW("xadd", "xadd", ALL);
	ROW1("inc", "inc ", ALL);
	ROW1("dec", "dec ", ALL);
	ROW1("neg", "neg ", ALL);
	ROW1("not", "not ", ALL);
	ROW1("shl 1", "shl $1, ", ALL & ~AF);
	ROW1("shr 1", "shr $1, ", ALL & ~AF);
	ROW1("sar 1", "sar $1, ", ALL & ~AF);
	ROW1("shl 5", "shl $5, ", ALL & ~AF & ~OF);
	ROW1("shr 5", "shr $5, ", ALL & ~AF & ~OF);
	ROW1("sar 5", "sar $5, ", ALL & ~AF & ~OF);
	ROW1("shl 0", "shl $0, ", ALL);
	ROW1("rol 1", "rol $1, ", ALL);
	ROW1("ror 1", "ror $1, ", ALL);
	ROW1("rcl 1", "rcl $1, ", ALL);
	ROW1("rcr 1", "rcr $1, ", ALL);
	ROW1("rol 5", "rol $5, ", ALL & ~OF);
	ROW1("rcr 5", "rcr $5, ", ALL & ~OF);
	pr_info("imul %016llx %016llx %016llx\n", PAIRS("imul %w2, %w0", uint16_t, CF | OF),
		PAIRS("imul %k2, %k0", uint32_t, CF | OF),
		PAIRS("imul %q2, %q0", uint64_t, CF | OF));
	pr_info("shld %016llx %016llx\n", PAIRS("shld $1, %k2, %k0", uint32_t, ALL & ~AF),
		PAIRS("shld $7, %q2, %q0", uint64_t, ALL & ~AF & ~OF));
	pr_info("shrd %016llx %016llx\n", PAIRS("shrd $1, %k2, %k0", uint32_t, ALL & ~AF),
		PAIRS("shrd $7, %q2, %q0", uint64_t, ALL & ~AF & ~OF));
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

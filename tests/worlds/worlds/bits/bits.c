/* Bit instructions that compilers use, over single bits, runs and random words. */
#include "module.h"

/* The kernel calls this with its own convention: only rax changes. */
static uint64_t weight(uint64_t x)
{
	uint64_t result;

	__asm__("call __sw_hweight64" : "=a"(result) : "D"(x));
	return result;
}

static uint64_t one_word(uint64_t x)
{
	uint64_t digest = digest_add(DIGEST_START, weight(x)), result;
	uint8_t flag;

	if (x != 0) {
		__asm__("bsfq %1, %0" : "=r"(result) : "r"(x) : "cc");
		digest = digest_add(digest, result);
		__asm__("bsrq %1, %0" : "=r"(result) : "r"(x) : "cc");
		digest = digest_add(digest, result);
		digest = digest_add(digest, (uint64_t)__builtin_ctz((uint32_t)x | 1u << 31));
		digest = digest_add(digest, (uint64_t)__builtin_clzll(x));
	}
	digest = digest_add(digest, __builtin_bswap64(x));
	digest = digest_add(digest, __builtin_bswap32((uint32_t)x));
	digest = digest_add(digest, __builtin_bswap16((uint16_t)x));
	digest = digest_add(digest, (uint64_t)__builtin_parityll(x));
	for (uint64_t bit = 0; bit < 64; bit += 13) {
		result = x;
		__asm__("btq %2, %1\n\tsetc %0" : "=q"(flag) : "r"(x), "r"(bit) : "cc");
		digest = digest_add(digest, flag);
		__asm__("btsq %1, %0" : "+r"(result) : "r"(bit) : "cc");
		digest = digest_add(digest, result);
		__asm__("btrq %1, %0" : "+r"(result) : "r"(bit) : "cc");
		digest = digest_add(digest, result);
		__asm__("btcq %1, %0" : "+r"(result) : "r"(bit + 64) : "cc");
		digest = digest_add(digest, result);
	}
	return digest;
}

/* A bit far away: with a memory operand the offset is not limited to one word. */
static uint64_t bitmap(void)
{
	static uint64_t map[8];
	uint64_t digest = DIGEST_START;
	uint8_t flag;

	for (int64_t bit = 1; bit < 512; bit = bit * 3 + 1) {
		__asm__("btsq %2, %1\n\tsetc %0"
			: "=q"(flag), "+m"(map)
			: "r"(bit)
			: "cc", "memory");
		digest = digest_add(digest, flag);
		/* And backwards, with a negative offset from the end. */
		__asm__("btcq %1, %0" : "+m"(map[7]) : "r"(-bit) : "cc", "memory");
	}
	for (int i = 0; i < 8; i++)
		digest = digest_add(digest, map[i]);
	return digest;
}

static int __init start(void)
{
	uint64_t state = 99, digest = DIGEST_START;

	pr_info("weights %llu %llu %llu\n", (unsigned long long)weight(0),
		(unsigned long long)weight(0x8000000000000001), (unsigned long long)weight(~0ull));
	for (int i = 0; i < 64; i++)
		digest = digest_add(digest, one_word(1ull << i) ^ one_word(~0ull << i));
	pr_info("single bits and runs %016llx\n", (unsigned long long)digest);
	for (int i = 0; i < 1000; i++)
		digest = digest_add(digest, one_word(random_next(&state)));
	pr_info("random words %016llx\n", (unsigned long long)digest);
	pr_info("bitmap %016llx\n", (unsigned long long)bitmap());
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

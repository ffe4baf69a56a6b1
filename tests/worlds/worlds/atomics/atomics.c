/* What the kernel's atomic operations compile to. With one thread only their results show. */
#include "module.h"

#define WIDTH(type)                                                                        \
	({                                                                                 \
		type cell = (type)0x1122334455667788, expected = cell;                     \
		uint64_t d = DIGEST_START;                                                 \
                                                                                           \
		d = digest_add(d, __atomic_exchange_n(&cell, (type)7, __ATOMIC_SEQ_CST));  \
		d = digest_add(d, __atomic_fetch_add(&cell, (type)-9, __ATOMIC_SEQ_CST));  \
		d = digest_add(d, __atomic_compare_exchange_n(&cell, &expected, (type)1, false, \
							      __ATOMIC_SEQ_CST,            \
							      __ATOMIC_SEQ_CST));          \
		d = digest_add(d, expected);                                               \
		d = digest_add(d, __atomic_compare_exchange_n(&cell, &expected, (type)99, false, \
							      __ATOMIC_SEQ_CST,            \
							      __ATOMIC_SEQ_CST));          \
		d = digest_add(d, cell);                                                   \
		__atomic_or_fetch(&cell, (type)0x50, __ATOMIC_SEQ_CST);                    \
		__atomic_and_fetch(&cell, (type)0x71, __ATOMIC_SEQ_CST);                   \
		d = digest_add(d, __atomic_fetch_xor(&cell, (type)-1, __ATOMIC_SEQ_CST));  \
		d = digest_add(d, __atomic_sub_fetch(&cell, (type)3, __ATOMIC_SEQ_CST));   \
		digest_add(d, cell);                                                       \
	})

static uint64_t bits(void)
{
	uint64_t word = 0x8001, d = DIGEST_START;
	uint8_t flag;

	__asm__ volatile("lock btsq $3, %0\n\tsetc %1" : "+m"(word), "=q"(flag) : : "cc");
	d = digest_add(d, word ^ flag);
	__asm__ volatile("lock btrq $15, %0\n\tsetc %1" : "+m"(word), "=q"(flag) : : "cc");
	d = digest_add(d, word ^ flag);
	__asm__ volatile("lock decq %0\n\tsets %1" : "+m"(word), "=q"(flag) : : "cc");
	d = digest_add(d, word ^ flag);
	__asm__ volatile("lock negq %0\n\tsetc %1" : "+m"(word), "=q"(flag) : : "cc");
	return digest_add(d, word ^ flag);
}

static uint64_t pairs(void)
{
	uint64_t pair[2] __attribute__((aligned(16))) = { 1, 2 };
	uint64_t low = 1, high = 2, d = DIGEST_START;
	uint8_t flag;

	for (int i = 0; i < 2; i++) {
		__asm__ volatile("lock cmpxchg16b %0\n\tsetz %3"
				 : "+m"(pair), "+a"(low), "+d"(high), "=q"(flag)
				 : "b"(3ull), "c"(4ull)
				 : "cc");
		d = digest_add(d, pair[0] ^ pair[1] << 8 ^ low << 16 ^ high << 24 ^
					  (uint64_t)flag << 32);
		__asm__ volatile("lock cmpxchg8b %0\n\tsetz %3"
				 : "+m"(pair[0]), "+a"(low), "+d"(high), "=q"(flag)
				 : "b"(5ull), "c"(6ull)
				 : "cc");
		d = digest_add(d, pair[0] ^ low << 16 ^ high << 24 ^ (uint64_t)flag << 32);
	}
	return d;
}

static int __init start(void)
{
	pr_info("8-bit %016llx\n", (unsigned long long)WIDTH(uint8_t));
	pr_info("16-bit %016llx\n", (unsigned long long)WIDTH(uint16_t));
	pr_info("32-bit %016llx\n", (unsigned long long)WIDTH(uint32_t));
	pr_info("64-bit %016llx\n", (unsigned long long)WIDTH(uint64_t));
	pr_info("bits %016llx\n", (unsigned long long)bits());
	pr_info("pairs %016llx\n", (unsigned long long)pairs());
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/* rep movs, stos, cmps, scas and lods, and where they leave their registers. */
#include "module.h"

static uint8_t a[256], b[256];

static void fill(void)
{
	for (int i = 0; i < 256; i++) {
		a[i] = (uint8_t)(i * 11 + 3);
		b[i] = (uint8_t)(i * 7);
	}
}

static uint64_t digest_of_both(void)
{
	uint64_t digest = DIGEST_START;

	for (int i = 0; i < 256; i++)
		digest = digest_add(digest, (uint64_t)a[i] << 8 | b[i]);
	return digest;
}

/* Runs one instruction with its registers at the middle of the arrays. */
#define RUN(instruction, direction, start_count)                                           \
	({                                                                                 \
		uint8_t *to = b + 128;                                                     \
		const uint8_t *from = a + 128;                                             \
		uint64_t count = (start_count), value = 0x1122334455667788;                \
		uint8_t equal;                                                             \
                                                                                           \
		fill();                                                                    \
		__asm__ volatile("xorl %%edx, %%edx\n\t" direction "\n\t" instruction      \
				 "\n\tcld\n\tsetz %4"                                      \
				 : "+D"(to), "+S"(from), "+c"(count), "+a"(value),         \
				   "=q"(equal)                                             \
				 :                                                         \
				 : "rdx", "memory", "cc");                                 \
		digest_add(digest_of_both() ^ value ^ equal,                               \
			   (uint64_t)(to - b) << 40 ^ (uint64_t)(from - a) << 20 ^ count); \
	})

#define ROW(instruction)                                                                   \
	pr_info("%-11s %016llx %016llx %016llx %016llx\n", instruction,                    \
		(unsigned long long)RUN(instruction, "cld", 0),                            \
		(unsigned long long)RUN(instruction, "cld", 1),                            \
		(unsigned long long)RUN(instruction, "cld", 13),                           \
		(unsigned long long)RUN(instruction, "std", 15))

static int __init start(void)
{
	ROW("rep movsb");
	ROW("rep movsw");
	ROW("rep movsl");
	ROW("rep movsq");
	ROW("rep stosb");
	ROW("rep stosw");
	ROW("rep stosl");
	ROW("rep stosq");
	ROW("repe cmpsb");
	ROW("repne cmpsw");
	ROW("repe cmpsl");
	ROW("repne cmpsq");
	ROW("repe scasb");
	ROW("repne scasb");
	ROW("repne scasw");
	ROW("repne scasl");
	ROW("repne scasq");
	ROW("rep lodsb");
	ROW("rep lodsq");
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

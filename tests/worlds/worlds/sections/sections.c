/* Looks at what the loader put where, and at the relocations that tie it together. */
#include "module.h"

static const char *const words[] = { "zero", "one", "two", "three" };
static const char **cursor = (const char **)&words[1];
static uint32_t initial[4] = { 1, 2, 3, 4 };
static uint8_t zeroed[10000];
static uint64_t first_touched __initdata = 0x1122334455667788;
static uint64_t (*hook)(uint64_t);
static struct {
	uint8_t byte;
	uint32_t *inside;
	uint64_t (**to_hook)(uint64_t);
} record = { 0xab, &initial[2], &hook };

static __attribute__((noinline)) uint64_t twice(uint64_t x)
{
	return 2 * x;
}

static int __init start(void)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(zeroed); i++)
		sum |= zeroed[i];
	pr_info("zeroed memory is %s\n", sum == 0 ? "zero" : "not zero");
	zeroed[9999] = 9;
	pr_info("words: %s %s %s\n", cursor[-1], cursor[0], cursor[2]);
	*record.inside += 10;
	pr_info("data: %u %u %u %u\n", initial[0], initial[1], initial[2], initial[3]);
	hook = twice;
	pr_info("record: %x %llu\n", record.byte,
		(unsigned long long)(*record.to_hook)(first_touched & 0xff));
	first_touched++;
	pr_info("init data: %llx\n", (unsigned long long)first_touched);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

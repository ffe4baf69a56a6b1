/*
 * Function pointers and returns in the shape of a kernel with retpolines and tracing.
 *
 * build: fentry retpoline stack-protector
 */
#include "module.h"

typedef uint64_t (*operation)(uint64_t, uint64_t);

static uint64_t add(uint64_t a, uint64_t b)
{
	return a + b;
}

static uint64_t subtract(uint64_t a, uint64_t b)
{
	return a - b;
}

static uint64_t multiply(uint64_t a, uint64_t b)
{
	return a * b;
}

static uint64_t rotate(uint64_t a, uint64_t b)
{
	return a << (b & 63) | a >> (-b & 63);
}

static const operation operations[] = { add, subtract, multiply, rotate };

static __attribute__((noinline)) uint64_t run(const uint8_t *program, size_t length)
{
	uint64_t value = 1;

	for (size_t i = 0; i < length; i++)
		value = operations[program[i] % ARRAY_SIZE(operations)](value, program[i] + 3u);
	return value;
}

static int __init start(void)
{
	uint8_t program[64];
	uint64_t state = 5;

	for (size_t i = 0; i < sizeof(program); i++)
		program[i] = (uint8_t)random_next(&state);
	pr_info("%016llx\n", (unsigned long long)run(program, sizeof(program)));
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

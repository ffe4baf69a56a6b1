/*
 * Integer work for measuring: bench(n) does n rounds, and returns a digest that depends
 * on every one of them, so that nothing can be left out.
 */
#include "module.h"

#define SIEVE 8192
#define BYTES 4096
#define NUMBERS 1024

static uint8_t composite[SIEVE];
static uint8_t bytes[BYTES];
static uint32_t numbers[NUMBERS];
static uint32_t crc_table[256];

static uint32_t sieve(uint32_t seed)
{
	uint32_t sum = seed;

	for (unsigned int i = 0; i < SIEVE; i++)
		composite[i] = 0;
	for (unsigned int i = 2; i < SIEVE; i++) {
		if (composite[i])
			continue;
		sum = sum * 31 + i;
		for (unsigned int j = i * 2; j < SIEVE; j += i)
			composite[j] = 1;
	}
	return sum;
}

static void make_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t value = i;

		for (int bit = 0; bit < 8; bit++)
			value = value >> 1 ^ (value & 1 ? 0xedb88320u : 0);
		crc_table[i] = value;
	}
}

static uint32_t checksum(uint32_t seed)
{
	uint32_t crc = ~seed;

	for (unsigned int i = 0; i < BYTES; i++) {
		bytes[i] = (uint8_t)(bytes[i] + i + crc);
		crc = crc >> 8 ^ crc_table[(crc ^ bytes[i]) & 0xff];
	}
	return ~crc;
}

static uint32_t sort(uint64_t seed)
{
	uint32_t sum = 0;

	for (unsigned int i = 0; i < NUMBERS; i++)
		numbers[i] = (uint32_t)(random_next(&seed) >> 32);
	for (unsigned int gap = NUMBERS / 2; gap > 0; gap /= 2) {
		for (unsigned int i = gap; i < NUMBERS; i++) {
			uint32_t moving = numbers[i];
			unsigned int j = i;

			for (; j >= gap && numbers[j - gap] > moving; j -= gap)
				numbers[j] = numbers[j - gap];
			numbers[j] = moving;
		}
	}
	for (unsigned int i = 0; i < NUMBERS; i++)
		sum = sum * 33 ^ numbers[i];
	return sum;
}

uint64_t bench(uint64_t rounds)
{
	uint64_t digest = DIGEST_START;

	for (uint64_t i = 0; i < rounds; i++) {
		digest = digest_add(digest, sieve((uint32_t)digest));
		digest = digest_add(digest, checksum((uint32_t)digest));
		digest = digest_add(digest, sort(digest | 1));
	}
	return digest;
}
EXPORT_SYMBOL(bench);

static int bench_start(void)
{
	make_table();
	return 0;
}

module_init(bench_start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

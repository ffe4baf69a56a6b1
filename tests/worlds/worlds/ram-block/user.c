/* Writes to a disk in another domain, and reads back what it wrote: 1 request at a time, then 16. */
#include "channel.h"
#include "disk.h"

#define DEPTH_MAX 16

static struct lcd_ring ring;
static uint8_t *memory;
static uint64_t under_way, seed = 1;

/* Request `n` has the page of its own number for its data. */
static uint8_t *data_of(uint64_t n)
{
	return memory + n % DEPTH_MAX * LCD_PAGE_SIZE;
}

static void fill(uint8_t *data, uint64_t sector, uint64_t round)
{
	for (uint64_t at = 0; at < SECTOR; at++)
		data[at] = (uint8_t)(sector * 31 + round * 7 + at);
}

static int complete(uint64_t n, lcd_status expected)
{
	struct lcd_ring_message message;

	TRY(lcd_ring_receive(&ring, &message, 0));
	CHECK(message.flags == n && (lcd_status)message.words[0] == expected);
	under_way--;
	return 0;
}

static int submit(uint64_t n, uint64_t operation, uint64_t sector, uint64_t count)
{
	struct lcd_ring_message message = {
		(uint32_t)n, REQUEST(operation, sector, count, n % DEPTH_MAX * LCD_PAGE_SIZE)
	};

	TRY(lcd_ring_send(&ring, &message, 0));
	under_way++;
	return 0;
}

static int write_all(uint64_t depth, uint64_t round)
{
	for (uint64_t sector = 0; sector < SECTORS; sector++) {
		if (under_way == depth)
			TRY(complete(sector - depth, LCD_OK));
		fill(data_of(sector), sector, round);
		TRY(submit(sector, WRITE, sector, 1));
	}
	while (under_way > 0)
		TRY(complete(SECTORS - under_way, LCD_OK));
	return 0;
}

/* Sectors in any order, of which each is looked at when its request is complete. */
static int read_any(uint64_t depth, uint64_t round)
{
	static uint64_t asked[SECTORS];
	uint8_t expected[SECTOR];

	for (uint64_t n = 0; n < SECTORS + depth; n++) {
		if (n >= depth) {
			TRY(complete(n - depth, LCD_OK));
			fill(expected, asked[n - depth], round);
			CHECK(memcmp(data_of(n - depth), expected, SECTOR) == 0);
		}
		if (n < SECTORS) {
			asked[n] = random_next(&seed) >> 30 & (SECTORS - 1);
			memset(data_of(n), 0, SECTOR);
			TRY(submit(n, READ, asked[n], 1));
		}
	}
	return 0;
}

/* Past the end, around the end of all numbers, and nothing that a disk does. */
static int refuse(void)
{
	static const uint64_t bad[][3] = {
		{ READ, SECTORS, 1 }, { WRITE, 0, SECTORS + 1 }, { READ, UINT64_MAX, 2 },
		{ WRITE, 1, UINT64_MAX }, { 2, 0, 1 },
	};

	for (uint64_t n = 0; n < ARRAY_SIZE(bad); n++) {
		TRY(submit(n, bad[n][0], bad[n][1], bad[n][2]));
		TRY(complete(n, LCD_INVALID));
	}
	return 0;
}

static int __init start(void)
{
	static const uint64_t depths[] = { 1, DEPTH_MAX };

	memory = memory_of(lcd_boot_slot("data"));
	TRY(open_channel(&ring, lcd_boot_slot("disk")));
	for (uint64_t round = 0; round < ARRAY_SIZE(depths); round++) {
		TRY(write_all(depths[round], round));
		TRY(read_any(depths[round], round));
		pr_info("depth %llu: all sectors hold what was written\n",
			(unsigned long long)depths[round]);
	}
	TRY(refuse());
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

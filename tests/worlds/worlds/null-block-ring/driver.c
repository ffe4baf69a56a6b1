/*
 * The null disk behind a ring: up to `depth` requests are under way at a time, each
 * with a tag and a page for its data, and their completions come in whatever order they come.
 */
#include "channel.h"

#define SECTOR 512
#define DEPTH_MAX 16
#define REQUESTS 256

#define MEMORY 8
#define CHANNEL 9
#define OTHER_END 10
/* Where the channel is in the data window, behind the data. */
#define CHANNEL_OFFSET (DEPTH_MAX * LCD_PAGE_SIZE)
/* Requests of the disk: see docs/services.md. */
enum { INFO, READ, WRITE, ATTACH = 9, DETACH = 10 };

struct request {
	bool is_under_way;
	uint64_t operation, sectors;
};

static struct lcd_ring ring;
static struct request requests[DEPTH_MAX];
static unsigned int under_way, most_under_way, completed;

static uint8_t *data_of(unsigned int tag)
{
	return lcd_data_window(tag * LCD_PAGE_SIZE);
}

/* Shares memory and one end of a channel with the disk. */
static int connect(void)
{
	struct lcd_utcb *utcb = lcd_utcb();

	TRY(lcd_page_allocate_many(MEMORY, RW | LCD_GRANT, DEPTH_MAX));
	TRY(lcd_page_map(MEMORY, LCD_DATA_WINDOW, RW));
	TRY(lcd_channel_create(CHANNEL, 0));
	TRY(lcd_page_map(CHANNEL, LCD_DATA_WINDOW + CHANNEL_OFFSET, RW));
	TRY(lcd_cap_copy(CHANNEL, OTHER_END, RW | LCD_GRANT, 1));
	utcb->capability[0] = OTHER_END;
	utcb->capability[1] = MEMORY;
	utcb->message[0] = ATTACH;
	utcb->message[1] = 0;
	TRY(lcd_sync_call(lcd_boot_slot("disk"), 0));
	CHECK(utcb->message[0] == 0);
	lcd_clear_capabilities();
	TRY(lcd_cap_delete(OTHER_END));
	TRY(open_channel(&ring, CHANNEL));
	return 0;
}

/* A request's tag is in its flags, above the bits that say what kind of message it is. */
#define TAG 4

/* Waits for a completion: what it says belongs to the request with its tag. */
static int complete_one(void)
{
	struct lcd_ring_message message;
	struct request *request;
	lcd_u32 tag;

	TRY(lcd_ring_receive(&ring, &message, 0));
	tag = message.flags / TAG;
	CHECK(tag < DEPTH_MAX);
	request = &requests[tag];
	CHECK(request->is_under_way);
	CHECK(message.words[0] == 0 && message.words[1] == request->sectors);
	if (request->operation == READ)
		for (uint64_t at = 0; at < LCD_PAGE_SIZE; at++)
			CHECK(data_of(tag)[at] ==
			      (at < request->sectors * SECTOR ? 0 : 0x55));
	request->is_under_way = false;
	under_way--;
	completed++;
	return 0;
}

static int submit(unsigned int depth, uint64_t operation, uint64_t sector, uint64_t sectors)
{
	struct lcd_ring_message message;
	unsigned int tag = 0;

	while (under_way == depth)
		TRY(complete_one());
	while (requests[tag].is_under_way)
		tag++;
	memset(data_of(tag), 0x55, LCD_PAGE_SIZE);
	requests[tag] = (struct request){ true, operation, sectors };
	message = (struct lcd_ring_message){
		tag * TAG, { operation, sector, sectors, tag * LCD_PAGE_SIZE }
	};
	TRY(lcd_ring_send(&ring, &message, 0));
	if (++under_way > most_under_way)
		most_under_way = under_way;
	return 0;
}

static int run(unsigned int depth)
{
	completed = most_under_way = 0;
	for (uint64_t i = 0; i < REQUESTS; i++)
		TRY(submit(depth, i % 4 == 0 ? READ : WRITE, i * 8, 1 + i % 8));
	while (under_way > 0)
		TRY(complete_one());
	pr_info("depth %u: %u requests\n", most_under_way, completed);
	CHECK(completed == REQUESTS && most_under_way == depth);
	return 0;
}

static int __init start(void)
{
	struct lcd_ring_message message = { .flags = 100, .words = { INFO } };

	TRY(connect());
	TRY(run(1));
	TRY(run(DEPTH_MAX));
	TRY(lcd_ring_send(&ring, &message, 0));
	TRY(lcd_ring_receive(&ring, &message, 0));
	pr_info("%llu reads, %llu writes, %llu sectors read\n",
		(unsigned long long)message.words[4], (unsigned long long)message.words[5],
		(unsigned long long)message.words[6]);
	message.words[0] = DETACH;
	TRY(lcd_ring_send(&ring, &message, 0));
	TRY(lcd_ring_receive(&ring, &message, 0));
	CHECK(message.flags == 100 && message.words[0] == 0);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/*
 * A block driver whose device is somebody else's: each request of its queue becomes a call of
 * the domain that has the disk. The data stays where it is, in memory that both can reach.
 */
#include "check.h"

#define SECTOR 512
#define MEMORY 8
#define MEMORY_PAGES 4
/* Requests of the disk: see docs/services.md. */
enum { INFO, READ, WRITE, FLUSH, BUFFER = 8 };

struct request {
	struct request *next;
	uint64_t operation, sector, sectors;
	/* Where the data is in the shared memory. */
	uint64_t offset;
	void (*complete)(struct request *request, lcd_status status);
};

static lcd_u64 disk;
static uint8_t *memory;
static struct request *queue, **queue_end = &queue;
static unsigned int completed, failed;

static void submit(struct request *request)
{
	request->next = NULL;
	*queue_end = request;
	queue_end = &request->next;
}

/* Asks for one thing. The status is the call's, or the disk's. */
static lcd_status ask(uint64_t operation, uint64_t a, uint64_t b, uint64_t c)
{
	struct lcd_utcb *utcb = lcd_utcb();
	lcd_status status;

	utcb->message[0] = operation;
	utcb->message[1] = a;
	utcb->message[2] = b;
	utcb->message[3] = c;
	status = lcd_sync_call(disk, 0);
	return status == LCD_OK ? (lcd_status)utcb->message[0] : status;
}

static void run_queue(void)
{
	struct request *request;

	while ((request = queue)) {
		lcd_status status;

		queue = request->next;
		if (!queue)
			queue_end = &queue;
		status = ask(request->operation, request->sector, request->sectors,
			     request->offset);
		request->complete(request, status);
	}
}

static void complete(struct request *request, lcd_status status)
{
	completed++;
	failed += status != LCD_OK;
	kfree(request);
}

static int make(uint64_t operation, uint64_t sector, uint64_t sectors, uint64_t offset)
{
	struct request *request = kmalloc(sizeof(*request), GFP_KERNEL);

	CHECK(request);
	*request = (struct request){ NULL, operation, sector, sectors, offset, complete };
	submit(request);
	return 0;
}

/* Maps memory and leaves a capability to it with the disk. */
static int connect(void)
{
	disk = lcd_boot_slot("disk");
	TRY(lcd_page_allocate_many(MEMORY, RW | LCD_GRANT, MEMORY_PAGES));
	TRY(lcd_page_map(MEMORY, LCD_DATA_WINDOW, RW));
	memory = lcd_data_window(0);
	lcd_utcb()->capability[0] = MEMORY;
	TRY(ask(BUFFER, 0, 0, 0));
	lcd_clear_capabilities();
	return 0;
}

/* The disk forgets what is written, and reads zeros, into exactly the sectors asked for. */
static int transfer(void)
{
	memset(memory, 0xaa, MEMORY_PAGES * LCD_PAGE_SIZE);
	for (uint64_t i = 0; i < 32; i++)
		TRY(make(WRITE, i * 64, 1 + i % 16, i % 16 * SECTOR));
	run_queue();
	for (uint64_t at = 0; at < MEMORY_PAGES * LCD_PAGE_SIZE; at++)
		CHECK(memory[at] == 0xaa);
	TRY(make(READ, 64, 3, SECTOR));
	TRY(make(READ, 1000, 1, 30 * SECTOR));
	run_queue();
	for (uint64_t at = 0; at < MEMORY_PAGES * LCD_PAGE_SIZE; at++) {
		bool is_read = (at / SECTOR >= 1 && at / SECTOR < 4) || at / SECTOR == 30;

		CHECK(memory[at] == (is_read ? 0 : 0xaa));
	}
	TRY(make(FLUSH, 0, 0, 0));
	run_queue();
	CHECK(completed == 35 && failed == 0);
	return 0;
}

/* Past the disk's end, past the memory's, too much, and nothing that it knows. */
static int refuse(void)
{
	TRY(make(READ, 1 << 21, 1, 0));
	TRY(make(READ, 0, 1, MEMORY_PAGES * LCD_PAGE_SIZE - 1));
	TRY(make(WRITE, 0, 257, 0));
	TRY(make(77, 0, 1, 0));
	run_queue();
	CHECK(completed == 39 && failed == 4);
	return 0;
}

static int __init start(void)
{
	struct lcd_utcb *utcb = lcd_utcb();
	uint64_t info[8];

	TRY(connect());
	TRY(transfer());
	TRY(refuse());
	TRY(ask(INFO, 0, 0, 0));
	memcpy(info, utcb->message, sizeof(info));
	pr_info("%llu sectors of %llu bytes\n", (unsigned long long)info[1],
		(unsigned long long)info[2]);
	pr_info("%llu writes of %llu sectors, %llu reads of %llu\n", (unsigned long long)info[5],
		(unsigned long long)info[7], (unsigned long long)info[4],
		(unsigned long long)info[6]);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

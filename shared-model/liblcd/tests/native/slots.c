/* Slots, names of the boot information, and the heap's blocks. */
#include "host.h"

#define ALL (LCD_SLOT_CAPACITY_0 + LCD_SLOT_CAPACITY_1 + LCD_SLOT_CAPACITY_2)

static uint64_t allocate(void)
{
	lcd_u64 slot = 0;
	lcd_status status = lcd_slot_alloc(&slot);

	return status == LCD_OK ? slot : (uint64_t)status;
}

static void name_slot(unsigned int entry, const char *name, uint64_t slot)
{
	uint8_t *page = boot_information();
	struct lcd_boot_entry *at = (struct lcd_boot_entry *)(page + LCD_BOOT_ENTRIES) + entry;

	*(uint64_t *)(page + LCD_BOOT_FORMAT) = LCD_BOOT_VERSION;
	*(uint64_t *)(page + LCD_BOOT_COUNT) = entry + 1;
	strncpy(at->name, name, sizeof(at->name));
	at->slot = slot;
}

static void boot_information_names_slots(void)
{
	CHECK(lcd_boot_slot("pages") == 0 && !lcd_boot_entry(0), "an empty page");
	name_slot(0, "pages", 4);
	name_slot(1, "console of the parent..", (1 << 20) + 1);
	name_slot(2, "", 9);
	CHECK(lcd_boot_slot("pages") == 4, "by name");
	CHECK(lcd_boot_slot("console of the parent..") == (1 << 20) + 1, "a name of 23 bytes");
	CHECK(lcd_boot_slot("console of the parent...") == 0, "too long a name");
	CHECK(lcd_boot_slot("page") == 0 && lcd_boot_slot("pagess") == 0, "beginnings");
	CHECK(lcd_boot_slot("") == 9, "the empty name");
	name_slot(2, "far", 3 << 20);
	/* A page that counts more than there is room for ends where the room ends. */
	*(uint64_t *)((uint8_t *)boot_information() + LCD_BOOT_COUNT) = ~0ull;
	CHECK(lcd_boot_slot("nobody") == 0, "a wild count");
	CHECK(lcd_boot_entry(LCD_BOOT_ENTRIES_MAX - 1) && !lcd_boot_entry(LCD_BOOT_ENTRIES_MAX),
	      "the last entry");
	*(uint64_t *)((uint8_t *)boot_information() + LCD_BOOT_COUNT) = 3;
}

static void lowest_first(void)
{
	uint64_t level_1 = 1 << 20, level_2 = 2 << 20;

	CHECK(lcd_slot_take(7) == LCD_OK && lcd_slot_take(7) == LCD_EXISTS, "take");
	CHECK(allocate() == 3, "the first");
	/* 4 is named. */
	CHECK(allocate() == 5 && allocate() == 6 && allocate() == 8, "what is taken is passed over");
	for (uint64_t slot = 9; slot < LCD_SLOT_CAPACITY_0; slot++)
		CHECK(allocate() == slot, "level 0: %lu", slot);
	CHECK(allocate() == level_1, "level 1 begins");
	for (uint64_t slot = 2; slot < LCD_SLOT_CAPACITY_1; slot++)
		CHECK(allocate() == level_1 + slot, "level 1: %lu", slot);
	CHECK(allocate() == level_2, "level 2 begins");

	CHECK(lcd_slot_free(11) == LCD_OK && lcd_slot_free(level_1 + 500) == LCD_OK &&
	      lcd_slot_free(level_1 + 40) == LCD_OK, "free");
	CHECK(lcd_slot_free(11) == LCD_NOT_FOUND, "free twice");
	CHECK(allocate() == 11 && allocate() == level_1 + 40 && allocate() == level_1 + 500 &&
	      allocate() == level_2 + 1, "refilled from below");

	for (uint64_t slot = 2; slot < LCD_SLOT_CAPACITY_2; slot++)
		CHECK(allocate() == level_2 + slot, "level 2: %lu", slot);
	CHECK(allocate() == (uint64_t)LCD_NO_MEMORY, "exhausted");
	CHECK(allocate() == (uint64_t)LCD_NO_MEMORY, "still");
	CHECK(lcd_slot_free(level_2 + LCD_SLOT_CAPACITY_2 - 1) == LCD_OK, "free the last");
	CHECK(allocate() == level_2 + LCD_SLOT_CAPACITY_2 - 1, "and have it again");

	for (uint64_t slot = 0; slot < LCD_SLOT_FIRST; slot++)
		CHECK(lcd_slot_free(slot) == LCD_INVALID, "reserved: %lu", slot);
	CHECK(lcd_slot_free(32) == LCD_INVALID && lcd_slot_take(level_1 + 1024) == LCD_INVALID &&
	      lcd_slot_take(3 << 20) == LCD_INVALID && lcd_slot_free(~0ull) == LCD_INVALID,
	      "not numbers, or not ours");
	CHECK(lcd_slot_free(4) == LCD_OK && allocate() == 4, "a named one can be given back");
}

static void free_all(void)
{
	for (uint64_t level = 0; level < 3; level++)
		for (uint64_t n = 0; n < LCD_SLOT_CAPACITY_2; n++)
			lcd_slot_free(lcd_slot_of_level(level, n));
}

#define THREADS 4
#define EACH 5000
static uint64_t found[THREADS][EACH];

/* So that they do not run one after the other. */
static pthread_barrier_t barrier;

static void *allocate_many(void *argument)
{
	uint64_t *mine = argument;

	enter_domain(1 + (unsigned int)((mine - found[0]) / EACH));
	for (int round = 0; round < 300; round++) {
		pthread_barrier_wait(&barrier);
		for (int i = 0; i < EACH; i++)
			mine[i] = allocate();
		for (int i = 0; round < 299 && i < EACH; i++)
			CHECK(lcd_slot_free(mine[i]) == LCD_OK, "%lu", mine[i]);
	}
	return NULL;
}

static void threads_share(void)
{
	static uint8_t seen[3 << 20];
	pthread_t threads[THREADS];

	free_all();
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, allocate_many, found[i]);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < THREADS; i++)
		for (int j = 0; j < EACH; j++)
			CHECK(found[i][j] < sizeof(seen) && seen[found[i][j]]++ == 0, "%lu twice",
			      found[i][j]);
}

static void blocks_of_the_heap(void)
{
	uint64_t before = calls_of(LCD_CALL_PAGE_ALLOCATE_MANY), pages = pages_obtained();
	uint8_t *a = __kmalloc(24 * 4096, GFP_KERNEL), *b;

	CHECK(a, "24 pages");
	memset(a, 1, 24 * 4096);
	/* The first allocation also obtains the description of the chunk. */
	CHECK(calls_of(LCD_CALL_PAGE_ALLOCATE_MANY) == before + 2 &&
	      pages_obtained() == pages + 25, "one block for 24 pages");
	kfree(a);
	b = __kmalloc(30 * 4096, GFP_KERNEL);
	CHECK(b == a && pages_obtained() == pages + 31, "six more pages fill the run");
	kfree(b);
	a = __kmalloc(4 << 20, GFP_KERNEL);
	CHECK(a, "the largest");
	memset(a, 2, 4 << 20);
	CHECK(!__kmalloc((4 << 20) + 1, GFP_KERNEL), "larger than the largest");
	CHECK(!__kmalloc(~0ull, GFP_KERNEL), "everything");
	b = vmalloc(6 << 20);
	CHECK(b, "vmalloc has no such limit");
	memset(b, 3, 6 << 20);
	kfree(a);
	kfree(b);
}

static void *churn(void *argument)
{
	uint64_t state = 77 + (uintptr_t)argument;
	struct {
		uint8_t *bytes;
		size_t size;
	} live[64] = { 0 };

	enter_domain(1 + (unsigned int)(uintptr_t)argument);
	pthread_barrier_wait(&barrier);
	for (int step = 0; step < 300000; step++) {
		unsigned int i = random_bits(&state) % 64;

		if (live[i].bytes) {
			for (size_t at = 0; at < live[i].size; at += 97)
				CHECK(live[i].bytes[at] == (uint8_t)(i + (uintptr_t)argument * 64),
				      "overwritten");
			kfree(live[i].bytes);
			live[i].bytes = NULL;
		} else {
			live[i].size = 1 + random_bits(&state) % (step % 16 ? 300 : 20000);
			live[i].bytes = __kmalloc(live[i].size, GFP_KERNEL);
			memset(live[i].bytes, (int)(i + (uintptr_t)argument * 64), live[i].size);
		}
	}
	return NULL;
}

static void threads_share_the_heap(void)
{
	pthread_t threads[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, churn, (void *)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

void tests(void)
{
	boot_information_names_slots();
	lowest_first();
	threads_share();
	blocks_of_the_heap();
	threads_share_the_heap();
}

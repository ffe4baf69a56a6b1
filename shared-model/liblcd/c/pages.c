/*
 * The heap's pages: the second half of the data window, filled with pages from the
 * microkernel as they are first needed.
 *
 * The half is cut into chunks. The first page of a chunk holds one byte for each page of
 * the chunk: what it is used for. So a domain that allocates little has one such page,
 * and an allocation finds its own size from its address.
 *
 * What is missing of a run is obtained in as few blocks as there are gaps. The capability
 * of a block that starts with page number `n` of the heap is in slot LCD_HEAP_SLOT + n. A
 * page that was obtained is kept, and used again after it is freed.
 */
#include "kernel.h"

#define CHUNK_PAGES LCD_PAGE_SIZE
#define CHUNK_SIZE ((uint64_t)CHUNK_PAGES * LCD_PAGE_SIZE)
#define CHUNKS ((LCD_DATA_WINDOW_SIZE - LCD_HEAP_OFFSET) / CHUNK_SIZE)

/* What a page is used for. From CLASS_FIRST on, the values are memory.c's. */
enum {
	/* Not obtained yet. Zero, because chunk descriptions come zeroed. */
	PAGE_ABSENT,
	PAGE_FREE,
	/* The first page of a run of whole pages, and the others. */
	PAGE_RUN,
	PAGE_REST,
};

/* How many chunks have their description. They are started in order. */
static unsigned int chunks;

static uint8_t *chunk_description(unsigned int chunk)
{
	return lcd_data_window(LCD_HEAP_OFFSET + chunk * CHUNK_SIZE);
}

/* Obtains `count` pages of the heap from page `n` on, as one block, and maps them. */
static bool obtain(uint64_t n, uint64_t count)
{
	if (lcd_page_allocate_many(LCD_HEAP_SLOT + n, LCD_READ | LCD_WRITE, count) != LCD_OK)
		return false;
	if (lcd_page_map(LCD_HEAP_SLOT + n, LCD_DATA_WINDOW + LCD_HEAP_OFFSET + n * LCD_PAGE_SIZE,
			 LCD_READ | LCD_WRITE) == LCD_OK)
		return true;
	lcd_cap_delete(LCD_HEAP_SLOT + n);
	return false;
}

/* The first place for `count` pages in a row, or 0, where the description itself is. */
static unsigned int find_run(const uint8_t *pages, size_t count)
{
	unsigned int start = 1;

	while (start + count <= CHUNK_PAGES) {
		size_t length = 0;

		while (length < count && pages[start + length] <= PAGE_FREE)
			length++;
		if (length == count)
			return start;
		start += (unsigned int)length + 1;
	}
	return 0;
}

static void *take_run(unsigned int chunk, unsigned int start, size_t count)
{
	uint8_t *pages = chunk_description(chunk);
	unsigned int end = start + (unsigned int)count;

	for (unsigned int i = start; i < end; i++) {
		unsigned int gap = 0;

		while (i + gap < end && pages[i + gap] == PAGE_ABSENT)
			gap++;
		if (gap > 0 && !obtain((uint64_t)chunk * CHUNK_PAGES + i, gap))
			return NULL;
		/* If a later gap cannot be filled, these wait for another caller. */
		memset(pages + i, PAGE_FREE, gap);
	}
	memset(pages + start, PAGE_REST, count);
	pages[start] = PAGE_RUN;
	return (uint8_t *)pages + (size_t)start * LCD_PAGE_SIZE;
}

/* Pages in a row, lowest address first; null if there is no room or no memory. */
void *pages_allocate(size_t count)
{
	if (count == 0 || count >= CHUNK_PAGES)
		return NULL;
	for (unsigned int chunk = 0; chunk < CHUNKS; chunk++) {
		unsigned int start;

		if (chunk == chunks) {
			if (!obtain((uint64_t)chunk * CHUNK_PAGES, 1))
				return NULL;
			chunks++;
		}
		start = find_run(chunk_description(chunk), count);
		if (start != 0)
			return take_run(chunk, start, count);
	}
	return NULL;
}

/* Whether an address lies in a part of the heap that has been used. */
bool is_heap(const void *p)
{
	uintptr_t heap = (uintptr_t)lcd_data_window(LCD_HEAP_OFFSET);

	return (uintptr_t)p - heap < chunks * CHUNK_SIZE;
}

/* The byte that says what the page around this heap address is used for. */
uint8_t *page_class(const void *in_page)
{
	uint64_t offset = (uintptr_t)in_page - (uintptr_t)lcd_data_window(LCD_HEAP_OFFSET);

	return chunk_description((unsigned int)(offset / CHUNK_SIZE)) +
	       offset % CHUNK_SIZE / LCD_PAGE_SIZE;
}

/* The length of the run that starts here, or 0 if none does. */
size_t pages_count(const void *first)
{
	const uint8_t *class = page_class(first);
	size_t count = 1;

	if (*class != PAGE_RUN || (uintptr_t)first % LCD_PAGE_SIZE != 0)
		return 0;
	/* A run ends before its chunk does. */
	while (((uintptr_t)(class + count) & (LCD_PAGE_SIZE - 1)) != 0 && class[count] == PAGE_REST)
		count++;
	return count;
}

void pages_free(void *first)
{
	memset(page_class(first), PAGE_FREE, pages_count(first));
}

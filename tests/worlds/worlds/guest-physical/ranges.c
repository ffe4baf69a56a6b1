/* 2 MiB blocks and pages in the data window. */
#include "module.h"

#define BLOCK 5
#define PAGE 6
#define SECOND 7
#define VIEW 8
#define ORDER 9
#define PAGES (1 << ORDER)
#define SIZE (PAGES * LCD_PAGE_SIZE)
#define RW (LCD_READ | LCD_WRITE)

/* Offsets in the window, where large pages could begin. */
#define HERE 0x400000
#define THERE 0xa01000

static lcd_status map(uint64_t slot, uint64_t offset)
{
	return lcd_page_map(slot, LCD_DATA_WINDOW + offset, RW);
}

static volatile uint64_t *page_at(uint64_t offset, int page)
{
	return lcd_data_window(offset + page * LCD_PAGE_SIZE);
}

/* Pages whose first word is their number plus this. */
static int counted(uint64_t offset, uint64_t plus)
{
	int count = 0;

	for (int page = 0; page < PAGES; page++)
		count += *page_at(offset, page) == page + plus;
	return count;
}

static int zeroed(uint64_t offset)
{
	int count = 0;

	for (int page = 0; page < PAGES; page++)
		count += *page_at(offset, page) == 0;
	return count;
}

static int __init start(void)
{
	long first, second, third;

	lcd_page_allocate(BLOCK, RW, ORDER);
	lcd_page_allocate_one(PAGE, RW);
	first = map(BLOCK, HERE);
	second = map(PAGE, HERE + 511 * LCD_PAGE_SIZE);
	third = map(PAGE, HERE + SIZE);
	pr_info("block %ld, page inside %ld, page after %ld\n", first, second, third);
	*page_at(HERE + SIZE, 0) = 5;
	for (int page = 0; page < PAGES; page++)
		*page_at(HERE, page) = page + 1000;
	lcd_page_allocate(SECOND, RW, ORDER);
	pr_info("block over page %ld\n", map(SECOND, HERE + SIZE));
	pr_info("unmap %ld\n", lcd_page_unmap(BLOCK));
	map(BLOCK, THERE);
	pr_info("apart: %d of %d pages\n", counted(THERE, 1000), PAGES);
	lcd_cap_copy(BLOCK, VIEW, RW, 0);
	pr_info("half over itself %ld\n", map(VIEW, THERE + SIZE / 2));
	lcd_page_unmap(PAGE);
	first = map(PAGE, HERE + 77 * LCD_PAGE_SIZE);
	pr_info("page where the block was %ld: %llu\n", first,
		(unsigned long long)*page_at(HERE, 77));
	lcd_page_unmap(PAGE);
	map(VIEW, HERE);
	for (int page = 0; page < PAGES; page++)
		*page_at(HERE, page) = page + 2000;
	pr_info("two views: %d of %d pages agree\n", counted(THERE, 2000), PAGES);
	first = lcd_cap_delete(BLOCK);
	pr_info("delete %ld, other view: %d of %d pages\n", first, counted(HERE, 2000), PAGES);
	first = map(SECOND, THERE);
	pr_info("block where it was %ld, fresh: %d of %d pages\n", first, zeroed(THERE), PAGES);
	first = map(PAGE, HERE + SIZE + 8);
	second = map(PAGE, LCD_DATA_WINDOW_SIZE);
	pr_info("not aligned %ld, outside %ld\n", first, second);
	return (int)page_at(HERE + SIZE, 1)[1];
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

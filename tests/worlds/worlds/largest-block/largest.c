/* The largest blocks that there are, every page of them touched; one more is refused. */
#include "check.h"

#define ORDER_MAX 10
#define PAGES_MAX 4096
#define BLOCK 5

/* Puts its number into each page of the block, and finds it there afterwards. */
static int touch(uint64_t pages)
{
	volatile uint64_t *words = lcd_data_window(0);

	TRY(lcd_page_map(BLOCK, LCD_DATA_WINDOW, RW));
	for (uint64_t page = 0; page < pages; page++) {
		CHECK(words[page * 512] == 0 && words[page * 512 + 511] == 0);
		words[page * 512] = page + 1;
		words[page * 512 + 511] = ~page;
	}
	for (uint64_t page = 0; page < pages; page++)
		CHECK(words[page * 512] == page + 1 && words[page * 512 + 511] == ~page);
	TRY(lcd_cap_delete(BLOCK));
	pr_info("%llu pages touched\n", (unsigned long long)pages);
	return 0;
}

static int __init start(void)
{
	TRY(lcd_page_allocate(BLOCK, RW, ORDER_MAX));
	TRY(touch(1 << ORDER_MAX));
	TRY(lcd_page_allocate_many(BLOCK, RW, PAGES_MAX));
	TRY(touch(PAGES_MAX));
	pr_info("order %d: %ld, %d pages: %ld\n", ORDER_MAX + 1,
		(long)lcd_page_allocate(BLOCK, RW, ORDER_MAX + 1), PAGES_MAX + 1,
		(long)lcd_page_allocate_many(BLOCK, RW, PAGES_MAX + 1));
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

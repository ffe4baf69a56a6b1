/* Capabilities to memory by hand: allocated three ways, looked at, mapped, found, given back. */
#include "check.h"

#define PAGE 5
#define NODE 6
#define MANY 7
#define MANY_PAGES 5

/* A block's capability says what it is. */
static int inspect(lcd_u64 slot, lcd_u64 rights, lcd_u64 pages, lcd_u64 address)
{
	struct lcd_capability found;

	TRY(lcd_cap_inspect(slot, &found));
	CHECK(found.kind == LCD_KIND_PAGE && found.rights == rights && found.badge == 0);
	CHECK(found.size == pages && found.address == address);
	return 0;
}

/* Maps a block behind the others, fills it, and finds its capability by every page's address. */
static int use(lcd_u64 slot, lcd_u64 pages, lcd_u64 *offset)
{
	lcd_u64 address = LCD_DATA_WINDOW + *offset;
	volatile uint64_t *words = lcd_data_window(*offset);

	TRY(lcd_page_map(slot, address, RW));
	TRY(inspect(slot, RW, pages, address));
	CHECK(lcd_page_map(slot, address + 0x100000, RW) == LCD_EXISTS);
	for (lcd_u64 i = 0; i < pages * LCD_PAGE_SIZE / 8; i++) {
		CHECK(words[i] == 0);
		words[i] = slot << 32 | i;
	}
	for (lcd_u64 page = 0; page < pages; page++) {
		lcd_u64 of, at;

		TRY(lcd_cap_lookup(address + page * LCD_PAGE_SIZE + 24, &of, &at));
		CHECK(of == slot && at == page * LCD_PAGE_SIZE + 24);
		CHECK(words[page * 512 + 511] == (slot << 32 | (page * 512 + 511)));
	}
	*offset += pages * LCD_PAGE_SIZE;
	return 0;
}

static int __init start(void)
{
	static const lcd_u64 slots[] = { PAGE, NODE, MANY };
	struct lcd_memory before, during, after;
	lcd_u64 offset = 0, slot, at;

	TRY(lcd_memory_statistics(1, &before));
	TRY(lcd_page_allocate(PAGE, RW, 0));
	TRY(lcd_page_allocate_node(NODE, RW, 1, 1));
	TRY(lcd_page_allocate_many(MANY, RW, MANY_PAGES));
	TRY(inspect(MANY, RW, MANY_PAGES, 0));
	TRY(use(PAGE, 1, &offset));
	TRY(use(NODE, 2, &offset));
	TRY(use(MANY, MANY_PAGES, &offset));
	TRY(lcd_memory_statistics(1, &during));
	pr_info("%llu pages more, %llu of them from node 1, %llu mapped\n",
		(unsigned long long)(during.charged - before.charged),
		(unsigned long long)(during.in_use_on_node - before.in_use_on_node),
		(unsigned long long)(during.mapped - before.mapped));

	TRY(lcd_page_unmap(PAGE));
	TRY(lcd_page_unmap(PAGE));
	CHECK(lcd_cap_lookup(LCD_DATA_WINDOW, &slot, &at) == LCD_NOT_FOUND);
	for (unsigned int i = 0; i < ARRAY_SIZE(slots); i++)
		TRY(lcd_cap_delete(slots[i]));
	TRY(lcd_memory_statistics(1, &after));
	CHECK(after.charged == before.charged && after.mapped == before.mapped);
	CHECK(after.in_use_on_node == before.in_use_on_node);
	/* Refused, and without an effect. */
	CHECK(lcd_page_allocate_node(PAGE, RW, 0, 2) == LCD_INVALID);
	CHECK(lcd_page_allocate_many(PAGE, RW, 0) == LCD_INVALID);
	CHECK(lcd_page_map(PAGE, LCD_DATA_WINDOW, RW) == LCD_NOT_FOUND);
	pr_info("all of them came back\n");
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

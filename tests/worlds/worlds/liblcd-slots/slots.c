/* Numbers of slots: never null, lowest first, and what their bits mean. */
#include "check.h"

#include <lcd/slots.h>

#define COUNT 10

/* What a number says about where its slot is. */
static lcd_u64 level(lcd_u64 slot)
{
	return slot >> LCD_SLOT_LEVEL_SHIFT;
}

static lcd_u64 path(lcd_u64 slot)
{
	return slot >> LCD_SLOT_BITS & ((1 << LCD_SLOT_PATH_BITS) - 1);
}

static lcd_u64 index(lcd_u64 slot)
{
	return slot & ((1 << LCD_SLOT_BITS) - 1);
}

static int lowest_first(void)
{
	lcd_u64 slots[COUNT], again;

	for (lcd_u64 i = 0; i < COUNT; i++) {
		TRY(lcd_slot_alloc(&slots[i]));
		CHECK(slots[i] != LCD_SLOT_NULL && slots[i] == LCD_SLOT_FIRST + i);
		CHECK(level(slots[i]) == 0 && path(slots[i]) == 0 && index(slots[i]) == slots[i]);
	}
	pr_info("%d slots, from %llu to %llu\n", COUNT, (unsigned long long)slots[0],
		(unsigned long long)slots[COUNT - 1]);
	/* What is freed comes next. */
	TRY(lcd_slot_free(slots[4]));
	CHECK(lcd_slot_free(slots[4]) == LCD_NOT_FOUND);
	TRY(lcd_slot_alloc(&again));
	CHECK(again == slots[4]);
	CHECK(lcd_slot_take(again) == LCD_EXISTS);
	for (int i = 0; i < COUNT; i++)
		TRY(lcd_slot_free(slots[i]));
	return 0;
}

/* All of level 0 and level 1, in order; each table of level 1 has its own path. */
static int level_after_level(void)
{
	lcd_u64 slot;

	for (lcd_u64 i = LCD_SLOT_FIRST; i < LCD_SLOT_CAPACITY_0; i++) {
		TRY(lcd_slot_alloc(&slot));
		CHECK(slot == lcd_slot_of_level(0, i));
	}
	for (lcd_u64 i = 0; i < LCD_SLOT_CAPACITY_1; i++) {
		TRY(lcd_slot_alloc(&slot));
		CHECK(slot == lcd_slot_of_level(1, i) && level(slot) == 1);
		CHECK(path(slot) == i / 32 && index(slot) == i % 32);
	}
	pr_info("level 1 ends with %#llx\n", (unsigned long long)slot);
	/* A slot of level 0 that is freed comes before level 2. */
	TRY(lcd_slot_free(20));
	TRY(lcd_slot_alloc(&slot));
	CHECK(slot == 20);
	TRY(lcd_slot_alloc(&slot));
	CHECK(slot == lcd_slot_of_level(2, 0));
	return 0;
}

/* A number that the microkernel knows, and one that means no place. */
static int deep(void)
{
	lcd_u64 last = lcd_slot_of_level(2, LCD_SLOT_CAPACITY_2 - 1);
	struct lcd_capability found;

	TRY(lcd_page_allocate_one(last, LCD_READ));
	TRY(lcd_cap_inspect(last, &found));
	CHECK(found.kind == LCD_KIND_PAGE && found.rights == LCD_READ);
	TRY(lcd_cap_delete(last));
	CHECK(lcd_page_allocate_one(lcd_slot_of_level(1, LCD_SLOT_CAPACITY_1), LCD_READ) ==
	      LCD_INVALID);
	pr_info("%#llx is a place, one past level 1 is none\n", (unsigned long long)last);
	return 0;
}

static int __init start(void)
{
	TRY(lowest_first());
	TRY(level_after_level());
	TRY(deep());
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

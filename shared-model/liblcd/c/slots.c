/* Free and taken capability slots: see lcd/slots.h. */
#include "kernel.h"

#include "lcd/slots.h"

#define ROOM_0 LCD_SLOT_CAPACITY_0
#define ROOM_1 LCD_SLOT_CAPACITY_1
#define ROOM_2 LCD_SLOT_CAPACITY_2
#define WORDS(slots) (((slots) + 63) / 64)

static uint64_t taken_0[WORDS(ROOM_0)], taken_1[WORDS(ROOM_1)], taken_2[WORDS(ROOM_2)];

static struct level {
	uint64_t *taken;
	unsigned int slots;
	/* No slot of an earlier word is free. */
	unsigned int from;
} levels[] = {
	{ taken_0, ROOM_0, 0 },
	{ taken_1, ROOM_1, 0 },
	{ taken_2, ROOM_2, 0 },
};
#define LEVELS (sizeof(levels) / sizeof(levels[0]))

static struct lock lock;
static bool prepared;

/* The level of a slot and its number there, or null if it is none that is kept here. */
static struct level *find(uint64_t slot, unsigned int *number)
{
	uint64_t level = slot >> LCD_SLOT_LEVEL_SHIFT;

	*number = (unsigned int)(slot & ((1u << LCD_SLOT_LEVEL_SHIFT) - 1));
	if (level >= LEVELS || *number >= levels[level].slots)
		return NULL;
	return &levels[level];
}

static bool is_taken(const struct level *level, unsigned int number)
{
	return level->taken[number / 64] >> number % 64 & 1;
}

static void take(struct level *level, unsigned int number)
{
	level->taken[number / 64] |= 1ull << number % 64;
}

/* Takes what was never free. */
static void prepare(void)
{
	const struct lcd_boot_entry *entry;

	prepared = true;
	for (unsigned int i = 0; i < LCD_SLOT_FIRST; i++)
		take(&levels[0], i);
	for (unsigned int i = 0; (entry = lcd_boot_entry(i)); i++) {
		unsigned int number;
		struct level *level = find(entry->slot, &number);

		if (level)
			take(level, number);
	}
}

static void enter(void)
{
	lock_take(&lock);
	if (!prepared)
		prepare();
}

lcd_status lcd_slot_alloc(lcd_u64 *slot)
{
	lcd_status status = LCD_NO_MEMORY;

	enter();
	for (unsigned int l = 0; l < LEVELS && status != LCD_OK; l++) {
		struct level *level = &levels[l];
		unsigned int words = WORDS(level->slots);

		while (level->from < words && level->taken[level->from] == ~0ull)
			level->from++;
		if (level->from < words) {
			unsigned int number = level->from * 64 +
				(unsigned int)__builtin_ctzll(~level->taken[level->from]);

			/* A last word can have fewer than 64 slots. */
			if (number < level->slots) {
				take(level, number);
				*slot = lcd_slot_of_level(l, number);
				status = LCD_OK;
			}
		}
	}
	lock_release(&lock);
	return status;
}

lcd_status lcd_slot_take(lcd_u64 slot)
{
	unsigned int number;
	struct level *level = find(slot, &number);
	lcd_status status = LCD_EXISTS;

	if (!level)
		return LCD_INVALID;
	enter();
	if (!is_taken(level, number)) {
		take(level, number);
		status = LCD_OK;
	}
	lock_release(&lock);
	return status;
}

lcd_status lcd_slot_free(lcd_u64 slot)
{
	unsigned int number;
	struct level *level = find(slot, &number);
	lcd_status status = LCD_NOT_FOUND;

	if (!level || slot < LCD_SLOT_FIRST)
		return LCD_INVALID;
	enter();
	if (is_taken(level, number)) {
		level->taken[number / 64] &= ~(1ull << number % 64);
		if (level->from > number / 64)
			level->from = number / 64;
		status = LCD_OK;
	}
	lock_release(&lock);
	return status;
}

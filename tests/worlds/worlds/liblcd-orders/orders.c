/* Fifteen blocks of mixed orders at once, each filled with a pattern of its own. */
#include "check.h"

#include <lcd/slots.h>

static const lcd_u64 orders[15] = { 0, 3, 1, 9, 2, 5, 0, 4, 7, 6, 8, 1, 3, 2, 0 };

static lcd_u64 slots[ARRAY_SIZE(orders)];
static volatile uint64_t *blocks[ARRAY_SIZE(orders)];

static uint64_t words(unsigned int i)
{
	return (LCD_PAGE_SIZE << orders[i]) / sizeof(uint64_t);
}

static uint64_t pattern(unsigned int i, uint64_t word)
{
	return (i + 1) * 0x0101010101010101u ^ word;
}

static int allocate(unsigned int i, lcd_u64 *offset)
{
	TRY(lcd_slot_alloc(&slots[i]));
	TRY(lcd_page_allocate(slots[i], RW, orders[i]));
	TRY(lcd_page_map(slots[i], LCD_DATA_WINDOW + *offset, RW));
	blocks[i] = lcd_data_window(*offset);
	*offset += LCD_PAGE_SIZE << orders[i];
	for (uint64_t word = 0; word < words(i); word++)
		blocks[i][word] = pattern(i, word);
	return 0;
}

static int check(unsigned int i)
{
	for (uint64_t word = 0; word < words(i); word++)
		CHECK(blocks[i][word] == pattern(i, word));
	return 0;
}

static int __init start(void)
{
	lcd_u64 offset = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(orders); i++)
		TRY(allocate(i, &offset));
	/* Freed in another order, what is left each time is whole. */
	for (unsigned int i = 0; i < ARRAY_SIZE(orders); i++) {
		unsigned int at = i * 4 % ARRAY_SIZE(orders);

		TRY(check(at));
		TRY(lcd_cap_delete(slots[at]));
		TRY(lcd_slot_free(slots[at]));
	}
	pr_info("%zu blocks with %llu pages in all\n", ARRAY_SIZE(orders),
		(unsigned long long)(offset / LCD_PAGE_SIZE));
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

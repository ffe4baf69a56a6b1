/*
 * A function at one address that changes a hundred times, by turns the same page moved
 * between the windows and another page put in its place.
 */
#include "module.h"

#define RW (LCD_READ | LCD_WRITE)
#define RX (LCD_READ | LCD_EXECUTE)

static void write_constant(unsigned int slot, uint32_t value)
{
	uint8_t code[] = { 0xb8, 0, 0, 0, 0, 0xc3 }; /* mov $value, %eax; ret */

	memcpy(code + 1, &value, 4);
	lcd_page_unmap(slot);
	lcd_page_map(slot, LCD_DATA_WINDOW, RW);
	memcpy(lcd_data_window(0), code, sizeof(code));
	lcd_page_unmap(slot);
}

static int __init start(void)
{
	uint32_t (*function)(void) = lcd_code_window(0);
	unsigned int wrong = 0;

	lcd_page_allocate_one(5, RW | RX);
	lcd_page_allocate_one(6, RW | RX);
	for (uint32_t i = 0; i < 100; i++) {
		unsigned int slot = i % 3 ? 5 : 6;

		write_constant(slot, i * i);
		lcd_page_unmap(11 - slot);
		lcd_page_map(slot, LCD_CODE_WINDOW, RX);
		for (int call = 0; call < 5; call++)
			wrong += function() != i * i;
	}
	pr_info("%u of 500 calls were wrong\n", wrong);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

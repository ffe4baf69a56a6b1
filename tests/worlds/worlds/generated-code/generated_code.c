/*
 * Makes a function at run time. No mapping is both writable and executable: the page is
 * first in one window, then in the other.
 */
#include "module.h"

#define SLOT 5
#define RW (LCD_READ | LCD_WRITE)
#define RX (LCD_READ | LCD_EXECUTE)

static int __init start(void)
{
	/* lea (%rdi,%rsi), %eax; ret */
	static const uint8_t code[] = { 0x8d, 0x04, 0x37, 0xc3 };
	int (*add)(int, int) = lcd_code_window(0x2000);

	pr_info("allocate %ld\n", lcd_page_allocate_one(SLOT, RW | RX));
	pr_info("writable and executable %ld\n", lcd_page_map(SLOT, LCD_DATA_WINDOW, RW | RX));
	pr_info("writable %ld\n", lcd_page_map(SLOT, LCD_DATA_WINDOW, RW));
	memcpy(lcd_data_window(0), code, sizeof(code));
	pr_info("unmap %ld\n", lcd_page_unmap(SLOT));
	pr_info("executable %ld\n", lcd_page_map(SLOT, LCD_CODE_WINDOW + 0x2000, RX));
	return add(40, 2);
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

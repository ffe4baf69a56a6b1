/* A return instruction in the data window can be read, and not executed. */
#include "module.h"

#define SLOT 5
#define RW (LCD_READ | LCD_WRITE)
#define RX (LCD_READ | LCD_EXECUTE)

static int __init start(void)
{
	uint8_t *page = lcd_data_window(0);

	lcd_page_allocate_one(SLOT, RW | RX);
	lcd_page_map(SLOT, LCD_DATA_WINDOW, RW);
	page[0] = 0xc3;
	lcd_page_unmap(SLOT);
	pr_info("read and execute here %ld\n", lcd_page_map(SLOT, LCD_DATA_WINDOW, RX));
	pr_info("read %ld\n", lcd_page_map(SLOT, LCD_DATA_WINDOW, LCD_READ));
	pr_info("the code is there: %x\n", page[0]);
	((void (*)(void))page)();
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

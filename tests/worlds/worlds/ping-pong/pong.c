/* Returns: makes the counter even, and waits until it is odd again. */
#include "module.h"

#define PAGE 7
#define RW (LCD_READ | LCD_WRITE)

static int __init start(void)
{
	volatile uint64_t *counter = lcd_data_window(0);
	int returns = 0;

	lcd_page_map(PAGE, LCD_DATA_WINDOW, RW);
	while (*counter < 200) {
		while (*counter % 2 == 0)
			lcd_yield();
		++*counter;
		returns++;
	}
	pr_info("returned %d times\n", returns);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

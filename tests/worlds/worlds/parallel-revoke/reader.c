/* Reads a page for as long as it can: with exits in between, or without. */
#include "module.h"

#define READING 9
#define PAGE 12

static const volatile uint64_t *begin(void)
{
	lcd_page_map(PAGE, LCD_DATA_WINDOW, LCD_READ);
	lcd_notification_signal(READING);
	return lcd_data_window(0);
}

long leave(void)
{
	const volatile uint64_t *page = begin();

	for (;;) {
		for (int i = 0; i < 1000; i++)
			(void)page[0];
		lcd_yield();
	}
}

long loop(void)
{
	const volatile uint64_t *page = begin();

	for (;;)
		(void)page[0];
}

MODULE_LICENSE("Dual MIT/Apache-2.0");

/*
 * An executable at the start of memory.
 *
 * build: executable 0x10000
 */
#include <lcd.h>

static const char text[] = "down here\n";

unsigned long _start(void);

unsigned long _start(void)
{
	lcd_console_write(text, sizeof(text) - 1);
	return (unsigned long)text < 0x20000;
}

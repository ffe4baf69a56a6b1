/*
 * An executable near the top of the lower half.
 *
 * build: executable 0x700000000000
 */
#include <lcd.h>

static const char text[] = "far above\n";
static const char *volatile pointer = text;

unsigned long _start(void);

unsigned long _start(void)
{
	lcd_console_write(pointer, sizeof(text) - 1);
	/* The upper half of its own address. */
	return (unsigned long)pointer >> 16;
}

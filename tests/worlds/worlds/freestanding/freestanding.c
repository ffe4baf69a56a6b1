/*
 * Not a module: an executable that knows only lcd.h, linked at the usual address.
 *
 * build: executable 0x400000
 */
#include <lcd.h>

static const char greeting[] = "no kernel, no library\n";
static unsigned long counter = 41;
static unsigned long zeroed[512];

unsigned long _start(void);

unsigned long _start(void)
{
	unsigned long sum = 0;

	lcd_console_write(greeting, sizeof(greeting) - 1);
	for (int i = 0; i < 512; i++)
		sum += zeroed[i];
	zeroed[511] = sum + ++counter;
	lcd_exit(zeroed[511]);
}

/* One function never returns, the other leaves its domain 300 times. */
#include "module.h"

long spin(void)
{
	for (;;)
		__builtin_ia32_pause();
}

long work(void)
{
	long times = 0;

	while (times < 300 && lcd_yield() == LCD_OK)
		times++;
	return times;
}

MODULE_LICENSE("Dual MIT/Apache-2.0");

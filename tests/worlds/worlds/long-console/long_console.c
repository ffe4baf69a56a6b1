/* Text in one call that needs several hypercalls, by printk and by lcd.h. */
#include "module.h"

static char text[5001];

static int __init start(void)
{
	for (int i = 0; i < 5000; i++)
		text[i] = (char)('a' + i % 26);
	pr_info("%s%s\n", text, text);
	lcd_console_write(text, 5000);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

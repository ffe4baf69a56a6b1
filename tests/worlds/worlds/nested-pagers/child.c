/* Reads three pages, one of them twice. */
#include "module.h"

static int __init start(void)
{
	volatile uint64_t *first = lcd_data_window(0x10000), *second = lcd_data_window(0x11000);
	volatile uint64_t *third = lcd_data_window(0x12000);

	pr_info("first: %llu\n", (unsigned long long)first[0]);
	pr_info("second: %llu\n", (unsigned long long)second[0]);
	pr_info("first again: %llu\n", (unsigned long long)first[0]);
	return (int)third[0];
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

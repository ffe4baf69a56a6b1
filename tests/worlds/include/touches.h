/* Every access that faults until somebody makes it good. */
#ifndef TOUCHES_H
#define TOUCHES_H

#include "faults.h"

/* Makes them, and says what came of each. The last is not made good. */
static inline int touch(void)
{
	volatile uint64_t *page = lcd_data_window(0x5000), *other = lcd_data_window(0x9000);
	volatile uint64_t *across = lcd_data_window(0x5ffc);
	int (*function)(void) = lcd_code_window(0x2000);

	pr_info("read: %llx\n", (unsigned long long)page[3]);
	other[0] = 99;
	pr_info("written: %llu beside %llx\n", (unsigned long long)other[0],
		(unsigned long long)other[1]);
	pr_info("called: %d\n", function());
	pr_info("across two pages: %llx\n", (unsigned long long)*across);
	__asm__ volatile("ud2");
	pr_info("after what is no instruction\n");
	return (int)*(volatile uint64_t *)opaque((uintptr_t)8);
}

#endif /* TOUCHES_H */

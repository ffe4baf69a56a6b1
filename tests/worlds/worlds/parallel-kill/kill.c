/* One thread counts for ever; another stops it, between any two of its instructions. */
#include "module.h"

static volatile uint64_t counter;

static void work(void)
{
	for (;;)
		counter++;
}

static void until_it_works(void)
{
	uint64_t before = counter;

	while (counter == before)
		__builtin_ia32_pause();
}

static bool stands_still(void)
{
	uint64_t before = counter;

	for (int i = 0; i < 100000; i++)
		__builtin_ia32_pause();
	return counter == before;
}

static int __init start(void)
{
	lcd_u64 thread;

	if (lcd_thread_create(0, (lcd_u64)work, 0, 0, &thread) != LCD_OK)
		return -1;
	if (!stands_still() || lcd_thread_resume(0, thread) != LCD_OK)
		return -2;
	until_it_works();
	pr_info("it works\n");
	if (lcd_thread_suspend(0, thread) != LCD_OK || !stands_still())
		return -3;
	pr_info("suspended, it stands still\n");
	if (lcd_thread_resume(0, thread) != LCD_OK)
		return -4;
	until_it_works();
	pr_info("resumed, it works\n");
	if (lcd_thread_kill(0, thread) != LCD_OK || !stands_still())
		return -5;
	pr_info("killed, it stands still\n");
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

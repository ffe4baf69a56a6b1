/*
 * Calls the middle domain, which calls the last. The first word says how many ticks each
 * of the two sleeps first.
 */
#include "module.h"

#define FRONT 5
#define MIDDLE 7
#define LAST 8

static long call(uint64_t middle_sleeps, uint64_t last_sleeps, uint64_t limit)
{
	lcd_utcb()->message[0] = middle_sleeps;
	lcd_utcb()->message[1] = last_sleeps;
	return lcd_sync_call(FRONT, limit);
}

static long answer(void)
{
	return (long)*(volatile lcd_u64 *)&lcd_utcb()->message[0];
}

static uint64_t watching(uint64_t domain)
{
	lcd_sleep(50);
	return lcd_thread_kill(domain, 0);
}

/* Another thread ends the domain's in a while. */
static void watch(uint64_t domain)
{
	lcd_u64 thread = 0;

	lcd_thread_create(0, (uintptr_t)watching, 0, domain, &thread);
	lcd_thread_resume(0, thread);
}

static int __init start(void)
{
	long status = call(0, 0, 1000), says = answer();

	pr_info("in time: %ld, says %ld\n", status, says);
	status = call(0, 500, 1000);
	says = answer();
	pr_info("the last too late: %ld, says %ld\n", status, says);
	status = call(500, 0, 100);
	pr_info("the middle too late: %ld\n", status);
	/* It is still on its way to an answer that nobody waits for. */
	lcd_sleep(1000);
	status = call(0, 0, 1000);
	says = answer();
	pr_info("in time again: %ld, says %ld\n", status, says);
	watch(LAST);
	status = call(0, 99, 0);
	says = answer();
	pr_info("the last was ended: %ld, says %ld\n", status, says);
	watch(MIDDLE);
	status = call(1000, 0, 0);
	pr_info("the middle was ended: %ld\n", status);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

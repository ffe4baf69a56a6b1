/* Ends three threads in the middle of what they do, and begins three others. */
#include "module.h"

#define ENDPOINT 5

static volatile uint64_t turns;
static volatile uint64_t found[4];

__attribute__((noreturn)) static uint64_t running(uint64_t unused)
{
	(void)unused;
	for (;;) {
		turns++;
		lcd_yield();
	}
}

static uint64_t receiving(uint64_t unused)
{
	/* On its own stack and in its own message buffer, for the next to find. */
	volatile uint64_t word[64];

	(void)unused;
	for (int i = 0; i < 64; i++)
		word[i] = 0x5ec4e7;
	lcd_utcb()->buffer[100] = 77;
	return lcd_sync_receive(ENDPOINT, 0) + word[7];
}

static uint64_t sleeping(uint64_t ticks)
{
	return lcd_sleep(ticks);
}

/* What is left of whoever was here before. */
static uint64_t looking(uint64_t number)
{
	uint64_t sum = lcd_utcb()->buffer[100];
	volatile uint64_t *below = (uint64_t *)__builtin_frame_address(0) - 100;

	for (int i = 0; i < 64; i++)
		sum += below[i] != 0;
	found[number] = sum;
	return 0;
}

static uint64_t create(uint64_t (*function)(uint64_t), uint64_t argument)
{
	lcd_u64 thread = 0;

	lcd_thread_create(0, (uintptr_t)function, 0, argument, &thread);
	return thread;
}

static void begin(const uint64_t threads[3])
{
	pr_info("threads %d %d %d\n", (int)threads[0], (int)threads[1], (int)threads[2]);
	for (int i = 0; i < 3; i++)
		lcd_thread_resume(0, threads[i]);
}

static int __init start(void)
{
	uint64_t threads[3], before;
	long status[3];
	struct lcd_domain self = { 0 };

	lcd_endpoint_create(ENDPOINT);
	threads[0] = create(running, 0);
	threads[1] = create(receiving, 0);
	threads[2] = create(sleeping, 1000000);
	begin(threads);
	while (turns < 5)
		lcd_yield();
	pr_info("it has had turns\n");
	for (int again = 0; again < 2; again++) {
		for (int i = 0; i < 3; i++)
			status[i] = lcd_thread_kill(0, threads[i]);
		pr_info("kill%s %ld %ld %ld\n", again ? " again" : "", status[0], status[1],
			status[2]);
	}
	before = turns;
	for (int i = 0; i < 5; i++)
		lcd_yield();
	pr_info("turns since: %d\n", (int)(turns - before));
	pr_info("nobody receives %ld\n", (long)lcd_sync_poll_send(ENDPOINT));
	lcd_domain_inspect(0, &self);
	pr_info("threads now %d\n", (int)self.threads);
	for (int i = 0; i < 3; i++)
		threads[i] = create(looking, i);
	begin(threads);
	do {
		lcd_yield();
		lcd_domain_inspect(0, &self);
	} while (self.threads > 1);
	pr_info("fresh: %d %d %d\n", (int)found[0], (int)found[1], (int)found[2]);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

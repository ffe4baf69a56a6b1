/* See host.h. */
#include "host.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ARCH_SET_GS 0x1001

int failures;
bool (*hook)(uint32_t number, struct lcd_utcb *utcb);

static uint8_t *window;
static uint8_t boot_page[LCD_PAGE_SIZE] __attribute__((aligned(4096)));
static uint64_t counts[128], obtained;
/* Sizes of the heap's blocks, by the number of the first page. */
static uint32_t blocks[(LCD_DATA_WINDOW_SIZE - LCD_HEAP_OFFSET) / LCD_PAGE_SIZE];

static struct bell {
	uint32_t bits;
	bool dead;
} bells[CHANNELS_END - CHANNELS];

void set_dead(uint64_t slot, bool dead)
{
	__atomic_store_n(&bells[slot - CHANNELS].dead, dead, __ATOMIC_SEQ_CST);
	/* Has the other end look. */
	syscall(SYS_futex, &bells[(slot ^ 1) - CHANNELS].bits, FUTEX_WAKE, 1000, NULL, NULL, 0);
}

void silence(uint64_t slot)
{
	bells[slot - CHANNELS].bits = 0;
}

uint64_t calls_of(uint32_t number)
{
	return __atomic_load_n(&counts[number], __ATOMIC_RELAXED);
}

uint64_t pages_obtained(void)
{
	return obtained;
}

void *boot_information(void)
{
	return boot_page;
}

static uint64_t ticks(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool is_channel(uint64_t slot)
{
	return slot >= CHANNELS && slot < CHANNELS_END;
}

static int64_t take_bits(uint64_t slot, uint64_t *result)
{
	struct bell *bell = &bells[slot - CHANNELS];
	bool dead = __atomic_load_n(&bells[(slot ^ 1) - CHANNELS].dead, __ATOMIC_SEQ_CST);
	uint32_t bits = __atomic_exchange_n(&bell->bits, 0, __ATOMIC_SEQ_CST);

	*result = bits;
	return bits ? LCD_OK : dead ? LCD_PEER_DIED : LCD_WOULD_BLOCK;
}

static int64_t wait_for_bits(uint64_t slot, uint64_t timeout, uint64_t *result)
{
	uint64_t end = ticks() + timeout;

	for (;;) {
		int64_t status = take_bits(slot, result);
		struct timespec limit = { .tv_nsec = 5000000 };

		if (status != LCD_WOULD_BLOCK)
			return status;
		if (timeout != 0 && ticks() >= end)
			return LCD_TIMED_OUT;
		syscall(SYS_futex, &bells[slot - CHANNELS].bits, FUTEX_WAIT, 0, &limit, NULL, 0);
	}
}

static int64_t hypercall(uint32_t number, struct lcd_utcb *utcb)
{
	uint64_t *m = utcb->message;

	if (number < 128)
		__atomic_fetch_add(&counts[number], 1, __ATOMIC_RELAXED);
	if (hook && hook(number, utcb))
		return LCD_OK;
	switch (number) {
	case LCD_CALL_PAGE_ALLOCATE_MANY:
		blocks[m[0] - LCD_HEAP_SLOT] = (uint32_t)m[2];
		obtained += m[2];
		return LCD_OK;
	case LCD_CALL_PAGE_MAP:
		return mprotect(window + (m[1] - LCD_DATA_WINDOW),
				(size_t)blocks[m[0] - LCD_HEAP_SLOT] * LCD_PAGE_SIZE,
				PROT_READ | PROT_WRITE) == 0 ? LCD_OK : LCD_INVALID;
	case LCD_CALL_YIELD:
		sched_yield();
		return LCD_OK;
	case LCD_CALL_TIME:
		m[1] = ticks();
		return LCD_OK;
	case LCD_CALL_CONSOLE_WRITE:
		return write(1, utcb->buffer, m[0]) < 0 ? LCD_INVALID : LCD_OK;
	case LCD_CALL_NOTIFICATION_SIGNAL:
		if (!is_channel(m[0]))
			return LCD_NOT_FOUND;
		__atomic_store_n(&bells[(m[0] ^ 1) - CHANNELS].bits, 1, __ATOMIC_SEQ_CST);
		syscall(SYS_futex, &bells[(m[0] ^ 1) - CHANNELS].bits, FUTEX_WAKE, 1, NULL, NULL,
			0);
		return LCD_OK;
	case LCD_CALL_NOTIFICATION_WAIT:
		return is_channel(m[0]) ? wait_for_bits(m[0], m[1], &m[1]) : LCD_NOT_FOUND;
	default:
		return LCD_NO_SYSTEM_CALL;
	}
}

static __thread struct lcd_utcb *own_utcb;

static void trapped(int number, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	const uint8_t *code = (const uint8_t *)r[REG_RIP];

	if (number == SIGSEGV && r[REG_TRAPNO] == 13 && code[0] == 0xe7 &&
	    code[1] == LCD_HYPERCALL_PORT) {
		own_utcb->status = hypercall((uint32_t)r[REG_RAX], own_utcb);
		r[REG_RIP] += 2;
		return;
	}
	fprintf(stderr, "signal %d at %p, address %p\n", number, (const void *)code,
		info->si_addr);
	_exit(2);
}

void *shared_pages(size_t pages)
{
	void *p = mmap(NULL, pages * LCD_PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

void enter_domain(unsigned int number)
{
	stack_t stack = { .ss_size = 65536 };
	uint8_t *area = shared_pages(1);

	own_utcb = shared_pages(1);
	stack.ss_sp = malloc(stack.ss_size);
	*(void **)(area + LCD_AREA_UTCB) = own_utcb;
	*(void **)(area + LCD_AREA_DATA_WINDOW) = window;
	*(uint64_t *)(area + LCD_AREA_THREAD) = number;
	*(void **)(area + LCD_AREA_BOOT_INFO) = boot_page;
	*(void **)(area + LCD_AREA_SELF) = area;
	if (syscall(SYS_arch_prctl, ARCH_SET_GS, area) != 0 || sigaltstack(&stack, NULL) != 0)
		abort();
}

uint64_t random_bits(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = trapped, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGALRM };

	window = mmap(NULL, LCD_DATA_WINDOW_SIZE, PROT_NONE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (window == MAP_FAILED)
		abort();
	for (unsigned int i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	enter_domain(0);
	/* Whatever hangs, ends here. */
	alarm(240);
	tests();
	if (failures > 0)
		printf("%d failures\n", failures);
	fflush(stdout);
	_exit(failures > 0);
}

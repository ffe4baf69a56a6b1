/*
 * Runs one domain as an ordinary process, on the processor as it is: no KVM, no
 * simulator, none of lcd's own code. What a world prints and how it ends can so be checked
 * against a third opinion.
 *
 *   runner FILE MILLISECONDS call ADDRESS [ARGUMENT]... [call ADDRESS [ARGUMENT]...]...
 *
 * FILE is a statically linked executable. The domain's addresses are where lcd puts them.
 * An `out` traps, because a process may not do it: that is how hypercalls arrive, and the
 * return from a call. The console goes to standard output, and one line on how it ended
 * to standard error.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "lcd.h"

/* shared-model's layout.rs, with the system block at its usual place. */
#define WINDOWS 0x40000000ul
#define WINDOWS_SIZE 0x30000000ul
#define GATE 0x70000000ul
#define UTCB 0x71001000ul
#define AREA 0x71003000ul
#define BOOT_INFO 0x70003000ul
#define STACK 0x71010000ul
#define STACK_SIZE 0x8000ul

#define ARCH_SET_GS 0x1001
#define BLOCKS_MAX 8192
#define ORDER_MAX 10
#define BLOCK_PAGES_MAX 4096
#define CALLS_MAX 8
#define ARGUMENTS_MAX 6

/* Blocks of pages, each behind the one before in `memory`. */
static struct block {
	uint64_t slot, rights, first, pages, gpa;
} blocks[BLOCKS_MAX];
static unsigned int block_count;
static uint64_t pages_used, ticks;
static int memory;

static struct call {
	uint64_t address, arguments[ARGUMENTS_MAX];
} calls[CALLS_MAX];
static unsigned int call_count, call_next;

__attribute__((noreturn)) static void end(const char *how)
{
	fprintf(stderr, "%s\n", how);
	fflush(stderr);
	_exit(0);
}

__attribute__((noreturn)) static void refuse(const char *what)
{
	perror(what);
	_exit(2);
}

static void *place(uint64_t at, uint64_t size, int protection, int file, off_t offset)
{
	int flags = (file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED) | MAP_FIXED;
	void *p = mmap((void *)at, size, protection, flags, file, offset);

	if (p == MAP_FAILED)
		refuse("mmap");
	return p;
}

/* Where a position-independent executable goes. */
#define PIE_BASE 0x10000000ul

/* The relocations of a static position-independent executable: addresses relative to its base. */
static void relocate(const Elf64_Dyn *dynamic, uint64_t base)
{
	const Elf64_Rela *relocations = NULL;
	uint64_t size = 0;

	for (; dynamic->d_tag != DT_NULL; dynamic++) {
		if (dynamic->d_tag == DT_RELA)
			relocations = (const Elf64_Rela *)(base + dynamic->d_un.d_ptr);
		else if (dynamic->d_tag == DT_RELASZ)
			size = dynamic->d_un.d_val;
	}
	for (uint64_t i = 0; i < size / sizeof(*relocations); i++) {
		if (ELF64_R_TYPE(relocations[i].r_info) != R_X86_64_RELATIVE)
			refuse("relocation");
		*(uint64_t *)(base + relocations[i].r_offset) =
			base + (uint64_t)relocations[i].r_addend;
	}
}

static int protection_of(uint32_t flags)
{
	return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) |
	       (flags & PF_X ? PROT_EXEC : 0);
}

/* Maps the file's segments; returns what is added to its addresses. */
static uint64_t load(const char *path)
{
	int file = open(path, O_RDONLY);
	const Elf64_Dyn *dynamic = NULL;
	Elf64_Phdr segments[16];
	Elf64_Ehdr header;
	uint64_t base;

	if (file < 0 || pread(file, &header, sizeof(header), 0) != sizeof(header))
		refuse(path);
	if (header.e_phnum > 16 || pread(file, segments, header.e_phnum * sizeof(segments[0]),
					 (off_t)header.e_phoff) < 0)
		refuse(path);
	base = header.e_type == ET_DYN ? PIE_BASE : 0;
	for (int i = 0; i < header.e_phnum; i++) {
		uint64_t start = (base + segments[i].p_vaddr) & ~0xffful;
		uint64_t end = base + segments[i].p_vaddr + segments[i].p_memsz;

		if (segments[i].p_type == PT_DYNAMIC)
			dynamic = (const Elf64_Dyn *)(base + segments[i].p_vaddr);
		if (segments[i].p_type != PT_LOAD)
			continue;
		place(start, end - start, PROT_READ | PROT_WRITE, -1, 0);
		if (pread(file, (void *)(base + segments[i].p_vaddr), segments[i].p_filesz,
			  (off_t)segments[i].p_offset) != (ssize_t)segments[i].p_filesz)
			refuse(path);
	}
	if (base && dynamic)
		relocate(dynamic, base);
	for (int i = 0; i < header.e_phnum; i++) {
		uint64_t start = (base + segments[i].p_vaddr) & ~0xffful;
		uint64_t end = base + segments[i].p_vaddr + segments[i].p_memsz;

		if (segments[i].p_type == PT_LOAD)
			mprotect((void *)start, end - start, protection_of(segments[i].p_flags));
	}
	return base;
}

static struct block *find(uint64_t slot)
{
	for (unsigned int i = 0; i < block_count; i++)
		if (blocks[i].slot == slot)
			return &blocks[i];
	return NULL;
}

/* Whether a number can name a slot: capability/cptr.rs. */
static int is_slot(uint64_t slot)
{
	static const uint64_t capacities[LCD_SLOT_LEVELS] = {
		LCD_SLOT_CAPACITY_0, LCD_SLOT_CAPACITY_1, LCD_SLOT_CAPACITY_2, LCD_SLOT_CAPACITY_3,
	};

	return slot >= LCD_SLOT_FIRST && slot < LCD_SLOT_NUMBERS &&
	       (slot & ((1 << LCD_SLOT_LEVEL_SHIFT) - 1)) <
		       capacities[slot >> LCD_SLOT_LEVEL_SHIFT];
}

static int64_t look_up(uint64_t slot, struct block **block)
{
	if (!is_slot(slot))
		return LCD_INVALID;
	*block = find(slot);
	return *block ? LCD_OK : LCD_NOT_FOUND;
}

static int64_t page_allocate(uint64_t slot, uint64_t rights, uint64_t pages)
{
	struct block *block;
	int64_t status;

	if (rights > 31 || pages == 0 || pages > BLOCK_PAGES_MAX)
		return LCD_INVALID;
	status = look_up(slot, &block);
	if (status != LCD_NOT_FOUND)
		return status == LCD_OK ? LCD_EXISTS : status;
	if (block_count == BLOCKS_MAX || pages > WINDOWS_SIZE / LCD_PAGE_SIZE)
		return LCD_NO_MEMORY;
	blocks[block_count++] = (struct block){ slot, rights, pages_used, pages, 0 };
	pages_used += pages;
	if (ftruncate(memory, (off_t)(pages_used * LCD_PAGE_SIZE)) != 0)
		refuse("ftruncate");
	return LCD_OK;
}

static int64_t page_unmap(uint64_t slot)
{
	struct block *block;
	int64_t status = look_up(slot, &block);

	if (status != LCD_OK)
		return status;
	if (block->gpa)
		place(block->gpa - LCD_DATA_WINDOW + WINDOWS, block->pages * LCD_PAGE_SIZE,
		      PROT_NONE, -1, 0);
	block->gpa = 0;
	return LCD_OK;
}

static int64_t cap_delete(uint64_t slot)
{
	struct block *block;
	int64_t status = page_unmap(slot);

	/* The pages stay in the file, nameless. */
	if (status == LCD_OK && look_up(slot, &block) == LCD_OK)
		block->slot = 0;
	return status;
}

static int64_t page_map(uint64_t slot, uint64_t gpa, uint64_t rights)
{
	uint64_t offset = gpa - LCD_DATA_WINDOW, size;
	int in_data = offset < LCD_DATA_WINDOW_SIZE;
	uint64_t end = in_data ? LCD_DATA_WINDOW_SIZE : WINDOWS_SIZE;
	int protection = (rights & LCD_READ ? PROT_READ : 0) |
			 (rights & LCD_WRITE ? PROT_WRITE : 0) |
			 (rights & LCD_EXECUTE ? PROT_EXEC : 0);
	struct block *block;
	int64_t status;

	if (rights > 31)
		return LCD_INVALID;
	status = look_up(slot, &block);
	if (status != LCD_OK)
		return status;
	if (rights & ~block->rights)
		return LCD_NOT_PERMITTED;
	size = block->pages * LCD_PAGE_SIZE;
	if (offset >= WINDOWS_SIZE || size > end - (offset & ~0xffful) ||
	    (rights & (LCD_GRANT | LCD_CALL_RIGHT)) ||
	    (rights & (in_data ? LCD_EXECUTE : LCD_WRITE)))
		return LCD_INVALID;
	if (block->gpa)
		return LCD_EXISTS;
	for (unsigned int i = 0; i < block_count; i++)
		if (blocks[i].gpa && blocks[i].gpa < (gpa & ~0xffful) + size &&
		    (gpa & ~0xffful) < blocks[i].gpa + blocks[i].pages * LCD_PAGE_SIZE)
			return LCD_EXISTS;
	if (offset % LCD_PAGE_SIZE != 0 || !(rights & LCD_READ))
		return LCD_INVALID;
	place(offset + WINDOWS, size, protection, memory, (off_t)(block->first * LCD_PAGE_SIZE));
	block->gpa = gpa;
	return LCD_OK;
}

/* Whether there is such a hypercall: of the numbers up to the last, a few are free. */
static int is_call(uint32_t number)
{
	return number <= LCD_CALL_DEVICE_UNMAP ||
	       (number >= LCD_CALL_CONSOLE_WRITE && number <= LCD_CALL_BOOT_NAME);
}

static int64_t hypercall(uint32_t number)
{
	struct lcd_utcb *utcb = (struct lcd_utcb *)UTCB;
	uint64_t *m = utcb->message;
	char text[64];

	switch (number) {
	case LCD_CALL_EXIT:
		snprintf(text, sizeof(text), "exit %lu", m[0]);
		end(text);
	case LCD_CALL_CONSOLE_WRITE:
		if (m[0] > LCD_UTCB_BUFFER_SIZE)
			return LCD_INVALID;
		if (write(1, utcb->buffer, m[0]) != (ssize_t)m[0])
			refuse("write");
		return LCD_OK;
	case LCD_CALL_CONSOLE_PUT:
		text[0] = (char)m[0];
		if (m[0] > 255)
			return LCD_INVALID;
		if (write(1, text, 1) != 1)
			refuse("write");
		return LCD_OK;
	case LCD_CALL_YIELD:
		return LCD_OK;
	case LCD_CALL_PAGE_ALLOCATE:
		return m[2] > ORDER_MAX ? LCD_INVALID : page_allocate(m[0], m[1], 1ul << m[2]);
	case LCD_CALL_PAGE_ALLOCATE_MANY:
		return page_allocate(m[0], m[1], m[2]);
	case LCD_CALL_PAGE_MAP:
		return page_map(m[0], m[1], m[2]);
	case LCD_CALL_PAGE_UNMAP:
		return page_unmap(m[0]);
	case LCD_CALL_CAP_DELETE:
		return cap_delete(m[0]);
	case LCD_CALL_TIME:
		m[1] = ++ticks;
		return LCD_OK;
	default:
		if (is_call(number))
			/* Other domains, threads and devices are more than a process has. */
			end("beyond");
		return LCD_NO_SYSTEM_CALL;
	}
}

static void start_call(greg_t *registers)
{
	const struct call *call = &calls[call_next++];
	static const int order[ARGUMENTS_MAX] = {
		REG_RDI, REG_RSI, REG_RDX, REG_RCX, REG_R8, REG_R9,
	};

	for (int i = REG_R8; i <= REG_RCX; i++)
		registers[i] = 0;
	for (int i = 0; i < ARGUMENTS_MAX; i++)
		registers[order[i]] = (greg_t)call->arguments[i];
	registers[REG_RSP] = STACK + STACK_SIZE - 8;
	*(uint64_t *)(STACK + STACK_SIZE - 8) = GATE;
	registers[REG_RIP] = (greg_t)call->address;
	registers[REG_EFL] &= ~0x4d5;
}

static void trapped(int signal, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	uint64_t address = (uint64_t)r[REG_CR2];
	const uint8_t *code = (const uint8_t *)r[REG_RIP];
	char text[128];

	(void)info;
	if (signal == SIGUSR1) {
		start_call(r);
		return;
	}
	if (signal == SIGALRM)
		end("killed");
	/* #GP at `out %eax, $0xe0`. (At a page fault the code may not be readable.) */
	if (r[REG_TRAPNO] == 13 && code[0] == 0xe7 && code[1] == LCD_HYPERCALL_PORT) {
		((struct lcd_utcb *)UTCB)->status = hypercall((uint32_t)r[REG_RAX]);
		r[REG_RIP] += 2;
		return;
	}
	/* `in` from that port, or `out` to one of the gates' ports by other code. */
	if (r[REG_TRAPNO] == 13 && ((code[0] == 0xe5 && code[1] == LCD_HYPERCALL_PORT) ||
				    (code[0] == 0xe7 && code[1] >> 5 == 6)))
		end("port");
	if (r[REG_TRAPNO] == 13 && (uint64_t)code == GATE) {
		if (call_next < call_count) {
			start_call(r);
			return;
		}
		snprintf(text, sizeof(text), "exit %lu", (uint64_t)r[REG_RAX]);
		end(text);
	}
	/* A domain's own page tables let nothing in the data window be executed. */
	if (r[REG_TRAPNO] == 14 && address - WINDOWS < WINDOWS_SIZE &&
	    !(r[REG_ERR] & 16 && address - WINDOWS < LCD_DATA_WINDOW_SIZE)) {
		snprintf(text, sizeof(text), "fault %lu %s", address,
			 r[REG_ERR] & 16 ? "execute" : r[REG_ERR] & 2 ? "write" : "read");
		end(text);
	}
	snprintf(text, sizeof(text), "exception %lu %lu %lu %lu", (uint64_t)r[REG_TRAPNO],
		 (uint64_t)r[REG_ERR], r[REG_TRAPNO] == 14 ? address : 0, (uint64_t)r[REG_RIP]);
	end(text);
}

static void prepare(void)
{
	static uint8_t alternate[65536];
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGUSR1, SIGALRM };
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) };
	struct sigaction action = { .sa_sigaction = trapped, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	uint64_t *area;

	memory = memfd_create("domain", 0);
	if (memory < 0)
		refuse("memfd_create");
	place(WINDOWS, WINDOWS_SIZE, PROT_NONE, -1, 0);
	*(uint16_t *)place(GATE, LCD_PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, -1, 0) = 0xe1e7;
	place(UTCB, LCD_PAGE_SIZE, PROT_READ | PROT_WRITE, -1, 0);
	place(STACK, STACK_SIZE, PROT_READ | PROT_WRITE, -1, 0);
	*(uint64_t *)place(BOOT_INFO, LCD_PAGE_SIZE, PROT_READ | PROT_WRITE, -1, 0) =
		LCD_BOOT_VERSION;
	area = place(AREA, LCD_PAGE_SIZE, PROT_READ | PROT_WRITE, -1, 0);
	area[LCD_AREA_UTCB / 8] = UTCB;
	area[LCD_AREA_DATA_WINDOW / 8] = WINDOWS;
	area[LCD_AREA_CODE_WINDOW / 8] = WINDOWS + LCD_DATA_WINDOW_SIZE;
	area[LCD_AREA_BOOT_INFO / 8] = BOOT_INFO;
	area[LCD_AREA_STACK_CANARY / 8] = LCD_AREA_CANARY_VALUE;
	area[LCD_AREA_SELF / 8] = AREA;
	if (syscall(SYS_arch_prctl, ARCH_SET_GS, AREA) != 0)
		refuse("arch_prctl");
	sigaltstack(&stack, NULL);
	for (unsigned int i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 0);
}

int main(int count, char **arguments)
{
	unsigned int argument = 0;
	uint64_t base;
	struct itimerval limit = { 0 };

	if (count < 5)
		return 2;
	prepare();
	base = load(arguments[1]);
	limit.it_value.tv_sec = (time_t)(number(arguments[2]) / 1000);
	limit.it_value.tv_usec = (suseconds_t)(number(arguments[2]) % 1000 * 1000);
	for (int i = 3; i < count; i++) {
		if (strcmp(arguments[i], "call") == 0 && i + 1 < count && call_count < CALLS_MAX) {
			calls[call_count++].address = base + number(arguments[++i]);
			argument = 0;
		} else if (call_count > 0 && argument < ARGUMENTS_MAX) {
			calls[call_count - 1].arguments[argument++] = number(arguments[i]);
		}
	}
	setitimer(ITIMER_REAL, &limit, NULL);
	raise(SIGUSR1);
	return 2;
}

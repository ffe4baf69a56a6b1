/*
 * What the C files share: types, the kernel's own numbers, and the functions that one
 * file provides to another.
 */
#ifndef LIBLCD_KERNEL_H
#define LIBLCD_KERNEL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lcd.h"

/* Shared between the files of liblcd, not provided to modules. */
#define INTERNAL __attribute__((visibility("hidden")))

/* Numbers of Linux's errors (include/uapi/asm-generic/errno-base.h). */
#define ENOENT 2
#define ENOMEM 12
#define EINVAL 22
#define ERANGE 34
#define E2BIG 7
/* Addresses above this one are negated errors in disguise. */
#define MAX_ERRNO 4095

/* Allocation flags, Linux 6.1's gfp_t. */
typedef unsigned int gfp_t;
#define GFP_ZERO 0x100u
#define GFP_KERNEL 0xcc0u
/* What kmalloc(0) returns: not null, and never to be dereferenced. */
#define ZERO_SIZE_PTR ((void *)16)

static inline bool is_zero_or_null(const void *p)
{
	return (uintptr_t)p <= (uintptr_t)ZERO_SIZE_PTR;
}

static inline bool is_error_pointer(const void *p)
{
	return (uintptr_t)p >= (uintptr_t)-MAX_ERRNO;
}

/*
 * Keeps the threads of a domain apart where liblcd has state of its own. Nothing under a
 * lock takes long, so who finds it taken lets the others run: one of them has it.
 */
struct lock {
	uint32_t taken;
};

static inline void lock_take(struct lock *lock)
{
	while (__atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE) != 0)
		lcd_yield();
}

static inline void lock_release(struct lock *lock)
{
	__atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE);
}

/* bytes.c */
void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *bytes, int byte, size_t n);
void memzero_explicit(void *bytes, size_t n);

/* string.c */
void *kmemdup(const void *bytes, size_t n, gfp_t flags);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t n);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);

/* ctype.c */
extern const unsigned char _ctype[256];
static inline bool is_kind(char c, unsigned char kinds)
{
	return _ctype[(unsigned char)c] & kinds;
}
#define CTYPE_UPPER 0x01
#define CTYPE_LOWER 0x02
#define CTYPE_DIGIT 0x04
#define CTYPE_CONTROL 0x08
#define CTYPE_PUNCTUATION 0x10
#define CTYPE_SPACE 0x20
#define CTYPE_HEX 0x40
#define CTYPE_HARD_SPACE 0x80
#define CTYPE_ALPHANUMERIC (CTYPE_UPPER | CTYPE_LOWER | CTYPE_DIGIT)

static inline char lower(char c)
{
	return is_kind(c, CTYPE_UPPER) ? c + ('a' - 'A') : c;
}

/* format.c: where formatted text goes. */
struct sink {
	char *next;
	char *end;
	/* Characters produced, also those that found no room. */
	size_t total;
	/* Makes room at `next`, or leaves it equal to `end` and the text is cut. */
	void (*full)(struct sink *sink);
};
INTERNAL void format_into(struct sink *sink, const char *format, va_list arguments);
int vsnprintf(char *to, size_t size, const char *format, va_list arguments);
int snprintf(char *to, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* error_names.c */
INTERNAL const char *error_name(int number);

/* printk.c */
__attribute__((format(printf, 1, 2))) int _printk(const char *format, ...);
__attribute__((noreturn, format(printf, 1, 2))) void panic(const char *format, ...);

/* pages.c. Callers hold the heap's lock, but for is_heap(). */
INTERNAL void *pages_allocate(size_t count);
INTERNAL void pages_free(void *first);
INTERNAL size_t pages_count(const void *first);
INTERNAL uint8_t *page_class(const void *in_page);
INTERNAL bool is_heap(const void *p);

/* memory.c */
void *__kmalloc(size_t size, gfp_t flags);
void kfree(const void *p);
size_t ksize(const void *p);

#endif /* LIBLCD_KERNEL_H */

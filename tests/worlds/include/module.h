/*
 * As much of the kernel's own headers as the worlds' modules need: enough that what the
 * compiler makes of them looks to a loader like a module out of Linux 6.1's build.
 */
#ifndef MODULE_H
#define MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lcd.h>

/* .modinfo holds `tag=text` strings, each with its zero byte. */
#define MODULE_INFO_NAME_(tag, line) modinfo_##tag##_##line
#define MODULE_INFO_NAME(tag, line) MODULE_INFO_NAME_(tag, line)
#define MODULE_INFO(tag, text)                                                             \
	static const char MODULE_INFO_NAME(tag, __LINE__)[]                                \
		__attribute__((section(".modinfo"), used, aligned(1))) = #tag "=" text
#define MODULE_LICENSE(text) MODULE_INFO(license, text)
#define MODULE_DESCRIPTION(text) MODULE_INFO(description, text)
#define MODULE_DEPENDS(text) MODULE_INFO(depends, text)

/* Code and data that are needed only until the module is initialised. */
#define __init __attribute__((section(".init.text"), cold))
#define __exit __attribute__((section(".exit.text"), cold, used))
#define __initdata __attribute__((section(".init.data")))

/* The loader looks for these two names. */
#define module_init(function)                                                              \
	int init_module(void) __attribute__((alias(#function), copy(function)))
#define module_exit(function)                                                              \
	void cleanup_module(void) __attribute__((alias(#function), copy(function)))

/*
 * An entry of __ksymtab, with relative references (CONFIG_HAVE_ARCH_PREL32_RELOCATIONS):
 * the value, the name, the namespace.
 */
#define EXPORT_SYMBOL(name)                                                                \
	__asm__(".pushsection \"__ksymtab_strings\", \"aMS\", %progbits, 1\n"              \
		"__kstrtab_" #name ":\n\t.asciz \"" #name "\"\n"                           \
		"__kstrtabns_" #name ":\n\t.asciz \"\"\n"                                  \
		".popsection\n"                                                            \
		".pushsection \"__ksymtab\", \"a\"\n"                                      \
		"\t.balign 4\n"                                                            \
		"__ksymtab_" #name ":\n"                                                   \
		"\t.long " #name " - .\n"                                                  \
		"\t.long __kstrtab_" #name " - .\n"                                        \
		"\t.long __kstrtabns_" #name " - .\n"                                      \
		".popsection\n")

/* What modules import. */
__attribute__((format(printf, 1, 2))) int _printk(const char *format, ...);
#define KERN_ERR "\001" "3"
#define KERN_INFO "\001" "6"
#define printk _printk
#define pr_info(...) _printk(KERN_INFO __VA_ARGS__)
#define pr_err(...) _printk(KERN_ERR __VA_ARGS__)

#define GFP_KERNEL 0xcc0u
#define __GFP_ZERO 0x100u
void *__kmalloc(size_t size, unsigned int flags);
void *krealloc(const void *p, size_t size, unsigned int flags);
size_t ksize(const void *p);
void kfree(const void *p);
void *vmalloc(unsigned long size);
void vfree(const void *p);
#define kmalloc __kmalloc
#define kzalloc(size, flags) __kmalloc(size, (flags) | __GFP_ZERO)

struct kmem_cache;
struct kmem_cache *kmem_cache_create(const char *name, unsigned int size, unsigned int align,
				     unsigned int flags, void (*construct)(void *object));
void *kmem_cache_alloc(struct kmem_cache *cache, unsigned int flags);
void kmem_cache_free(struct kmem_cache *cache, void *object);
void kmem_cache_destroy(struct kmem_cache *cache);

int snprintf(char *to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *bytes, int byte, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t n);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strcpy(char *to, const char *from);
char *strncpy(char *to, const char *from, size_t n);
long strscpy(char *to, const char *from, size_t n);
char *strcat(char *to, const char *from);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *part);
char *strsep(char **s, const char *separators);
size_t strspn(const char *s, const char *accepted);
size_t strcspn(const char *s, const char *rejected);
int strcasecmp(const char *a, const char *b);

/* Keeps a value from being computed at compile time. */
#define opaque(value)                                                                      \
	({                                                                                 \
		__typeof__(value) opaque_ = (value);                                       \
		__asm__ volatile("" : "+r"(opaque_));                                      \
		opaque_;                                                                   \
	})

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* A digest of a stream of values (FNV-1a over 64-bit words, then mixed). */
static inline uint64_t digest_add(uint64_t digest, uint64_t value)
{
	digest = (digest ^ value) * 0x100000001b3u;
	return digest ^ digest >> 29;
}
#define DIGEST_START 0xcbf29ce484222325u

/* A repeatable stream of numbers (xorshift64*, Vigna 2016). */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1du;
}

#endif /* MODULE_H */

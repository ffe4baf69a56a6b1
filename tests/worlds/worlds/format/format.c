/* One line for each kind of conversion; brackets show where padding ends. */
#include "module.h"

struct va_format {
	const char *format;
	__builtin_va_list *list;
};

/* As pr_warn() wrappers of drivers do it: the message is inserted into another. */
static void __attribute__((format(printf, 1, 2))) wrapped(const char *format, ...)
{
	__builtin_va_list list;
	struct va_format inner = { format, &list };

	__builtin_va_start(list, format);
	pr_info("driver: %pV.\n", &inner);
	__builtin_va_end(list);
}

/* The compiler's checks do not know the kernel's extensions. */
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-extra-args"

static void integers(void)
{
	printk("[%d] [%i] [%u] [%x] [%X] [%o]\n", -1, 42, 42u, 0xbeefu, 0xbeefu, 0755u);
	printk("[%5d] [%-5d] [%05d] [%+d] [% d] [%+5d]\n", 42, 42, 42, 42, 42, -42);
	printk("[%#x] [%#X] [%#o] [%#x] [%#010x] [%#-10x]\n", 255u, 255u, 8u, 0u, 255u, 255u);
	printk("[%.3d] [%8.3d] [%-8.3d] [%.0d]\n", 7, 7, 7, 0);
	printk("[%*d] [%-*d] [%*d] [%.*d]\n", 6, 1, 6, 2, -6, 3, 4, 5);
	printk("[%hhd] [%hd] [%d] [%ld] [%lld]\n", 0x1ff, 0x1ffff, -5, -5l, -5ll);
	printk("[%hhx] [%hx] [%lx] [%llx]\n", 0x1234, 0x123456, 0x123456789abcul, ~0ull);
	printk("[%zu] [%zd] [%td] [%lu]\n", sizeof(int), (size_t)-3, (ptrdiff_t)9, ~0ul);
	printk("[%d] [%d] [%u] [%lld]\n", INT32_MAX, INT32_MIN, UINT32_MAX, (long long)INT64_MIN);
}

static void text(void)
{
	printk("[%s] [%8s] [%-8s] [%.2s] [%8.2s] [%.*s]\n", "abc", "abc", "abc", "abc", "abc", 1,
	       "abc");
	printk("[%c] [%3c] [%-3c] [%%] [%s]\n", 'x', 'y', 'z', opaque((char *)NULL));
	printk(KERN_INFO "a level before\n");
	printk("%sand one from an argument\n", KERN_ERR);
	wrapped("%d of %s", 3, "these");
}

static void pointers(void)
{
	static const uint8_t bytes[16] = {
		0xc0, 0xa8, 0x00, 0x01, 0xfe, 0x80, 0x10, 0x20, 0x30, 0x40, 0, 0, 0, 0, 0x5a, 0xa5,
	};
	static const uint8_t local[16] = { 0xfe, 0x80, [15] = 1 };
	static const uint64_t bits[2] = { 0xf00000000000100f, 0x3 };
	void *p = (void *)0x12345678;

	printk("[%p] [%px] [%pK] [%20p] [%#p]\n", p, p, p, p, p);
	printk("[%pS] [%ps] [%pX]\n", p, p, p);
	printk("[%pe] [%pe] [%12pe]\n", (void *)-22l, (void *)-2000l, (void *)-12l);
	printk("[%pM] [%pm] [%pMF] [%pMR]\n", bytes, bytes, bytes, bytes);
	printk("[%pI4] [%pi4] [%pI4l]\n", bytes, bytes, bytes);
	printk("[%pI6] [%pi6] [%pI6c] [%pI6c]\n", bytes, bytes, bytes, local);
	printk("[%4ph] [%4phC] [%4phD] [%*phN]\n", bytes, bytes, bytes, 6, bytes);
	printk("[%pUb] [%pUB] [%pUl] [%pUL]\n", bytes, bytes, bytes, bytes);
	printk("[%*pbl] [%*pb] [%20pbl]\n", 66, bits, 66, bits, bits);
	printk("[%pa] [%pI4] [%ph]\n", &bits[1], NULL, (void *)-1l);
}

static void buffers(void)
{
	char small[8];
	int length = snprintf(small, sizeof(small), "%s", "truncated");

	printk("[%s] %d\n", small, length);
	length = snprintf(NULL, 0, "%d%%", 100);
	printk("%d\n", length);
}

static int __init start(void)
{
	integers();
	text();
	pointers();
	buffers();
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

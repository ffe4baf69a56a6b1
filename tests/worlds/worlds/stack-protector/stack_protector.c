/*
 * A buffer on the stack of a guarded function, filled to its end and not beyond.
 *
 * build: stack-protector
 */
#include "module.h"

static __attribute__((noinline)) void reverse(const char *text)
{
	char buffer[9];
	size_t length = strlen(text);

	for (size_t i = 0; i < length; i++)
		buffer[i] = text[length - 1 - i];
	buffer[length] = '\0';
	pr_info("guarded: %s is %s\n", text, buffer);
}

static int __init start(void)
{
	reverse("stressed");
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/* Fills upwards from the stack until the stack ends. */
#include "module.h"

static int __init start(void)
{
	void *at = __builtin_frame_address(0);
	uint64_t count = 1 << 20;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(count) : "a"(0x5a) : "memory");
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

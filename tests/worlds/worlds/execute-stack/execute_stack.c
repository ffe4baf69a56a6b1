/* Calls a return instruction that lies on the stack. */
#include "module.h"

static int __init start(void)
{
	volatile uint8_t code[16] = { 0xc3 };

	((void (*)(void))opaque((uintptr_t)code))();
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

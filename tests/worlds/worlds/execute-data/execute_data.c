/* Calls a return instruction that lies in .data. */
#include "module.h"

static uint8_t code[16] = { 0xc3 };

static int __init start(void)
{
	((void (*)(void))opaque((uintptr_t)code))();
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

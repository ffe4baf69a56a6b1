/* Calls the start of the empty code window. */
#include "module.h"

static int __init start(void)
{
	((void (*)(void))lcd_code_window(0))();
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

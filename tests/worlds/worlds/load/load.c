/* Spins for ever: the original's proof that a domain can be killed between its exits. */
#include "module.h"

static int __init load_start(void)
{
	while (opaque(1))
		;
	return 0;
}

module_init(load_start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

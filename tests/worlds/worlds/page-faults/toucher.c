/* Has no page of its own. */
#include "touches.h"

static int __init start(void)
{
	return touch();
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

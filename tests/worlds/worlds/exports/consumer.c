/* Uses what geometry.ko exports; its .modinfo says so. */
#include "module.h"

extern unsigned int geometry_questions;
unsigned int geometry_area(unsigned int width, unsigned int height);

static int __init start(void)
{
	unsigned int area = geometry_area(1, 1);

	area = geometry_area(6, 7);
	pr_info("area of 6 by 7: %u, asked %u times\n", area, geometry_questions);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");
MODULE_DEPENDS("geometry");

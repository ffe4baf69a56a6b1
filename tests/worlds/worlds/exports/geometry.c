/* A library: no init function, two exports. */
#include "module.h"

unsigned int geometry_questions;
EXPORT_SYMBOL(geometry_questions);

unsigned int geometry_area(unsigned int width, unsigned int height)
{
	geometry_questions++;
	return width * height;
}
EXPORT_SYMBOL(geometry_area);

MODULE_LICENSE("Dual MIT/Apache-2.0");

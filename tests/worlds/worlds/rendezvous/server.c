/* Answers, then sends. */
#include "meeting.h"

static int __init start(void)
{
	int right = meeting_serve(MEETING);

	if (right != TIMES)
		return right;
	return meeting_send(MEETING);
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

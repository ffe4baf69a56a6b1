/* Calls and receives, with another domain first and then with another thread of its own. */
#include "meeting.h"

#define OWN 6

static uint64_t serve_and_send(uint64_t endpoint)
{
	if (meeting_serve(endpoint) == TIMES)
		meeting_send(endpoint);
	return 0;
}

static int __init start(void)
{
	lcd_u64 thread = 0;
	int right;

	right = meeting_call(MEETING);
	pr_info("%d calls to another domain, %d answers right\n", TIMES, right);
	right = meeting_receive(MEETING);
	pr_info("%d messages from another domain, %d right, badge %d\n", TIMES, right,
		(int)lcd_utcb()->badge);
	pr_info("nobody sends now: %ld\n", (long)lcd_sync_poll_receive(MEETING));
	lcd_endpoint_create(OWN);
	lcd_thread_create(0, (uintptr_t)serve_and_send, 0, OWN, &thread);
	lcd_thread_resume(0, thread);
	right = meeting_call(OWN);
	pr_info("%d calls to another thread, %d answers right\n", TIMES, right);
	right = meeting_receive(OWN);
	pr_info("%d messages from another thread, %d right\n", TIMES, right);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

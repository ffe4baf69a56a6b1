/* Calls the server; the badge of its capability is what makes the answers its own. */
#include "check.h"

#define CALLS 500

int call(uint64_t badge)
{
	struct lcd_utcb *utcb = lcd_utcb();
	lcd_u64 server = lcd_boot_slot("server");
	uint64_t total = 0;

	for (uint64_t i = 0; i < CALLS; i++) {
		utcb->message[0] = i;
		utcb->message[7] = ~i;
		TRY(lcd_sync_call(server, 0));
		total += i;
		/* Its own number, its own sum so far, and its own badge. */
		CHECK(utcb->message[0] == i && utcb->message[1] == total);
		CHECK(utcb->message[2] == badge && utcb->message[7] == ~i);
	}
	pr_info("%d answers\n", CALLS);
	return 0;
}

MODULE_LICENSE("Dual MIT/Apache-2.0");

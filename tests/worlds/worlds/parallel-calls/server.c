/* Keeps a sum for each client, and answers calls until no client is left. */
#include "check.h"

#define CLIENTS 2

static int __init start(void)
{
	struct lcd_utcb *utcb = lcd_utcb();
	lcd_u64 endpoint = lcd_boot_slot("clients");
	uint64_t sums[CLIENTS + 1] = { 0 }, served = 0;
	lcd_status status = lcd_sync_receive(endpoint, 0);

	while (status == LCD_OK) {
		uint64_t badge = utcb->badge;

		CHECK(utcb->received == LCD_RECEIVED_CALL && badge >= 1 && badge <= CLIENTS);
		sums[badge] += utcb->message[0];
		utcb->message[1] = sums[badge];
		utcb->message[2] = badge;
		served++;
		status = lcd_sync_reply_receive(endpoint, 0);
	}
	CHECK(status == LCD_PEER_DIED);
	pr_info("%llu calls, sums %llu and %llu\n", (unsigned long long)served,
		(unsigned long long)sums[1], (unsigned long long)sums[2]);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

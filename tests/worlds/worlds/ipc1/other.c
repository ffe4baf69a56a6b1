/* Waits for one call, checks its word, and answers. */
#include "check.h"

static int __init start(void)
{
	struct lcd_utcb *utcb = lcd_utcb();
	lcd_u64 endpoint = lcd_boot_slot("boot");
	uint64_t word;

	TRY(lcd_sync_receive(endpoint, 0));
	word = utcb->message[0];
	CHECK(utcb->received == LCD_RECEIVED_CALL);
	pr_info("received %llu\n", (unsigned long long)word);
	CHECK(word == 1234);
	utcb->message[0] = 5678;
	TRY(lcd_sync_reply());
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

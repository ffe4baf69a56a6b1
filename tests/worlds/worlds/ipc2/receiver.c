/* Receives the word and checks it. */
#include "check.h"

static int __init start(void)
{
	uint64_t word;

	TRY(lcd_sync_receive(lcd_boot_slot("sibling"), 0));
	word = lcd_utcb()->message[0];
	CHECK(lcd_utcb()->received == LCD_RECEIVED_MESSAGE);
	pr_info("received %llu\n", (unsigned long long)word);
	CHECK(word == 12345);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/* Creates a domain, gives it an endpoint, calls it, and checks its answer. */
#include "check.h"

#define ENDPOINT 5
#define OTHER 6
/* The other's slot for the endpoint. */
#define OTHERS_ENDPOINT 3

static int __init start(void)
{
	struct lcd_utcb *utcb = lcd_utcb();
	uint64_t answer;

	TRY(lcd_endpoint_create(ENDPOINT));
	TRY(lcd_domain_create(OTHER));
	TRY(lcd_domain_load(OTHER, "other"));
	TRY(lcd_cap_grant(OTHER, ENDPOINT, OTHERS_ENDPOINT, LCD_READ, 0));
	TRY(lcd_boot_name(OTHER, OTHERS_ENDPOINT, "boot"));
	TRY(lcd_domain_run(OTHER));

	utcb->message[0] = 1234;
	TRY(lcd_sync_call(ENDPOINT, 0));
	/* Printing is hypercalls, and they use the message registers too. */
	answer = utcb->message[0];
	pr_info("sent 1234, and the answer is %llu\n", (unsigned long long)answer);
	CHECK(answer == 5678);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/* Creates two domains that share an endpoint, and waits for their ends. */
#include "check.h"

#define ENDPOINT 5
#define SENDER 6
#define RECEIVER 7

static int create(lcd_u64 domain, const char *module, lcd_u64 rights)
{
	TRY(lcd_domain_create(domain));
	TRY(lcd_domain_load(domain, module));
	TRY(lcd_cap_grant(domain, ENDPOINT, LCD_SLOT_FIRST, rights, 0));
	TRY(lcd_boot_name(domain, LCD_SLOT_FIRST, "sibling"));
	return 0;
}

static int __init start(void)
{
	struct lcd_domain sender, receiver;

	TRY(lcd_endpoint_create(ENDPOINT));
	TRY(create(SENDER, "sender", LCD_WRITE));
	TRY(create(RECEIVER, "receiver", LCD_READ));
	TRY(lcd_domain_run(SENDER));
	TRY(lcd_domain_run(RECEIVER));
	TRY(wait_for_end(SENDER, &sender));
	TRY(wait_for_end(RECEIVER, &receiver));
	CHECK(sender.exited && receiver.exited);
	pr_info("the sender ended with %lld, the receiver with %lld\n", (long long)sender.value,
		(long long)receiver.value);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/*
 * Passes one end of a channel to a domain that it creates, and makes sixty calls over the
 * rings in it, all of them at once.
 */
#include "channel.h"
#include "functions.h"

#include <lcd/async.h>

#define ENDPOINT 5
#define CALLEE 6
#define CHANNEL 7
#define OTHER_END 8
#define CALLS 60

static struct lcd_async_link link;
static unsigned int right;

static int create_callee(void)
{
	TRY(lcd_endpoint_create(ENDPOINT));
	TRY(lcd_domain_create(CALLEE));
	TRY(lcd_domain_load(CALLEE, "callee"));
	TRY(lcd_cap_grant(CALLEE, ENDPOINT, LCD_SLOT_FIRST, LCD_READ, 0));
	TRY(lcd_boot_name(CALLEE, LCD_SLOT_FIRST, "caller"));
	TRY(lcd_domain_run(CALLEE));
	return 0;
}

/* The channel's capability goes along with a message. */
static int connect(void)
{
	TRY(lcd_channel_create(CHANNEL, 0));
	TRY(lcd_cap_copy(CHANNEL, OTHER_END, RW | LCD_GRANT, 1));
	lcd_utcb()->capability[0] = OTHER_END;
	TRY(lcd_sync_send(ENDPOINT, 0));
	lcd_clear_capabilities();
	TRY(lcd_cap_delete(OTHER_END));
	TRY(lcd_page_map(CHANNEL, LCD_DATA_WINDOW, RW));
	TRY(open_channel(&link.ring, CHANNEL));
	TRY(lcd_async_attach(&link));
	return 0;
}

static void call(void *argument)
{
	uint64_t number = (uintptr_t)argument, expected;
	uint64_t request[LCD_RING_WORDS], response[LCD_RING_WORDS];
	/* Null, plus 50, and sums of 2 to 6 in turn. */
	uint64_t which = number % 7, function = which < ADD ? which : ADD + which;

	request[0] = REQUEST(function, number);
	for (uint64_t i = 1; i < LCD_RING_WORDS; i++)
		request[i] = number * 100 + i;
	if (function == NULL_CALL)
		expected = NULL_RESULT;
	else if (function == PLUS_50)
		expected = request[1] + 50;
	else
		expected = number * 100 * which + which * (which + 1) / 2;
	if (lcd_async_call(&link, request, response) == LCD_OK && response[0] == expected &&
	    response[1] == number + BASE)
		right++;
}

static int __init start(void)
{
	struct lcd_async_block block;

	TRY(create_callee());
	TRY(connect());
	TRY(lcd_async_begin(&block));
	for (uintptr_t number = 0; number < CALLS; number++)
		TRY(lcd_async(call, (void *)number));
	TRY(lcd_async_finish(&block));
	pr_info("%u of %d calls were right\n", right, CALLS);
	CHECK(right == CALLS && link.dropped == 0 && link.ring.corrupted == 0);
	TRY(lcd_async_detach(&link));
	/* That is how the callee learns that it is over. */
	TRY(lcd_cap_delete(CHANNEL));
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

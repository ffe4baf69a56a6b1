/* Sends a page with a string in it along with a call, and gets one back with the answer. */
#include "check.h"

#define ENDPOINT 5
#define OTHER 6
#define PAGE 7
/* Where the other's page comes in. */
#define BACK 8
/* Where in a page the string is: both sides know it. */
#define OFFSET 64

static int create(void)
{
	TRY(lcd_endpoint_create(ENDPOINT));
	TRY(lcd_domain_create(OTHER));
	TRY(lcd_domain_load(OTHER, "other"));
	TRY(lcd_cap_grant(OTHER, ENDPOINT, LCD_SLOT_FIRST, LCD_READ | LCD_GRANT, 0));
	TRY(lcd_boot_name(OTHER, LCD_SLOT_FIRST, "strings"));
	TRY(lcd_domain_run(OTHER));
	return 0;
}

static int __init start(void)
{
	struct lcd_utcb *utcb = lcd_utcb();
	char *sent = lcd_data_window(0), *received = lcd_data_window(LCD_PAGE_SIZE);

	TRY(create());
	TRY(lcd_page_allocate_one(PAGE, RW | LCD_GRANT));
	TRY(lcd_page_map(PAGE, LCD_DATA_WINDOW, RW));
	strcpy(sent + OFFSET, "hello");

	/* Register 0 is for the way there, register 1 for the way back. */
	utcb->capability[0] = PAGE;
	utcb->capability[1] = BACK;
	TRY(lcd_sync_call(ENDPOINT, 0));
	CHECK(utcb->arrived == 2 && utcb->failed == 0);
	TRY(lcd_page_map(BACK, LCD_DATA_WINDOW + LCD_PAGE_SIZE, LCD_READ));
	pr_info("sent \"%s\", came back \"%s\"\n", sent + OFFSET, received + OFFSET);
	CHECK(strcmp(sent + OFFSET, received + OFFSET) == 0);
	/* It is another page: what is done to the one is not done to the other. */
	sent[OFFSET] = 'j';
	CHECK(received[OFFSET] == 'h');
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/* Copies the string in a page that comes along with a call to a page that goes back. */
#include "check.h"

#define PAGE 8
#define OWN 9
#define OFFSET 64

static int __init start(void)
{
	struct lcd_utcb *utcb = lcd_utcb();
	char *received = lcd_data_window(0), *own = lcd_data_window(LCD_PAGE_SIZE);

	TRY(lcd_page_allocate_one(OWN, RW | LCD_GRANT));
	TRY(lcd_page_map(OWN, LCD_DATA_WINDOW + LCD_PAGE_SIZE, RW));

	utcb->capability[0] = PAGE;
	TRY(lcd_sync_receive(lcd_boot_slot("strings"), 0));
	CHECK(utcb->arrived == 1);
	TRY(lcd_page_map(PAGE, LCD_DATA_WINDOW, RW));
	pr_info("read \"%s\"\n", received + OFFSET);
	strcpy(own + OFFSET, received + OFFSET);

	utcb->capability[0] = LCD_SLOT_NULL;
	utcb->capability[1] = OWN;
	TRY(lcd_sync_reply());
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

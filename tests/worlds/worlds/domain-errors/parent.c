/* Creation, configuration and start in the wrong order, too often, and on the wrong objects. */
#include "module.h"

#define PRIVATE 4
#define PAGE 5
#define CHILD 6
#define EMPTY 9
#define RW (LCD_READ | LCD_WRITE)

static void show(const char *what, lcd_status status)
{
	pr_info("%s: %ld\n", what, (long)status);
}

static int __init start(void)
{
	show("create in no slot", lcd_domain_create(0));
	show("create", lcd_domain_create(CHILD));
	show("create in a taken slot", lcd_domain_create(CHILD));
	show("run before configure", lcd_domain_run(CHILD));
	show("configure with an unknown name", lcd_domain_load(CHILD, "nobody"));
	show("configure with a name too long",
	     lcd_hypercall4(LCD_CALL_DOMAIN_CONFIGURE, CHILD, LCD_UTCB_BUFFER_SIZE + 1, 0, 0));
	show("configure", lcd_domain_load(CHILD, "child"));
	show("configure again", lcd_domain_load(CHILD, "child"));
	lcd_page_allocate_one(PRIVATE, RW);
	show("grant to an empty slot", lcd_cap_grant(EMPTY, PRIVATE, 7, RW, 0));
	show("grant to a page", lcd_cap_grant(PRIVATE, PRIVATE, 7, RW, 0));
	show("allocate", lcd_page_allocate_one(PAGE, RW | LCD_GRANT));
	show("grant without the right", lcd_cap_grant(CHILD, PRIVATE, 7, RW, 0));
	show("grant", lcd_cap_grant(CHILD, PAGE, 7, RW, 0));
	show("grant to a taken slot", lcd_cap_grant(CHILD, PAGE, 7, RW, 0));
	show("grant an empty slot", lcd_cap_grant(CHILD, EMPTY, 8, RW, 0));
	show("map a domain", lcd_page_map(CHILD, LCD_DATA_WINDOW, LCD_READ));
	show("run", lcd_domain_run(CHILD));
	show("run again", lcd_domain_run(CHILD));
	show("run a page", lcd_domain_run(PAGE));
	show("configure a running domain", lcd_domain_load(CHILD, "child"));
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

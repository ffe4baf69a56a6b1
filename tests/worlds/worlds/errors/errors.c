/* Every refusal leaves everything as it was, and says why in the status word. */
#include "module.h"

#define RW (LCD_READ | LCD_WRITE)

static void show(const char *what, lcd_status status)
{
	pr_info("%s: %ld\n", what, (long)status);
}

static int __init start(void)
{
	show("unknown number", lcd_hypercall(31));
	show("large number", lcd_hypercall(0xffffffff));
	show("allocate into no slot", lcd_page_allocate_one(0, RW));
	show("allocate past the last slot", lcd_page_allocate_one(1ull << 60, RW));
	show("allocate with unknown rights", lcd_page_allocate_one(5, 32));
	show("map an empty slot", lcd_page_map(5, LCD_DATA_WINDOW, RW));
	show("unmap an empty slot", lcd_page_unmap(5));
	show("delete an empty slot", lcd_cap_delete(5));
	show("allocate", lcd_page_allocate_one(5, RW));
	show("allocate again", lcd_page_allocate_one(5, RW));
	show("map outside the windows", lcd_page_map(5, 0x1000, RW));
	show("map past the end", lcd_page_map(5, 1ull << 40, RW));
	show("map between pages", lcd_page_map(5, LCD_DATA_WINDOW + 8, RW));
	show("map without a right", lcd_page_map(5, LCD_CODE_WINDOW, LCD_READ | LCD_EXECUTE));
	show("map writable into the code window", lcd_page_map(5, LCD_CODE_WINDOW, RW));
	show("map with no right", lcd_page_map(5, LCD_DATA_WINDOW, 0));
	show("map", lcd_page_map(5, LCD_DATA_WINDOW, RW));
	show("map a second time", lcd_page_map(5, LCD_DATA_WINDOW + 0x1000, RW));
	show("allocate another", lcd_page_allocate_one(6, RW));
	show("map where another is", lcd_page_map(6, LCD_DATA_WINDOW, RW));
	show("unmap what is not mapped", lcd_page_unmap(6));
	show("text longer than the buffer",
	     lcd_hypercall1(LCD_CALL_CONSOLE_WRITE, LCD_UTCB_BUFFER_SIZE + 1));
	show("delete", lcd_cap_delete(5));
	show("delete again", lcd_cap_delete(5));
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

/* The serial port's scratch register keeps what is written there. */
#include "module.h"

#define PORTS 5
#define READ_ONLY 6
#define WRITE_ONLY 7
#define SCRATCH LCD_SERIAL_SCRATCH

static uint8_t in(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "d"(port));
	return value;
}

static void out(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "d"(port));
}

static long reads(uint64_t slot, uint64_t port, uint64_t width)
{
	lcd_u64 value;

	return lcd_port_read(slot, port, width, &value);
}

static int __init start(void)
{
	lcd_u64 value = 0;
	long first, second, third;

	first = lcd_port_write(PORTS, SCRATCH, 1, 0x5a);
	second = lcd_port_read(PORTS, SCRATCH, 1, &value);
	pr_info("write %ld, read %ld: %x\n", first, second, (unsigned int)value);
	pr_info("instruction reads %x\n", in(SCRATCH));
	out(SCRATCH, 0xa5);
	lcd_port_read(PORTS, SCRATCH, 1, &value);
	pr_info("after instruction: %x\n", (unsigned int)value);
	lcd_cap_copy(PORTS, READ_ONLY, LCD_READ, 0);
	lcd_cap_copy(PORTS, WRITE_ONLY, LCD_WRITE, 0);
	first = reads(READ_ONLY, SCRATCH, 1);
	second = lcd_port_write(READ_ONLY, SCRATCH, 1, 1);
	pr_info("read-only: read %ld, write %ld\n", first, second);
	first = reads(WRITE_ONLY, SCRATCH, 1);
	second = lcd_port_write(WRITE_ONLY, SCRATCH, 1, 1);
	pr_info("write-only: read %ld, write %ld\n", first, second);
	first = reads(PORTS, LCD_SERIAL_FIRST - 1, 1);
	second = reads(PORTS, LCD_SERIAL_LAST + 1, 1);
	third = reads(PORTS, LCD_SERIAL_LAST, 2);
	pr_info("below %ld, above %ld, across the end %ld\n", first, second, third);
	pr_info("width 3: %ld\n", reads(PORTS, SCRATCH, 3));
	pr_info("delete %ld\n", (long)lcd_cap_delete(PORTS));
	first = reads(READ_ONLY, SCRATCH, 1);
	second = reads(PORTS, SCRATCH, 1);
	pr_info("read %ld, gone %ld\n", first, second);
	lcd_cap_delete(READ_ONLY);
	lcd_cap_delete(WRITE_ONLY);
	return in(SCRATCH);
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

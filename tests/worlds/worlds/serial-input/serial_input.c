/* A driver that reads what arrives at the serial port, each line in another way. */
#include "check.h"

#define BELL 8
#define MEMORY 9
#define COPY 10
/* Where the port sees the memory. */
#define IO_ADDRESS 0x20000

static lcd_u64 ports, interrupt;

/* Reads to the end of a line, or until nothing is there. Returns whether the line is complete. */
static int read_line(char *line, unsigned int *length)
{
	lcd_u64 value;

	while (lcd_port_read(ports, LCD_SERIAL_LINE_STATUS, 1, &value) == LCD_OK &&
	       (value & LCD_SERIAL_READY)) {
		lcd_port_read(ports, LCD_SERIAL_DATA, 1, &value);
		if (value == '\n') {
			line[*length] = 0;
			return 1;
		}
		line[(*length)++] = (char)value;
	}
	return 0;
}

static int read_when_told(char *line)
{
	unsigned int length = 0;
	lcd_u64 bits, cause;
	int complete;

	TRY(lcd_notification_create(BELL));
	TRY(lcd_interrupt_bind(interrupt, BELL));
	TRY(lcd_port_write(ports, LCD_SERIAL_ENABLE, 1, LCD_SERIAL_ON_INPUT));
	do {
		TRY(lcd_notification_wait(BELL, 0, &bits));
		TRY(lcd_port_read(ports, LCD_SERIAL_CAUSE, 1, &cause));
		CHECK(cause == LCD_SERIAL_CAUSE_INPUT);
		complete = read_line(line, &length);
		TRY(lcd_interrupt_acknowledge(interrupt));
	} while (!complete);
	return lcd_port_write(ports, LCD_SERIAL_ENABLE, 1, 0);
}

static int read_by_looking(char *line)
{
	unsigned int length = 0;

	while (!read_line(line, &length))
		;
	return 0;
}

static int transfer(void)
{
	lcd_u64 value;

	TRY(lcd_page_allocate_one(MEMORY, RW | LCD_GRANT));
	TRY(lcd_page_map(MEMORY, LCD_DATA_WINDOW, RW));
	TRY(lcd_cap_copy(MEMORY, COPY, LCD_WRITE, 0));
	TRY(lcd_device_map(0, COPY, IO_ADDRESS, LCD_WRITE));
	TRY(lcd_device_assign(0, ports));
	TRY(lcd_port_write(ports, LCD_SERIAL_DMA_ADDRESS, 4, IO_ADDRESS));
	TRY(lcd_port_write(ports, LCD_SERIAL_DMA_LENGTH, 4, LCD_PAGE_SIZE));
	TRY(lcd_port_write(ports, LCD_SERIAL_DMA_COMMAND, 1, LCD_SERIAL_DMA_RECEIVE));
	TRY(lcd_port_read(ports, LCD_SERIAL_DMA_COMMAND, 1, &value));
	CHECK(value == LCD_SERIAL_DMA_DONE);
	/* Room for a page was offered, and what is left of that is what did not come. */
	TRY(lcd_port_read(ports, LCD_SERIAL_DMA_LENGTH, 4, &value));
	CHECK(value == LCD_PAGE_SIZE - strlen(lcd_data_window(0)));
	TRY(lcd_port_read(ports, LCD_SERIAL_LINE_STATUS, 1, &value));
	CHECK(!(value & LCD_SERIAL_READY));
	return 0;
}

static int __init start(void)
{
	char line[64];

	ports = lcd_boot_slot("serial");
	interrupt = lcd_boot_slot("serial line");
	TRY(read_when_told(line));
	pr_info("told: %s\n", line);
	TRY(read_by_looking(line));
	pr_info("seen: %s\n", line);
	TRY(transfer());
	pr_info("transferred: %s\n", (char *)lcd_data_window(0));
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

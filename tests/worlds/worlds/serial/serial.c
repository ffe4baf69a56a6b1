/*
 * A driver for the serial port, which sends text in four ways: by its own instructions, by
 * hypercalls, when interrupts tell it to, and by the port's own access to memory.
 */
#include "check.h"

#define BELL 8
#define MEMORY 9
#define COPY 10
/* Where the port sees the memory. */
#define IO_ADDRESS 0x10000

static lcd_u64 ports, interrupt;

static void outb(uint8_t value, uint16_t port)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

/* What drivers of a 16550 begin with: the divisor, eight bits, no parity. */
static int set_up(void)
{
	outb(0, LCD_SERIAL_ENABLE);
	outb(LCD_SERIAL_DIVISOR, LCD_SERIAL_LINE_CONTROL);
	outb(1, LCD_SERIAL_DATA);
	outb(0, LCD_SERIAL_ENABLE);
	CHECK(inb(LCD_SERIAL_DATA) == 1);
	outb(3, LCD_SERIAL_LINE_CONTROL);
	outb(0x5a, LCD_SERIAL_SCRATCH);
	CHECK(inb(LCD_SERIAL_SCRATCH) == 0x5a);
	return 0;
}

static void send_by_instructions(const char *text)
{
	for (; *text; text++) {
		while (!(inb(LCD_SERIAL_LINE_STATUS) & LCD_SERIAL_EMPTY))
			;
		outb((uint8_t)*text, LCD_SERIAL_DATA);
	}
}

static int send_by_hypercalls(const char *text)
{
	for (; *text; text++) {
		lcd_u64 status;

		TRY(lcd_port_read(ports, LCD_SERIAL_LINE_STATUS, 1, &status));
		CHECK(status & LCD_SERIAL_EMPTY);
		TRY(lcd_port_write(ports, LCD_SERIAL_DATA, 1, (uint8_t)*text));
	}
	return 0;
}

/* A byte for each interrupt. */
static int send_by_interrupts(const char *text)
{
	lcd_u64 bits;

	TRY(lcd_notification_create(BELL));
	TRY(lcd_interrupt_bind(interrupt, BELL));
	outb(LCD_SERIAL_ON_EMPTY, LCD_SERIAL_ENABLE);
	for (; *text; text++) {
		TRY(lcd_notification_wait(BELL, 0, &bits));
		CHECK(inb(LCD_SERIAL_CAUSE) == LCD_SERIAL_CAUSE_EMPTY);
		outb((uint8_t)*text, LCD_SERIAL_DATA);
		TRY(lcd_interrupt_acknowledge(interrupt));
	}
	outb(0, LCD_SERIAL_ENABLE);
	CHECK(inb(LCD_SERIAL_CAUSE) == LCD_SERIAL_CAUSE_NONE);
	return 0;
}

static int transfer(uint32_t address, uint32_t length, uint64_t *status)
{
	TRY(lcd_port_write(ports, LCD_SERIAL_DMA_ADDRESS_HIGH, 4, 0));
	TRY(lcd_port_write(ports, LCD_SERIAL_DMA_ADDRESS, 4, address));
	TRY(lcd_port_write(ports, LCD_SERIAL_DMA_LENGTH, 4, length));
	TRY(lcd_port_write(ports, LCD_SERIAL_DMA_COMMAND, 1, LCD_SERIAL_DMA_SEND));
	TRY(lcd_port_read(ports, LCD_SERIAL_DMA_COMMAND, 1, status));
	return 0;
}

/* The port reads memory itself: what is mapped for it, while it is assigned. */
static int send_by_transfer(const char *text)
{
	uint32_t length = (uint32_t)strlen(text);
	uint64_t status;

	TRY(lcd_page_allocate_one(MEMORY, RW | LCD_GRANT));
	TRY(lcd_page_map(MEMORY, LCD_DATA_WINDOW, RW));
	memcpy(lcd_data_window(0), text, length);
	TRY(lcd_cap_copy(MEMORY, COPY, LCD_READ, 0));
	TRY(lcd_device_map(0, COPY, IO_ADDRESS, LCD_READ));
	TRY(transfer(IO_ADDRESS, length, &status));
	CHECK(status == LCD_SERIAL_DMA_REFUSED);
	TRY(lcd_device_assign(0, ports));
	TRY(transfer(IO_ADDRESS, length, &status));
	CHECK(status == LCD_SERIAL_DMA_DONE);
	/* With the capability goes what the port could reach. */
	TRY(lcd_cap_revoke(MEMORY));
	TRY(transfer(IO_ADDRESS, length, &status));
	CHECK(status == LCD_SERIAL_DMA_REFUSED);
	TRY(lcd_device_release(ports));
	return 0;
}

static int __init start(void)
{
	ports = lcd_boot_slot("serial");
	interrupt = lcd_boot_slot("serial line");
	TRY(set_up());
	send_by_instructions("instructions\n");
	TRY(send_by_hypercalls("hypercalls\n"));
	TRY(send_by_interrupts("interrupts\n"));
	TRY(send_by_transfer("a transfer\n"));
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

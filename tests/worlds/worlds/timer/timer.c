/*
 * A driver for the timer: it reaches the ports by its capability, through hypercalls and with
 * its own instructions, and waits for interrupts at a notification.
 */
#include "check.h"

#define BELL 8

static lcd_u64 ports, interrupt;

static void outl(uint32_t value, uint16_t port)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static void outb(uint8_t value, uint16_t port)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint32_t inl(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static uint16_t inw(uint16_t port)
{
	uint16_t value;

	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

/* Waits for an interrupt, and has the next one come. */
static int wait(void)
{
	lcd_u64 bits;

	TRY(lcd_notification_wait(BELL, 0, &bits));
	CHECK(bits == 1);
	TRY(lcd_interrupt_acknowledge(interrupt));
	return 0;
}

/* One shot, by hypercalls. */
static int one_shot(void)
{
	lcd_u64 before, after, value;

	TRY(lcd_time(&before));
	TRY(lcd_port_write(ports, LCD_TIMER_MODE, 1, 0));
	TRY(lcd_port_write(ports, LCD_TIMER_COUNT, 4, 1000));
	TRY(lcd_port_read(ports, LCD_TIMER_COUNT, 4, &value));
	CHECK(value > 0 && value < 1000);
	TRY(wait());
	TRY(lcd_time(&after));
	CHECK(after - before >= 1000);
	TRY(lcd_port_read(ports, LCD_TIMER_EXPIRED, 2, &value));
	CHECK(value == 1);
	TRY(lcd_port_read(ports, LCD_TIMER_EXPIRED, 2, &value));
	CHECK(value == 0);
	/* It stands. */
	TRY(lcd_port_read(ports, LCD_TIMER_COUNT, 4, &value));
	CHECK(value == 0);
	pr_info("one shot\n");
	return 0;
}

/* A beat, by the driver's own instructions. */
static int periodic(void)
{
	lcd_u64 before, after;
	unsigned int expired = 0;

	TRY(lcd_time(&before));
	outb(LCD_TIMER_PERIODIC, LCD_TIMER_MODE);
	outl(500, LCD_TIMER_COUNT);
	while (expired < 10) {
		TRY(wait());
		expired += inw(LCD_TIMER_EXPIRED);
		CHECK(inl(LCD_TIMER_COUNT) > 0);
	}
	outl(0, LCD_TIMER_COUNT);
	TRY(lcd_time(&after));
	CHECK(expired == 10 && after - before >= 5000);
	CHECK(inl(LCD_TIMER_COUNT) == 0);
	pr_info("a beat of %u\n", expired);
	return 0;
}

/* While it is disabled, an interrupt waits. */
static int disabled(void)
{
	lcd_u64 bits;

	TRY(lcd_interrupt_disable(interrupt));
	outb(0, LCD_TIMER_MODE);
	outl(10, LCD_TIMER_COUNT);
	TRY(lcd_sleep(100));
	CHECK(lcd_notification_poll(BELL, &bits) == LCD_WOULD_BLOCK);
	TRY(lcd_interrupt_enable(interrupt));
	TRY(wait());
	CHECK(lcd_interrupt_acknowledge(interrupt) == LCD_BAD_STATE);
	pr_info("kept while disabled\n");
	return 0;
}

static int __init start(void)
{
	lcd_u64 value;

	ports = lcd_boot_slot("timer");
	interrupt = lcd_boot_slot("timer line");
	TRY(lcd_notification_create(BELL));
	TRY(lcd_interrupt_bind(interrupt, BELL));
	TRY(one_shot());
	TRY(periodic());
	TRY(disabled());
	/* Outside of the range, there is nothing by hypercall. */
	CHECK(lcd_port_read(ports, LCD_TIMER_LAST + 1, 1, &value) == LCD_INVALID);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

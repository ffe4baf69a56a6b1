/*
 * Has two channels: at the other end of one is a friend, at that of the other somebody who
 * writes into the shared pages whatever comes to mind.
 */
#include "channel.h"

/* Asks the friend, and checks the answer. */
static int ask(struct lcd_ring *ring, uint64_t number)
{
	struct lcd_ring_message message = { .words = { number } };

	TRY(lcd_ring_send(ring, &message, 0));
	TRY(lcd_ring_receive(ring, &message, 0));
	CHECK(message.words[0] == number + 1);
	return 0;
}

/* Sends something, if the ring looks as if there were room. */
static int send(struct lcd_ring *ring)
{
	struct lcd_ring_slot *slot;
	lcd_status status = lcd_ring_send_start(ring, &slot);

	if (status == LCD_WOULD_BLOCK)
		return 0;
	TRY(status);
	slot->words[0] = 0x5ec2e7;
	status = lcd_ring_send_finish(ring);
	CHECK(status == LCD_OK || status == LCD_PEER_DIED);
	return 0;
}

static int __init start(void)
{
	struct lcd_ring hostile, friend;
	const struct lcd_ring_message *message;
	uint64_t number = 0, garbage = 0;
	lcd_status status;

	TRY(open_channel(&hostile, lcd_boot_slot("hostile")));
	TRY(open_channel(&friend, lcd_boot_slot("friendly")));
	do {
		TRY(ask(&friend, number++));
		TRY(send(&hostile));
		status = lcd_ring_receive_wait(&hostile, &message, 10);
		if (status == LCD_OK)
			TRY(lcd_ring_receive_finish(&hostile));
		garbage += status == LCD_OK || status == LCD_INVALID;
	} while (status == LCD_OK || status == LCD_INVALID || status == LCD_TIMED_OUT);
	CHECK(status == LCD_PEER_DIED);
	CHECK(garbage > 0 && friend.corrupted == 0);
	/* All that is left works. */
	for (int i = 0; i < 100; i++)
		TRY(ask(&friend, number++));
	pr_info("garbage from one, only right answers from the other\n");
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

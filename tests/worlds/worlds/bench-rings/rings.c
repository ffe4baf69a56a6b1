/*
 * Both ends of a stream of messages through a channel. Neither end rings a doorbell: one that
 * cannot go on asks again, and lets others run before if it is told that it has no processor of
 * its own.
 */
#include "module.h"

#include "lcd/ring.h"

static lcd_status start(struct lcd_ring *ring, uint64_t pages, unsigned int end)
{
	return lcd_ring_init(ring, LCD_SLOT_NULL, lcd_data_window(0), pages * LCD_PAGE_SIZE, end);
}

static void pause(uint64_t polls)
{
	if (polls)
		__builtin_ia32_pause();
	else
		lcd_yield();
}

/* Sends as many messages as it is told, and returns how many. */
uint64_t produce(uint64_t pages, uint64_t polls, uint64_t messages)
{
	struct lcd_ring ring;
	struct lcd_ring_slot *slot;

	if (start(&ring, pages, 0) != LCD_OK)
		return 0;
	for (uint64_t i = 0; i < messages; i++) {
		while (lcd_ring_send_start(&ring, &slot) != LCD_OK)
			pause(polls);
		slot->words[0] = i;
		lcd_ring_send_finish(&ring);
	}
	return messages;
}
EXPORT_SYMBOL(produce);

/* Receives as many. Returns how many were the right ones. */
uint64_t consume(uint64_t pages, uint64_t polls, uint64_t messages)
{
	const struct lcd_ring_message *message;
	struct lcd_ring ring;
	uint64_t right = 0;

	if (start(&ring, pages, 1) != LCD_OK)
		return 0;
	for (uint64_t i = 0; i < messages; i++) {
		while (lcd_ring_receive_start(&ring, &message) != LCD_OK)
			pause(polls);
		right += message->words[0] == i;
		lcd_ring_receive_finish(&ring);
	}
	return right;
}
EXPORT_SYMBOL(consume);

MODULE_LICENSE("Dual MIT/Apache-2.0");

/* Messages of eight words, and whether they are the right ones. */
#ifndef MEETING_H
#define MEETING_H

#include "module.h"

#define MEETING 5
#define TIMES 100

static inline void message_fill(uint64_t first)
{
	for (int i = 0; i < LCD_UTCB_REGISTERS; i++)
		*(volatile lcd_u64 *)&lcd_utcb()->message[i] = first * 1000 + i;
}

static inline bool message_is(uint64_t first)
{
	bool right = true;

	for (int i = 0; i < LCD_UTCB_REGISTERS; i++)
		right &= *(volatile lcd_u64 *)&lcd_utcb()->message[i] == first * 1000 + i;
	return right;
}

/* Answers calls with the next higher number, and returns how many were right. */
static inline int meeting_serve(uint64_t endpoint)
{
	int right = 0;
	lcd_status status = lcd_sync_receive(endpoint, 0);

	for (int i = 0; i < TIMES && status == LCD_OK; i++) {
		right += lcd_utcb()->received == LCD_RECEIVED_CALL && message_is(2 * i);
		message_fill(2 * i + 1);
		if (i + 1 < TIMES)
			status = lcd_sync_reply_receive(endpoint, 0);
		else
			status = lcd_sync_reply();
	}
	return right;
}

/* Calls, and returns how many answers were right. */
static inline int meeting_call(uint64_t endpoint)
{
	int right = 0;

	for (int i = 0; i < TIMES; i++) {
		message_fill(2 * i);
		right += lcd_sync_call(endpoint, 0) == LCD_OK && message_is(2 * i + 1);
	}
	return right;
}

/* Sends; every other time somebody else has a turn before. */
static inline int meeting_send(uint64_t endpoint)
{
	int sent = 0;

	for (int i = 0; i < TIMES; i++) {
		if (i % 2)
			lcd_yield();
		message_fill(i);
		sent += lcd_sync_send(endpoint, 0) == LCD_OK;
	}
	return sent;
}

/* Receives, and returns how many were right. */
static inline int meeting_receive(uint64_t endpoint)
{
	int right = 0;

	for (int i = 0; i < TIMES; i++) {
		if (i % 3 == 0)
			lcd_yield();
		right += lcd_sync_receive(endpoint, 0) == LCD_OK && message_is(i);
	}
	return right;
}

#endif /* MEETING_H */

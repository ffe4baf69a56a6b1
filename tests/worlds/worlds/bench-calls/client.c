/* Calls the server again and again; beside it, a hypercall that concerns nobody else. */
#include "module.h"

#define SERVER 5

/* As many calls as it is told. Returns how many were answered rightly. */
uint64_t call(uint64_t rounds)
{
	struct lcd_utcb *utcb = lcd_utcb();
	uint64_t answered = 0;

	for (uint64_t i = 0; i < rounds; i++) {
		utcb->message[0] = i;
		if (lcd_sync_call(SERVER, 0) == LCD_OK && utcb->message[0] == i + 1)
			answered++;
	}
	return answered;
}
EXPORT_SYMBOL(call);

/* The same without anybody to wait for. */
uint64_t ask_the_time(uint64_t rounds)
{
	uint64_t answered = 0, ticks;

	for (uint64_t i = 0; i < rounds; i++)
		answered += lcd_time(&ticks) == LCD_OK;
	return answered;
}
EXPORT_SYMBOL(ask_the_time);

MODULE_LICENSE("Dual MIT/Apache-2.0");

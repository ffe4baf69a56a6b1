/* Both sides of a conversation of signals: each has a notification that only the other signals. */
#include "module.h"

#define OURS 5
#define THEIRS 6

/* Signals and waits for the answer, as often as it is told. Returns how often one came. */
uint64_t signal(uint64_t rounds)
{
	uint64_t answered = 0, bits;

	for (uint64_t i = 0; i < rounds; i++) {
		lcd_notification_signal(THEIRS);
		if (lcd_notification_wait(OURS, 0, &bits) == LCD_OK && bits == 1)
			answered++;
	}
	return answered;
}
EXPORT_SYMBOL(signal);

/* Answers until nobody is left who could signal. */
int64_t answer(void)
{
	lcd_status status;
	lcd_u64 bits;

	while ((status = lcd_notification_wait(OURS, 0, &bits)) == LCD_OK)
		lcd_notification_signal(THEIRS);
	return status == LCD_PEER_DIED ? 0 : status;
}
EXPORT_SYMBOL(answer);

MODULE_LICENSE("Dual MIT/Apache-2.0");

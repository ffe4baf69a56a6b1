/* What worlds need to talk through memory that is mapped already. */
#ifndef CHANNEL_H
#define CHANNEL_H

#include "check.h"

#include <lcd/ring.h>

/* Where the block of a capability is mapped, or null. */
static inline void *memory_of(lcd_u64 slot)
{
	struct lcd_capability found = { 0 };

	lcd_cap_inspect(slot, &found);
	return found.address ? lcd_data_window(found.address - LCD_DATA_WINDOW) : NULL;
}

/* Prepares the end of a mapped channel's rings that the capability is for. */
static inline lcd_status open_channel(struct lcd_ring *ring, lcd_u64 channel)
{
	struct lcd_capability found;
	lcd_status status = lcd_cap_inspect(channel, &found);

	if (status != LCD_OK)
		return status;
	return lcd_ring_init(ring, channel, lcd_data_window(found.address - LCD_DATA_WINDOW),
			     found.size * LCD_PAGE_SIZE, (unsigned int)found.badge);
}

/*
 * What to do while somebody else has to write something into shared memory: look on for a
 * while, then have others run. Asking the microkernel each time would fill the log, if the
 * other side's processor is busy elsewhere.
 */
static inline void let_others_run(void)
{
	for (int i = 0; i < 1000; i++)
		__builtin_ia32_pause();
	lcd_yield();
}

#endif /* CHANNEL_H */

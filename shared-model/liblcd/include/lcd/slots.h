/*
 * Which capability slots are free. What the boot information names is taken from the start;
 * the program takes the rest here, or says which numbers it uses of its own accord.
 *
 * Numbers come lowest first: all of level 0, then level 1, then level 2. Level 3 is the
 * heap's. These functions make no hypercall: whether a slot is allocated and whether a
 * capability is in it are two things.
 */
#ifndef LCD_SLOTS_H
#define LCD_SLOTS_H

#include <lcd.h>

/* The lowest free slot; LCD_NO_MEMORY if there is none. */
lcd_status lcd_slot_alloc(lcd_u64 *slot);

/* Takes this slot; LCD_EXISTS if it is taken. */
lcd_status lcd_slot_take(lcd_u64 slot);

/* Gives it back; LCD_NOT_FOUND, and no effect, if it is free already. */
lcd_status lcd_slot_free(lcd_u64 slot);

#endif /* LCD_SLOTS_H */

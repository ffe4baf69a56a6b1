/*
 * Messages through shared pages, without the microkernel: over a channel, or any block of
 * pages that two domains have mapped.
 *
 * The pages hold two rings of 64-byte slots, one for each direction. Each side has a cursor
 * in either ring and keeps it to itself; all that is shared is in the slots. A slot's status
 * says whose turn it is:
 *
 *   AVAILABLE  empty: the sender may fill it
 *   AWAITED    empty, and the receiver waits at its doorbell
 *   SENT       holds a message
 *   FULL       holds a message, and the sender waits at its doorbell for the slot
 *
 * AVAILABLE is zero, so fresh pages are two empty rings, and neither side has to wait until
 * the other has prepared them.
 *
 * The other side can write anything into the pages at any time. That damages messages and
 * nothing else: cursors are private, a message is copied once before anybody looks at it,
 * and a slot whose status is none of the four is passed over.
 *
 * No function here makes a hypercall but the two that wait, and the two that finish if the
 * other side announced that it waits. One end belongs to one thread.
 */
#ifndef LCD_RING_H
#define LCD_RING_H

#include <lcd.h>

#define LCD_RING_AVAILABLE 0u
#define LCD_RING_AWAITED 0x74696177u
#define LCD_RING_SENT 0x746e6573u
#define LCD_RING_FULL 0x6c6c7566u

#define LCD_RING_WORDS 7

/* A message where it is on its way: shared with the other side. */
struct lcd_ring_slot {
	lcd_u32 status;
	lcd_u32 flags;
	lcd_u64 words[LCD_RING_WORDS];
};

_Static_assert(sizeof(struct lcd_ring_slot) == 64, "a slot is a cache line");

/* A message that has arrived: a private copy. */
struct lcd_ring_message {
	lcd_u32 flags;
	lcd_u64 words[LCD_RING_WORDS];
};

/* One end. The fields are the functions' own, but for the counters. */
struct lcd_ring {
	struct lcd_ring_slot *outgoing, *incoming;
	/* Slots in each direction, and the two cursors below that. */
	lcd_u64 slots, send_at, receive_at;
	/* The channel whose doorbells are used, or LCD_SLOT_NULL for none. */
	lcd_u64 channel;
	int sending, copied;
	struct lcd_ring_message message;
	/* Slots found with a status that means nothing. */
	lcd_u64 corrupted;
};

/*
 * Prepares one end of the rings in `size` bytes of memory. One side passes 0 as `end`, the
 * other 1. Without a channel, waiting is asking again and again, and yielding between.
 */
lcd_status lcd_ring_init(struct lcd_ring *ring, lcd_u64 channel, void *memory, lcd_u64 size,
			 unsigned int end);

/*
 * Reserves a slot, to be filled in place; finish publishes it. LCD_WOULD_BLOCK if the ring
 * is full, LCD_BAD_STATE if a slot is reserved already. Only flags and words are the
 * caller's. A failure of finish is one of the doorbell: the message is in the ring.
 */
lcd_status lcd_ring_send_start(struct lcd_ring *ring, struct lcd_ring_slot **slot);
lcd_status lcd_ring_send_finish(struct lcd_ring *ring);

/* Start, once there is room. A timeout is in ticks; 0 is none. */
lcd_status lcd_ring_send_wait(struct lcd_ring *ring, struct lcd_ring_slot **slot,
			      lcd_u64 timeout);

/*
 * Copies the next message; finish gives its slot back. Until then, start finds the same copy
 * again. LCD_WOULD_BLOCK if there is none; LCD_INVALID if a slot that means nothing was
 * passed over.
 */
lcd_status lcd_ring_receive_start(struct lcd_ring *ring, const struct lcd_ring_message **message);
lcd_status lcd_ring_receive_finish(struct lcd_ring *ring);

/* Start, once there is something. */
lcd_status lcd_ring_receive_wait(struct lcd_ring *ring, const struct lcd_ring_message **message,
				 lcd_u64 timeout);

/* Start, if the predicate likes the next message; LCD_NOT_FOUND if not, and it stays. */
lcd_status lcd_ring_receive_if(struct lcd_ring *ring,
			       int (*predicate)(const struct lcd_ring_message *message,
						void *context),
			       void *context, const struct lcd_ring_message **message);

/* Whether a slot could be reserved now. */
int lcd_ring_has_room(const struct lcd_ring *ring);

/*
 * Announce a wait, for those who wait for several things at once: the other side will ring
 * when there is something to receive, or room to send. LCD_OK if there is nothing now, so
 * that waiting is right; LCD_BUSY if there is, and it is not.
 */
lcd_status lcd_ring_announce_receive(struct lcd_ring *ring);
lcd_status lcd_ring_announce_send(struct lcd_ring *ring);

/* A message in one call each, copied. They wait as long as it takes, or the timeout. */
lcd_status lcd_ring_send(struct lcd_ring *ring, const struct lcd_ring_message *message,
			 lcd_u64 timeout);
lcd_status lcd_ring_receive(struct lcd_ring *ring, struct lcd_ring_message *message,
			    lcd_u64 timeout);

#endif /* LCD_RING_H */

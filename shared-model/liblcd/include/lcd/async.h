/*
 * Activities: functions that take turns on one thread, each on a stack of its own. An
 * activity runs until it yields, waits or returns; so what it does between needs no lock.
 * Each thread of a domain has its own activities, and they never change threads.
 *
 *	LCD_FINISH {
 *		lcd_async(first, &a);
 *		lcd_async(second, &b);
 *	}
 *
 * starts two, and goes on when both have returned, and all that they have started.
 */
#ifndef LCD_ASYNC_H
#define LCD_ASYNC_H

#include <lcd/ring.h>

/* Bytes of an activity's stack. */
#define LCD_ASYNC_STACK 16384
/* Activities that a thread can have, itself included, and those that serve one link. */
#define LCD_ASYNC_MAX 1024
#define LCD_ASYNC_SERVED 256

struct lcd_activity;

/* What is joined and cancelled together. The fields are the functions' own. */
struct lcd_async_block {
	struct lcd_async_block *outer;
	struct lcd_activity *waiter;
	lcd_u64 activities;
	int cancelled;
};

/*
 * Starts an activity: it runs at once, until it first yields or waits. It belongs to the
 * innermost block that the caller has begun, or else to the caller's own.
 */
lcd_status lcd_async(void (*function)(void *argument), void *argument);

/* Lets the other activities run first. LCD_CANCELLED if the caller is to come to an end. */
lcd_status lcd_async_yield(void);

/*
 * Begins a block; finish waits for all activities started within it. Blocks are finished in
 * the opposite order, by who began them. The thread itself can finish a null pointer: all
 * activities that were started outside of every block. LCD_CANCELLED if it was cancelled.
 */
lcd_status lcd_async_begin(struct lcd_async_block *block);
lcd_status lcd_async_finish(struct lcd_async_block *block);

/* Around statements; not to be left by break, return or goto. */
#define LCD_FINISH                                                                         \
	for (struct lcd_async_block lcd_block_,                                            \
	     *lcd_once_ = lcd_async_begin(&lcd_block_) == LCD_OK ? &lcd_block_ : 0;        \
	     lcd_once_; lcd_async_finish(lcd_once_), lcd_once_ = 0)

/*
 * Ends the block's activities, and those of blocks within: whatever they wait for, or ask
 * for from now on, fails with LCD_CANCELLED, so that they clean up and return. A null
 * pointer is the block that the caller belongs to, and so ends the caller as well.
 */
lcd_status lcd_async_cancel(struct lcd_async_block *block);

/* Whether the caller's block, or one around it, was cancelled. */
int lcd_async_cancelled(void);

/*
 * A ring over which calls are made, or served, or both. Who attaches it sets `ring` by
 * lcd_ring_init(), and `serve` and `context`, and leaves the rest zero.
 */
struct lcd_async_link {
	struct lcd_ring ring;
	/* Called in an activity of its own for each message that is no response; or null. */
	void (*serve)(struct lcd_async_link *link, const struct lcd_ring_message *request);
	void *context;
	/* Messages for which nobody was there: unknown or forged responses, requests too many. */
	lcd_u64 dropped;
	/* LCD_OK until the other side is gone. */
	lcd_status status;

	struct lcd_async_link *next;
	struct lcd_activity *senders, *senders_last;
	lcd_u64 serving;
	void *owner;
};

lcd_status lcd_async_attach(struct lcd_async_link *link);

/*
 * What waits for the link fails with LCD_CANCELLED. Returns when nobody serves it any more;
 * LCD_BUSY if the caller does.
 */
lcd_status lcd_async_detach(struct lcd_async_link *link);

/*
 * Sends a request, and lets the others run until its response is here. LCD_PEER_DIED if
 * nobody is left to answer, LCD_NO_MEMORY if the other side had no room for the request.
 */
lcd_status lcd_async_call(struct lcd_async_link *link, const lcd_u64 request[LCD_RING_WORDS],
			  lcd_u64 response[LCD_RING_WORDS]);

/* Answers a request; LCD_INVALID if its sender expects no answer. */
lcd_status lcd_async_answer(struct lcd_async_link *link, const struct lcd_ring_message *request,
			    const lcd_u64 response[LCD_RING_WORDS]);

/* A message that nobody answers. */
lcd_status lcd_async_send(struct lcd_async_link *link, const lcd_u64 words[LCD_RING_WORDS]);

/*
 * Looks into every attached ring once: wakes who is answered, starts who serves. Returns
 * how much there was to do. Waiting and yielding do this by themselves.
 */
lcd_u64 lcd_async_dispatch(void);

/* Serves until lcd_async_stop(), or until the other side of every link is gone. */
lcd_status lcd_async_serve(void);
void lcd_async_stop(void);

/*
 * What is in the flags of such messages: bits 0 and 1 say what it is, the others are the
 * sender's name for its call, which a response repeats.
 */
#define LCD_ASYNC_KIND 3u
#define LCD_ASYNC_MESSAGE 0u
#define LCD_ASYNC_REQUEST 1u
#define LCD_ASYNC_RESPONSE 2u
#define LCD_ASYNC_REFUSED 3u

#endif /* LCD_ASYNC_H */

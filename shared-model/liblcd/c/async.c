/*
 * Activities and calls over rings: see lcd/async.h.
 *
 * A thread's scheduler is found through a word of the thread's area. An activity is in one
 * place at a time: running, in the queue of those that can run, in a link's queue of those
 * that wait for room, in the table of calls, or the waiter of a block.
 *
 * Cookies. The flags of a request name the call: an entry of the table (10 bits) and a tag
 * (20 bits) that differs each time the entry is used. A response counts only if it came
 * through the link that the request left by and repeats both. So the other side of one link
 * can neither answer nor end a call of another, and an answer that comes twice, or too late,
 * meets nobody. Entries are used again in turn, the oldest first. Tags come from a generator
 * that is seeded by the clock and the thread: they are not secrets, since runs have to repeat,
 * but nobody on one link sees those of another, and there nothing would be gained by them.
 */
#include "kernel.h"

#include "lcd/async.h"

INTERNAL void async_switch(void **from, void *to);

/* Where the thread's area has the scheduler's address: behind c/per_processor.S's symbols. */
#define AREA_SCHEDULER (LCD_AREA_FREE + 0x100)

#define GUARD_WORDS 8
#define GUARD 0x73746b5f67756172ull
/* Stacks that are kept for the next activity. */
#define SPARE_MAX 32
/* So often looks a yield into the rings, or lets the other domains run. */
#define YIELDS_PER_DISPATCH 16
#define YIELDS_PER_YIELD 1024

#define ID_SHIFT 2
#define TAG_SHIFT 12
#define ID(flags) ((flags) >> ID_SHIFT & (LCD_ASYNC_MAX - 1))
#define TAG(flags) ((flags) >> TAG_SHIFT)

struct lcd_activity {
	void *sp;
	struct lcd_activity *next;
	/* The block that it belongs to, and the innermost that it has begun, or that one. */
	struct lcd_async_block *within, *innermost;
	void (*function)(void *argument);
	void *argument;
	/* The lowest word of its stack; null for the thread's own. */
	uint64_t *stack;
	/* What it serves. */
	struct lcd_async_link *link;
	struct lcd_ring_message request;
};

/* A call that waits for its response. It is on the stack of its activity. */
struct call {
	struct lcd_async_link *link;
	struct lcd_activity *activity;
	uint64_t *response;
	uint32_t tag;
	lcd_status status;
};

struct scheduler {
	struct lcd_activity thread;
	struct lcd_activity *current;
	struct lcd_activity *ready, *ready_last;
	/* Returned, but its stack was still in use. */
	struct lcd_activity *ended;
	struct lcd_activity *spare;
	unsigned int spares, activities, yields;
	bool stopping;
	struct lcd_async_block outermost;
	struct lcd_async_link *links;
	struct call *calls[LCD_ASYNC_MAX];
	/* The entries of `calls` that are free, in the order in which they became so. */
	uint16_t free_ids[LCD_ASYNC_MAX];
	unsigned int free_first, free_count;
	uint64_t tags;
};

static struct scheduler *find(void)
{
	return (struct scheduler *)lcd_area_word(AREA_SCHEDULER);
}

static struct scheduler *create(void)
{
	struct scheduler *s = __kmalloc(sizeof(*s), GFP_KERNEL | GFP_ZERO);
	lcd_u64 now = 0;

	if (!s)
		return NULL;
	s->current = &s->thread;
	s->thread.within = s->thread.innermost = &s->outermost;
	s->free_count = LCD_ASYNC_MAX;
	for (unsigned int i = 0; i < LCD_ASYNC_MAX; i++)
		s->free_ids[i] = (uint16_t)i;
	lcd_time(&now);
	s->tags = now << 32 ^ lcd_thread() << 16 ^ (uintptr_t)s;
	__asm__ volatile("movq %0, %%gs:%c1" : : "r"(s), "i"(AREA_SCHEDULER) : "memory");
	return s;
}

static struct scheduler *scheduler(void)
{
	struct scheduler *s = find();

	return s ? s : create();
}

/* splitmix64 (Steele, Lea and Flood 2014); a tag is its upper bits. */
static uint32_t next_tag(struct scheduler *s)
{
	uint64_t x = s->tags += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return (uint32_t)((x ^ x >> 31) >> (32 + TAG_SHIFT));
}

/* Queues. */

static void append(struct lcd_activity **first, struct lcd_activity **last,
		   struct lcd_activity *activity)
{
	activity->next = NULL;
	if (*first)
		(*last)->next = activity;
	else
		*first = activity;
	*last = activity;
}

static void make_ready(struct scheduler *s, struct lcd_activity *activity)
{
	append(&s->ready, &s->ready_last, activity);
}

static struct lcd_activity *take_ready(struct scheduler *s)
{
	struct lcd_activity *activity = s->ready;

	if (activity)
		s->ready = activity->next;
	return activity;
}

/* Those that wait for room look for themselves again, in their order. */
static void wake_senders(struct scheduler *s, struct lcd_async_link *link)
{
	struct lcd_activity *activity = link->senders;

	link->senders = NULL;
	while (activity) {
		struct lcd_activity *next = activity->next;

		make_ready(s, activity);
		activity = next;
	}
}

static bool is_over(const struct lcd_async_block *block)
{
	while (block && !block->cancelled)
		block = block->outer;
	return block;
}

static bool is_cancelled(const struct lcd_activity *activity)
{
	return is_over(activity->within);
}

/* Stacks. */

static void check_stack(const struct lcd_activity *activity)
{
	if (!activity->stack)
		return;
	for (unsigned int i = 0; i < GUARD_WORDS; i++)
		if (activity->stack[i] != GUARD)
			panic("the stack of an activity was too small: %ps",
			      (void *)activity->function);
}

/* Frees what could not be freed by its user. */
static void reap(struct scheduler *s)
{
	struct lcd_activity *ended = s->ended;

	s->ended = NULL;
	if (!ended)
		return;
	if (s->spares < SPARE_MAX) {
		s->spares++;
		ended->next = s->spare;
		s->spare = ended;
	} else {
		kfree(ended->stack);
	}
}

static void switch_to(struct scheduler *s, struct lcd_activity *next)
{
	struct lcd_activity *from = s->current;

	check_stack(from);
	if (next == from)
		return;
	s->current = next;
	async_switch(&from->sp, next->sp);
	reap(s);
}

static lcd_u64 dispatch(struct scheduler *s);
static void idle(struct scheduler *s);

/* Runs somebody else until the current activity is ready again. */
static void wait(struct scheduler *s)
{
	struct lcd_activity *next;

	while (!(next = take_ready(s)))
		if (dispatch(s) == 0)
			idle(s);
	switch_to(s, next);
}

/* What an activity begins with. */
__attribute__((noreturn)) static void run(void)
{
	struct scheduler *s = find();
	struct lcd_activity *self = s->current, *next;
	struct lcd_async_block *block = self->within;

	reap(s);
	self->function(self->argument);
	if (self->innermost != block)
		panic("an activity returned out of a block: %ps", (void *)self->function);
	if (--block->activities == 0 && block->waiter) {
		make_ready(s, block->waiter);
		block->waiter = NULL;
	}
	s->activities--;
	/* The next one frees this stack. Until then waiting may still use it. */
	while (!(next = take_ready(s)))
		if (dispatch(s) == 0)
			idle(s);
	s->ended = self;
	switch_to(s, next);
	__builtin_unreachable();
}

/* An activity that has not run yet. */
static struct lcd_activity *spawn(struct scheduler *s, struct lcd_async_block *block)
{
	struct lcd_activity *activity = s->spare;
	uint64_t *stack, *sp;

	if (s->activities + 1 >= LCD_ASYNC_MAX)
		return NULL;
	if (activity) {
		s->spare = activity->next;
		s->spares--;
		stack = activity->stack;
	} else {
		stack = __kmalloc(LCD_ASYNC_STACK, GFP_KERNEL);
		if (!stack)
			return NULL;
		for (unsigned int i = 0; i < GUARD_WORDS; i++)
			stack[i] = GUARD;
	}
	activity = (struct lcd_activity *)((char *)stack + LCD_ASYNC_STACK) - 1;
	activity = (struct lcd_activity *)((uintptr_t)activity & ~63ull);
	/*
	 * As async_switch() left it: six registers, where to go on, and where `run` would return
	 * to, so that the stack is aligned as at any function's entry.
	 */
	sp = (uint64_t *)activity - 8;
	memset(sp, 0, 8 * sizeof(*sp));
	sp[6] = (uintptr_t)run;
	*activity = (struct lcd_activity){
		.sp = sp, .within = block, .innermost = block, .stack = stack,
	};
	block->activities++;
	s->activities++;
	return activity;
}

lcd_status lcd_async(void (*function)(void *argument), void *argument)
{
	struct scheduler *s = scheduler();
	struct lcd_activity *activity;

	if (s && is_over(s->current->innermost))
		return LCD_CANCELLED;
	activity = s ? spawn(s, s->current->innermost) : NULL;
	if (!activity)
		return LCD_NO_MEMORY;
	activity->function = function;
	activity->argument = argument;
	/* The caller is the next to run. */
	s->current->next = s->ready;
	if (!s->ready)
		s->ready_last = s->current;
	s->ready = s->current;
	switch_to(s, activity);
	return LCD_OK;
}

lcd_status lcd_async_yield(void)
{
	struct scheduler *s = find();

	if (!s) {
		lcd_yield();
		return LCD_OK;
	}
	s->yields++;
	if (!s->ready || s->yields % YIELDS_PER_DISPATCH == 0) {
		/* Whoever waits for something to change, waits for another domain. */
		if ((dispatch(s) == 0 && !s->ready) || s->yields % YIELDS_PER_YIELD == 0)
			lcd_yield();
	}
	make_ready(s, s->current);
	wait(s);
	return is_cancelled(s->current) ? LCD_CANCELLED : LCD_OK;
}

/* Blocks. */

lcd_status lcd_async_begin(struct lcd_async_block *block)
{
	struct scheduler *s = scheduler();

	if (!s)
		return LCD_NO_MEMORY;
	*block = (struct lcd_async_block){ .outer = s->current->innermost };
	s->current->innermost = block;
	return LCD_OK;
}

lcd_status lcd_async_finish(struct lcd_async_block *block)
{
	struct scheduler *s = scheduler();
	bool outermost, cancelled;

	if (!s)
		return LCD_NO_MEMORY;
	outermost = !block && s->current == &s->thread;
	if (outermost)
		block = &s->outermost;
	if (!block || s->current->innermost != block ||
	    (block == s->current->within && !outermost))
		return LCD_BAD_STATE;
	if (block->activities > 0) {
		block->waiter = s->current;
		wait(s);
	}
	cancelled = block->cancelled;
	if (outermost)
		block->cancelled = false;
	else
		s->current->innermost = block->outer;
	return cancelled ? LCD_CANCELLED : LCD_OK;
}

/* Gives back a place in the table of calls. */
static void free_id(struct scheduler *s, unsigned int id)
{
	s->calls[id] = NULL;
	s->free_ids[(s->free_first + s->free_count++) % LCD_ASYNC_MAX] = (uint16_t)id;
}

/* Ends a call. */
static void complete(struct scheduler *s, unsigned int id, lcd_status status)
{
	struct call *call = s->calls[id];

	free_id(s, id);
	call->status = status;
	make_ready(s, call->activity);
}

lcd_status lcd_async_cancel(struct lcd_async_block *block)
{
	struct scheduler *s = scheduler();

	if (!s)
		return LCD_NO_MEMORY;
	if (!block)
		block = s->current->within;
	block->cancelled = true;
	for (unsigned int id = 0; id < LCD_ASYNC_MAX; id++)
		if (s->calls[id] && is_cancelled(s->calls[id]->activity))
			complete(s, id, LCD_CANCELLED);
	for (struct lcd_async_link *link = s->links; link; link = link->next)
		wake_senders(s, link);
	return LCD_OK;
}

int lcd_async_cancelled(void)
{
	struct scheduler *s = find();

	return s && is_cancelled(s->current);
}

/* Links. */

lcd_status lcd_async_attach(struct lcd_async_link *link)
{
	struct scheduler *s = scheduler();

	if (!s)
		return LCD_NO_MEMORY;
	if (link->owner)
		return LCD_BAD_STATE;
	link->owner = s;
	link->status = LCD_OK;
	link->senders = NULL;
	link->serving = 0;
	link->next = s->links;
	s->links = link;
	return LCD_OK;
}

/* What waits for the link fails. */
static void fail(struct scheduler *s, struct lcd_async_link *link, lcd_status status)
{
	link->status = status;
	for (unsigned int id = 0; id < LCD_ASYNC_MAX; id++)
		if (s->calls[id] && s->calls[id]->link == link)
			complete(s, id, status);
	wake_senders(s, link);
}

lcd_status lcd_async_detach(struct lcd_async_link *link)
{
	struct scheduler *s = find();

	if (!s || link->owner != s)
		return LCD_BAD_STATE;
	if (s->current->link == link)
		return LCD_BUSY;
	for (struct lcd_async_link **at = &s->links; *at; at = &(*at)->next) {
		if (*at == link) {
			*at = link->next;
			break;
		}
	}
	fail(s, link, LCD_CANCELLED);
	while (link->serving > 0)
		lcd_async_yield();
	link->owner = NULL;
	return LCD_OK;
}

/* Reserves a slot, and lets the others run until there is one. */
static lcd_status reserve(struct scheduler *s, struct lcd_async_link *link,
			  struct lcd_ring_slot **slot)
{
	for (;;) {
		lcd_status status;

		if (link->owner != s)
			return LCD_BAD_STATE;
		if (link->status != LCD_OK)
			return link->status;
		if (is_cancelled(s->current))
			return LCD_CANCELLED;
		status = lcd_ring_send_start(&link->ring, slot);
		if (status != LCD_WOULD_BLOCK)
			return status;
		append(&link->senders, &link->senders_last, s->current);
		wait(s);
	}
}

static lcd_status send(struct lcd_async_link *link, uint32_t flags, const lcd_u64 *words)
{
	struct scheduler *s = scheduler();
	struct lcd_ring_slot *slot;
	lcd_status status = s ? reserve(s, link, &slot) : LCD_NO_MEMORY;

	if (status != LCD_OK)
		return status;
	slot->flags = flags;
	memcpy(slot->words, words, sizeof(slot->words));
	return lcd_ring_send_finish(&link->ring);
}

lcd_status lcd_async_send(struct lcd_async_link *link, const lcd_u64 words[LCD_RING_WORDS])
{
	return send(link, LCD_ASYNC_MESSAGE, words);
}

lcd_status lcd_async_answer(struct lcd_async_link *link, const struct lcd_ring_message *request,
			    const lcd_u64 response[LCD_RING_WORDS])
{
	if ((request->flags & LCD_ASYNC_KIND) != LCD_ASYNC_REQUEST)
		return LCD_INVALID;
	return send(link, (request->flags & ~LCD_ASYNC_KIND) | LCD_ASYNC_RESPONSE, response);
}

lcd_status lcd_async_call(struct lcd_async_link *link, const lcd_u64 request[LCD_RING_WORDS],
			  lcd_u64 response[LCD_RING_WORDS])
{
	struct scheduler *s = scheduler();
	struct call call;
	unsigned int id;
	lcd_status status;

	/* There is an entry: no activity has two, and there are no more activities. */
	if (!s || s->free_count == 0)
		return LCD_NO_MEMORY;
	call = (struct call){ link, s->current, response, next_tag(s), LCD_OK };
	id = s->free_ids[s->free_first];
	s->free_first = (s->free_first + 1) % LCD_ASYNC_MAX;
	s->free_count--;
	status = send(link, LCD_ASYNC_REQUEST | id << ID_SHIFT | call.tag << TAG_SHIFT, request);
	if (status != LCD_OK) {
		free_id(s, id);
		return status;
	}
	s->calls[id] = &call;
	wait(s);
	return call.status;
}

/* What an activity that serves does. */
static void serve(void *argument)
{
	struct lcd_activity *self = argument;

	self->link->serve(self->link, &self->request);
	self->link->serving--;
	self->link = NULL;
}

/* Tells the sender of a request that it cannot be served, if that can be done at once. */
static void refuse(struct lcd_async_link *link, const struct lcd_ring_message *message)
{
	struct lcd_ring_slot *slot;

	link->dropped++;
	if ((message->flags & LCD_ASYNC_KIND) == LCD_ASYNC_REQUEST &&
	    lcd_ring_send_start(&link->ring, &slot) == LCD_OK) {
		slot->flags = (message->flags & ~LCD_ASYNC_KIND) | LCD_ASYNC_REFUSED;
		memset(slot->words, 0, sizeof(slot->words));
		lcd_ring_send_finish(&link->ring);
	}
}

static void handle(struct scheduler *s, struct lcd_async_link *link,
		   const struct lcd_ring_message *message)
{
	uint32_t kind = message->flags & LCD_ASYNC_KIND;

	if (kind == LCD_ASYNC_RESPONSE || kind == LCD_ASYNC_REFUSED) {
		struct call *call = s->calls[ID(message->flags)];

		if (!call || call->link != link || call->tag != TAG(message->flags)) {
			link->dropped++;
			return;
		}
		if (kind == LCD_ASYNC_RESPONSE)
			memcpy(call->response, message->words, sizeof(message->words));
		complete(s, ID(message->flags),
			 kind == LCD_ASYNC_RESPONSE ? LCD_OK : LCD_NO_MEMORY);
	} else {
		struct lcd_activity *activity = NULL;

		/* However many requests come, they leave room for others. */
		if (link->serve && link->serving < LCD_ASYNC_SERVED)
			activity = spawn(s, &s->outermost);
		if (!activity) {
			refuse(link, message);
			return;
		}
		activity->function = serve;
		activity->argument = activity;
		activity->link = link;
		activity->request = *message;
		link->serving++;
		make_ready(s, activity);
	}
}

/* Everything that is in the rings, but of each no more than it has room for. */
static lcd_u64 dispatch(struct scheduler *s)
{
	lcd_u64 done = 0;

	for (struct lcd_async_link *link = s->links; link; link = link->next) {
		if (link->status != LCD_OK)
			continue;
		for (lcd_u64 i = 0; i < link->ring.slots; i++) {
			const struct lcd_ring_message *message;
			lcd_status status = lcd_ring_receive_start(&link->ring, &message);

			if (status == LCD_WOULD_BLOCK)
				break;
			done++;
			if (status == LCD_OK) {
				handle(s, link, message);
				lcd_ring_receive_finish(&link->ring);
			}
		}
		if (link->senders && lcd_ring_has_room(&link->ring)) {
			done++;
			wake_senders(s, link);
		}
	}
	return done;
}

lcd_u64 lcd_async_dispatch(void)
{
	struct scheduler *s = find();

	return s ? dispatch(s) : 0;
}

static struct lcd_async_link *next_alive(struct lcd_async_link *link)
{
	while (link && link->status != LCD_OK)
		link = link->next;
	return link;
}

/* Waits at a link's doorbell; LCD_TIMED_OUT if that was in vain. */
static lcd_status wait_for(struct lcd_async_link *link, lcd_u64 timeout)
{
	lcd_u64 bits;

	if (link->ring.channel == LCD_SLOT_NULL) {
		lcd_yield();
		return LCD_TIMED_OUT;
	}
	if (lcd_ring_announce_receive(&link->ring) != LCD_OK ||
	    (link->senders && lcd_ring_announce_send(&link->ring) != LCD_OK))
		return LCD_OK;
	return lcd_notification_wait(link->ring.channel, timeout, &bits);
}

/*
 * Nobody can run, and the rings are empty: lets the other domains run. One cannot wait at
 * two doorbells, so with several links it stays a tick at each in turn.
 */
static void idle(struct scheduler *s)
{
	struct lcd_async_link *link = next_alive(s->links);
	bool only = link && !next_alive(link->next);

	if (!link)
		panic("every activity waits, and nobody is left to wait for");
	for (; link; link = next_alive(link->next)) {
		lcd_status status = wait_for(link, only ? 0 : 1);

		if (status == LCD_OK)
			return;
		/* What was sent before the other side died still counts. */
		if (status != LCD_TIMED_OUT && dispatch(s) == 0)
			fail(s, link, status);
		if (s->ready)
			return;
	}
}

lcd_status lcd_async_serve(void)
{
	struct scheduler *s = scheduler();

	if (!s)
		return LCD_NO_MEMORY;
	while (!s->stopping && next_alive(s->links)) {
		if (s->ready)
			lcd_async_yield();
		else if (dispatch(s) == 0)
			idle(s);
	}
	s->stopping = false;
	return next_alive(s->links) ? LCD_OK : LCD_PEER_DIED;
}

void lcd_async_stop(void)
{
	struct scheduler *s = scheduler();

	if (s)
		s->stopping = true;
}

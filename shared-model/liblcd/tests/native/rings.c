/* Rings: one thread, two threads, and a thread that writes whatever it likes. */
#include "host.h"

#define NEAR CHANNELS
#define FAR (CHANNELS + 1)

/* Two ends over `pages` fresh pages. */
static uint8_t *connect(struct lcd_ring *near, struct lcd_ring *far, size_t pages, bool bells)
{
	uint8_t *memory = shared_pages(pages);

	silence(NEAR);
	silence(FAR);
	set_dead(NEAR, false);
	set_dead(FAR, false);
	CHECK(lcd_ring_init(near, bells ? NEAR : 0, memory, pages * 4096, 0) == LCD_OK, "init");
	CHECK(lcd_ring_init(far, bells ? FAR : 0, memory, pages * 4096, 1) == LCD_OK, "init");
	return memory;
}

static lcd_status put(struct lcd_ring *ring, uint64_t value)
{
	struct lcd_ring_slot *slot;
	lcd_status status = lcd_ring_send_start(ring, &slot);

	if (status != LCD_OK)
		return status;
	slot->flags = (uint32_t)~value;
	for (int i = 0; i < LCD_RING_WORDS; i++)
		slot->words[i] = value + (uint64_t)i;
	return lcd_ring_send_finish(ring);
}

static void check_message(const struct lcd_ring_message *message, uint64_t value)
{
	bool right = message->flags == (uint32_t)~value;

	for (int i = 0; i < LCD_RING_WORDS; i++)
		right &= message->words[i] == value + (uint64_t)i;
	CHECK(right, "%lu instead of %lu", message->words[0], value);
}

static lcd_status get(struct lcd_ring *ring, uint64_t value)
{
	const struct lcd_ring_message *message;
	lcd_status status = lcd_ring_receive_start(ring, &message);

	if (status != LCD_OK)
		return status;
	check_message(message, value);
	return lcd_ring_receive_finish(ring);
}

static void full_and_empty(void)
{
	struct lcd_ring near, far, none;
	uint8_t *memory = connect(&near, &far, 1, true);
	uint64_t hypercalls = calls_of(LCD_CALL_NOTIFICATION_SIGNAL);

	CHECK(lcd_ring_init(&none, 0, memory, 127, 0) == LCD_INVALID, "too small");
	CHECK(lcd_ring_init(&none, 0, memory, 4096, 2) == LCD_INVALID, "a third end");
	CHECK(lcd_ring_init(&none, 0, memory + 8, 2048, 0) == LCD_INVALID, "not aligned");
	CHECK(get(&far, 0) == LCD_WOULD_BLOCK && get(&near, 0) == LCD_WOULD_BLOCK, "empty");
	CHECK(lcd_ring_send_finish(&near) == LCD_BAD_STATE, "nothing started");
	CHECK(lcd_ring_receive_finish(&near) == LCD_BAD_STATE, "nothing started");
	/* A page has 32 slots for each direction; many rounds, in steps that do not divide it. */
	for (uint64_t next = 0, value = 0; next < 5000;) {
		for (int i = 0; i < 32; i++)
			CHECK(put(&near, next++) == LCD_OK, "room for 32");
		CHECK(!lcd_ring_has_room(&near) && put(&near, 0) == LCD_WOULD_BLOCK, "full");
		CHECK(put(&far, next) == LCD_OK && get(&near, next) == LCD_OK, "the other way");
		for (int i = 0; i < 13; i++)
			CHECK(get(&far, value++) == LCD_OK, "13 are taken");
		for (int i = 0; i < 13; i++)
			CHECK(put(&near, next++) == LCD_OK, "room for 13");
		for (int i = 0; i < 32; i++)
			CHECK(get(&far, value++) == LCD_OK, "the rest");
		CHECK(get(&far, 0) == LCD_WOULD_BLOCK, "empty");
	}
	CHECK(calls_of(LCD_CALL_NOTIFICATION_SIGNAL) == hypercalls, "nobody waited: no ring");
	CHECK(near.corrupted == 0 && far.corrupted == 0, "all was well");
}

static int is_even(const struct lcd_ring_message *message, void *context)
{
	++*(int *)context;
	return message->words[0] % 2 == 0;
}

static void in_place(void)
{
	struct lcd_ring near, far;
	struct lcd_ring_slot *slot, *again;
	const struct lcd_ring_message *message, *same;
	struct lcd_ring_slot *incoming;
	int asked = 0;

	connect(&near, &far, 1, false);
	CHECK(lcd_ring_send_start(&near, &slot) == LCD_OK, "start");
	CHECK(lcd_ring_send_start(&near, &again) == LCD_BAD_STATE, "one at a time");
	CHECK(get(&far, 0) == LCD_WOULD_BLOCK, "not published yet");
	slot->words[0] = 7;
	CHECK(lcd_ring_send_finish(&near) == LCD_OK, "finish");
	CHECK(lcd_ring_receive_if(&far, is_even, &asked, &message) == LCD_NOT_FOUND, "7 is odd");
	incoming = far.incoming;
	/* What the other side changes after it was looked at, is not seen. */
	incoming->words[0] = 8;
	CHECK(lcd_ring_receive_if(&far, is_even, &asked, &message) == LCD_NOT_FOUND, "still odd");
	CHECK(lcd_ring_receive_start(&far, &same) == LCD_OK && same == message &&
	      same->words[0] == 7, "one copy");
	CHECK(lcd_ring_receive_finish(&far) == LCD_OK, "finish");
	CHECK(lcd_ring_receive_if(&far, is_even, &asked, &message) == LCD_WOULD_BLOCK &&
	      asked == 2, "nothing to ask about");
	put(&near, 10);
	CHECK(lcd_ring_receive_if(&far, is_even, &asked, &message) == LCD_OK &&
	      message->words[0] == 10 && lcd_ring_receive_finish(&far) == LCD_OK, "10 is even");
}

static void nonsense_is_passed_over(void)
{
	struct lcd_ring near, far;
	const struct lcd_ring_message *message;

	connect(&near, &far, 1, false);
	for (uint64_t i = 0; i < 3; i++)
		put(&near, i);
	far.incoming[1].status = 12345;
	CHECK(get(&far, 0) == LCD_OK && get(&far, 0) == LCD_INVALID && get(&far, 2) == LCD_OK &&
	      get(&far, 0) == LCD_WOULD_BLOCK, "the second is lost, no more");
	CHECK(far.corrupted == 1, "%lu", far.corrupted);
	near.outgoing[3].status = 54321;
	CHECK(put(&near, 3) == LCD_OK && near.corrupted == 1, "to a sender it is empty");
	CHECK(lcd_ring_receive_wait(&far, &message, 0) == LCD_OK, "and used");
	check_message(message, 3);
}

static void waits_that_fail(void)
{
	struct lcd_ring near, far;
	struct lcd_ring_message message = { 0 };
	struct lcd_ring_slot *slot;
	uint64_t before = calls_of(LCD_CALL_NOTIFICATION_SIGNAL);

	connect(&near, &far, 1, true);
	CHECK(lcd_ring_receive(&far, &message, 20) == LCD_TIMED_OUT, "nobody sends");
	/* It announced that it waits, so the next message rings. */
	CHECK(put(&near, 1) == LCD_OK && put(&near, 2) == LCD_OK, "send");
	CHECK(calls_of(LCD_CALL_NOTIFICATION_SIGNAL) == before + 1, "one ring");
	set_dead(NEAR, true);
	CHECK(lcd_ring_receive(&far, &message, 0) == LCD_OK && message.words[0] == 1, "sent before");
	CHECK(lcd_ring_receive(&far, &message, 0) == LCD_OK && message.words[0] == 2, "sent before");
	CHECK(lcd_ring_receive(&far, &message, 0) == LCD_PEER_DIED, "nobody is there");
	set_dead(NEAR, false);
	for (int i = 0; i < 32; i++)
		CHECK(put(&far, 5) == LCD_OK, "room");
	CHECK(lcd_ring_send_wait(&far, &slot, 20) == LCD_TIMED_OUT, "nobody receives");
	set_dead(NEAR, true);
	CHECK(lcd_ring_send(&far, &message, 0) == LCD_PEER_DIED, "nobody is there");
	/* Without a channel, waiting is asking again. */
	connect(&near, &far, 1, false);
	CHECK(lcd_ring_receive(&far, &message, 5) == LCD_TIMED_OUT, "nobody sends");
	near.channel = far.channel = 5;
	CHECK(lcd_ring_receive(&far, &message, 0) == LCD_NOT_FOUND, "no such channel");
}

#define MESSAGES 100000

static void *echo(void *argument)
{
	struct lcd_ring *ring = argument;
	struct lcd_ring_message message;

	enter_domain(1);
	for (uint64_t i = 0; i < MESSAGES; i++) {
		lcd_status status = lcd_ring_receive(ring, &message, 0);

		CHECK(status == LCD_OK, "%lu: %ld", i, status);
		check_message(&message, i);
		status = lcd_ring_send(ring, &message, 0);
		CHECK(status == LCD_OK, "%lu: %ld", i, status);
	}
	return NULL;
}

/* There and back, with `ahead` messages on their way: 1 waits each time. */
static void ping_pong(uint64_t ahead, size_t pages, bool bells)
{
	struct lcd_ring near, far;
	pthread_t other;
	uint64_t sent = 0;

	connect(&near, &far, pages, bells);
	pthread_create(&other, NULL, echo, &far);
	for (uint64_t i = 0; i < MESSAGES; i++) {
		struct lcd_ring_message message;
		lcd_status status;

		for (; sent < MESSAGES && sent < i + ahead; sent++) {
			struct lcd_ring_slot *slot;

			status = lcd_ring_send_wait(&near, &slot, 0);
			CHECK(status == LCD_OK, "%lu: %ld", sent, status);
			slot->flags = (uint32_t)~sent;
			for (int w = 0; w < LCD_RING_WORDS; w++)
				slot->words[w] = sent + (uint64_t)w;
			lcd_ring_send_finish(&near);
		}
		status = lcd_ring_receive(&near, &message, 0);
		CHECK(status == LCD_OK, "%lu: %ld", i, status);
		check_message(&message, i);
	}
	pthread_join(other, NULL);
	CHECK(get(&near, 0) == LCD_WOULD_BLOCK && get(&far, 0) == LCD_WOULD_BLOCK, "nothing over");
	CHECK(near.corrupted == 0 && far.corrupted == 0, "all was well");
}

static void *pour(void *argument)
{
	struct lcd_ring *ring = argument;

	enter_domain(1);
	for (uint64_t i = 0; i < MESSAGES; i++) {
		struct lcd_ring_slot *slot;
		lcd_status status = lcd_ring_send_wait(ring, &slot, 0);

		CHECK(status == LCD_OK, "%lu: %ld", i, status);
		slot->flags = (uint32_t)~i;
		for (int w = 0; w < LCD_RING_WORDS; w++)
			slot->words[w] = i + (uint64_t)w;
		lcd_ring_send_finish(ring);
	}
	return NULL;
}

/* As fast as it goes, so that it is by turns full and empty. */
static void one_way(void)
{
	struct lcd_ring near, far;
	pthread_t other;

	connect(&near, &far, 1, true);
	pthread_create(&other, NULL, pour, &near);
	for (uint64_t i = 0; i < MESSAGES; i++) {
		const struct lcd_ring_message *message;
		lcd_status status = lcd_ring_receive_wait(&far, &message, 0);

		CHECK(status == LCD_OK, "%lu: %ld", i, status);
		check_message(message, i);
		lcd_ring_receive_finish(&far);
		if (i % 1000 == 0)
			lcd_yield();
	}
	pthread_join(other, NULL);
	CHECK(get(&far, 0) == LCD_WOULD_BLOCK, "nothing over");
}

static struct {
	volatile uint8_t *memory;
	size_t size;
	volatile bool stop;
	uint64_t rounds;
} scribbler;

static void *scribble(void *argument)
{
	static const uint32_t statuses[] = {
		LCD_RING_AVAILABLE, LCD_RING_AWAITED, LCD_RING_SENT, LCD_RING_FULL,
	};
	uint64_t state = 99;

	(void)argument;
	enter_domain(1);
	while (!scribbler.stop) {
		uint64_t random = random_bits(&state), slot = random % (scribbler.size / 64);

		/* A status that means something, or anything anywhere. */
		if (random >> 40 & 1)
			*(volatile uint32_t *)(scribbler.memory + slot * 64) =
				statuses[random >> 41 & 3];
		else
			scribbler.memory[random_bits(&state) % scribbler.size] =
				(uint8_t)(random >> 50);
		if ((random >> 42) % 64 == 0)
			lcd_notification_signal(FAR);
		scribbler.rounds++;
	}
	return NULL;
}

static void hostile(void)
{
	struct {
		uint64_t before;
		struct lcd_ring ring;
		uint64_t behind;
	} victim = { .before = 0x1111, .behind = 0x2222 };
	struct lcd_ring far;
	uint64_t outcomes[4] = { 0 };
	pthread_t other;

	scribbler.memory = connect(&victim.ring, &far, 1, true);
	scribbler.size = 4096;
	scribbler.stop = false;
	pthread_create(&other, NULL, scribble, NULL);
	while (__atomic_load_n(&scribbler.rounds, __ATOMIC_RELAXED) == 0)
		lcd_yield();
	/* Each call ends by itself, so this is a fixed amount of work. */
	for (int i = 0; i < 300000; i++) {
		struct lcd_ring_slot *slot;
		const struct lcd_ring_message *message;
		lcd_status status = i % 64 == 0 ? lcd_ring_send_wait(&victim.ring, &slot, 2)
						: lcd_ring_send_start(&victim.ring, &slot);

		CHECK(status == LCD_OK || status == LCD_WOULD_BLOCK || status == LCD_TIMED_OUT,
		      "%ld", status);
		outcomes[0] += status == LCD_OK;
		if (status == LCD_OK) {
			CHECK(slot >= victim.ring.outgoing && slot < victim.ring.outgoing + 32,
			      "outside");
			lcd_ring_send_finish(&victim.ring);
		}
		status = i % 64 == 0 ? lcd_ring_receive_wait(&victim.ring, &message, 2)
				     : lcd_ring_receive_start(&victim.ring, &message);
		CHECK(status == LCD_OK || status == LCD_WOULD_BLOCK || status == LCD_INVALID ||
		      status == LCD_TIMED_OUT, "%ld", status);
		outcomes[1] += status == LCD_OK;
		outcomes[2] += status == LCD_INVALID;
		outcomes[3] += status == LCD_WOULD_BLOCK || status == LCD_TIMED_OUT;
		if (status == LCD_OK) {
			uint64_t word = message->words[3];

			for (int again = 0; again < 3; again++)
				CHECK(message->words[3] == word, "a copy does not change");
			lcd_ring_receive_finish(&victim.ring);
		}
		CHECK(victim.ring.send_at < 32 && victim.ring.receive_at < 32, "cursors");
	}
	scribbler.stop = true;
	pthread_join(other, NULL);
	CHECK(victim.before == 0x1111 && victim.behind == 0x2222, "what is around it");
	CHECK(outcomes[0] > 0 && outcomes[1] > 0 && outcomes[2] > 0 && outcomes[3] > 0,
	      "sent %lu, received %lu, invalid %lu, nothing %lu", outcomes[0], outcomes[1],
	      outcomes[2], outcomes[3]);
}

void tests(void)
{
	full_and_empty();
	in_place();
	nonsense_is_passed_over();
	waits_that_fail();
	ping_pong(1, 1, true);
	ping_pong(20, 1, true);
	ping_pong(60, 2, true);
	ping_pong(20, 1, false);
	one_way();
	hostile();
}

/* Activities, and calls over rings, answered well, late, twice, falsely or not at all. */
#include "host.h"

#define NEAR CHANNELS
#define FAR (CHANNELS + 1)

static char trace[4096];

static void note(const char *what)
{
	strcat(trace, what);
}

static void expect_trace(const char *expected)
{
	CHECK(strcmp(trace, expected) == 0, "%s", trace);
	trace[0] = '\0';
}

static void three_steps(void *name)
{
	char text[3] = { *(char *)name };

	for (int i = 0; i < 3; i++) {
		text[1] = (char)('0' + i);
		note(text);
		CHECK(lcd_async_yield() == LCD_OK, "yield");
	}
	note(text);
	note(".");
}

static void interleave(void)
{
	note("<");
	LCD_FINISH {
		CHECK(lcd_async(three_steps, "a") == LCD_OK, "start");
		note("|");
		CHECK(lcd_async(three_steps, "b") == LCD_OK, "start");
		note("|");
	}
	note(">");
	expect_trace("<a0|b0|a1b1a2b2a2.b2.>");

	/* Without a block of their own. */
	lcd_async(three_steps, "c");
	lcd_async(three_steps, "d");
	CHECK(lcd_async_finish(NULL) == LCD_OK, "finish");
	note(">");
	expect_trace("c0d0c1d1c2d2c2.d2.>");
}

static void inner(void *name)
{
	lcd_async_yield();
	note(name);
}

/* Starts one that nobody joins but the block around. */
static void outer(void *name)
{
	(void)name;
	lcd_async(inner, "3");
	LCD_FINISH {
		lcd_async(inner, "1");
		lcd_async(inner, "2");
	}
	note("inner done ");
}

static void nested(void)
{
	struct lcd_async_block a, b;

	LCD_FINISH {
		lcd_async(outer, NULL);
	}
	note("outer done");
	/* "3" was started first, and so goes on first. */
	expect_trace("312inner done outer done");

	CHECK(lcd_async_begin(&a) == LCD_OK && lcd_async_begin(&b) == LCD_OK, "begin");
	CHECK(lcd_async_finish(&a) == LCD_BAD_STATE, "the inner one first");
	CHECK(lcd_async_finish(NULL) == LCD_BAD_STATE, "not within a block");
	CHECK(lcd_async_finish(&b) == LCD_OK && lcd_async_finish(&a) == LCD_OK, "finish");
	CHECK(lcd_async_finish(&a) == LCD_BAD_STATE, "twice");
}

static void use_stack(void *argument)
{
	volatile char bytes[12000];
	uint64_t aligned __attribute__((aligned(16))) = 1;

	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)i;
	CHECK((uintptr_t)&aligned % 16 == 0 && (uintptr_t)__builtin_frame_address(0) % 16 == 0,
	      "the stack is aligned");
	lcd_async_yield();
	for (unsigned int i = 0; i < sizeof(bytes); i++)
		if (bytes[i] != (char)i)
			++*(int *)argument;
}

/* Puts numbers into the registers that a function keeps, yields, and adds what it finds. */
uint64_t keep_registers(uint64_t first);
__asm__(".text\n"
	"keep_registers:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rdi\n"
	"	lea 1(%rdi), %rbx; lea 2(%rdi), %rbp; lea 3(%rdi), %r12\n"
	"	lea 4(%rdi), %r13; lea 5(%rdi), %r14; lea 6(%rdi), %r15\n"
	"	call lcd_async_yield\n"
	"	pop %rdi; xor %eax, %eax\n"
	"	sub %rdi, %rbx; lea (%rax,%rbx,1), %rax; shl $4, %rax\n"
	"	sub %rdi, %rbp; add %rbp, %rax; shl $4, %rax\n"
	"	sub %rdi, %r12; add %r12, %rax; shl $4, %rax\n"
	"	sub %rdi, %r13; add %r13, %rax; shl $4, %rax\n"
	"	sub %rdi, %r14; add %r14, %rax; shl $4, %rax\n"
	"	sub %rdi, %r15; add %r15, %rax\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n");

static void registers(void *argument)
{
	for (uint64_t i = 0; i < 10; i++)
		CHECK(keep_registers((uintptr_t)argument * 100 + i) == 0x123456, "a register");
}

static void count_up(void *argument)
{
	++*(int *)argument;
	lcd_async_yield();
	++*(int *)argument;
}

static void many(void)
{
	int wrong = 0, count = 0, started = 0;
	uint64_t pages;

	LCD_FINISH {
		for (int i = 0; i < 50; i++)
			CHECK(lcd_async(use_stack, &wrong) == LCD_OK, "start");
	}
	CHECK(wrong == 0, "%d bytes of stacks changed", wrong);
	LCD_FINISH {
		for (uintptr_t i = 0; i < 5; i++)
			lcd_async(registers, (void *)i);
	}
	LCD_FINISH {
		while (lcd_async(count_up, &count) == LCD_OK)
			started++;
	}
	CHECK(started == LCD_ASYNC_MAX - 1 && count == 2 * started, "%d, %d", started, count);
	pages = pages_obtained();
	for (int i = 0; i < 100000; i++)
		lcd_async(count_up, &count);
	CHECK(lcd_async_finish(NULL) == LCD_OK && pages_obtained() == pages,
	      "stacks are used again");
}

/* Two ends over fresh pages: an attached link here, a bare ring there. */
static void connect(struct lcd_async_link *link, struct lcd_ring *far, uint64_t channel,
		    size_t pages)
{
	uint8_t *memory = shared_pages(pages);

	if (channel) {
		silence(channel);
		silence(channel + 1);
		set_dead(channel, false);
		set_dead(channel + 1, false);
	}
	*link = (struct lcd_async_link){ 0 };
	lcd_ring_init(&link->ring, channel, memory, pages * 4096, 0);
	lcd_ring_init(far, channel ? channel + 1 : 0, memory, pages * 4096, 1);
	CHECK(lcd_async_attach(link) == LCD_OK, "attach");
	CHECK(lcd_async_attach(link) == LCD_BAD_STATE, "attach twice");
}

struct caller {
	struct lcd_async_link *link;
	uint64_t id, result;
	lcd_status status;
	bool done;
};

static void call(void *argument)
{
	struct caller *caller = argument;
	uint64_t request[LCD_RING_WORDS] = { caller->id }, response[LCD_RING_WORDS] = { 0 };

	caller->status = lcd_async_call(caller->link, request, response);
	caller->result = response[0];
	caller->done = true;
}

static lcd_status respond(struct lcd_ring *ring, uint32_t flags, uint64_t value)
{
	struct lcd_ring_message message = { flags, { value } };

	return lcd_ring_send(ring, &message, 0);
}

/* Takes 60 requests at a time, and answers them in another order. */
static void *answer_mixed(void *argument)
{
	struct lcd_ring *ring = argument;
	struct lcd_ring_message requests[60];
	uint64_t state = 5;

	enter_domain(1);
	for (int i = 0; i < 60; i++)
		CHECK(lcd_ring_receive(ring, &requests[i], 0) == LCD_OK, "receive");
	for (int left = 60; left > 0; left--) {
		int i = (int)((random_bits(&state) >> 20) % (uint64_t)left);

		CHECK((requests[i].flags & LCD_ASYNC_KIND) == LCD_ASYNC_REQUEST, "a request");
		respond(ring, requests[i].flags ^ LCD_ASYNC_REQUEST ^ LCD_ASYNC_RESPONSE,
			requests[i].words[0] + 1000);
		requests[i] = requests[left - 1];
	}
	return NULL;
}

static void out_of_order(uint64_t channel)
{
	struct lcd_async_link link;
	struct lcd_ring far;
	struct caller callers[60];
	pthread_t other;

	connect(&link, &far, channel, 1);
	pthread_create(&other, NULL, answer_mixed, &far);
	LCD_FINISH {
		for (uint64_t i = 0; i < 60; i++) {
			callers[i] = (struct caller){ .link = &link, .id = i };
			CHECK(lcd_async(call, &callers[i]) == LCD_OK, "start");
		}
	}
	pthread_join(other, NULL);
	for (uint64_t i = 0; i < 60; i++)
		CHECK(callers[i].status == LCD_OK && callers[i].result == i + 1000,
		      "%lu: %ld, %lu", i, callers[i].status, callers[i].result);
	CHECK(link.dropped == 0, "%lu dropped", link.dropped);
	CHECK(lcd_async_detach(&link) == LCD_OK, "detach");
}

static struct lcd_ring_message take(struct lcd_ring *ring)
{
	struct lcd_ring_message message = { 0 };

	CHECK(lcd_ring_receive(ring, &message, 1000) == LCD_OK, "receive");
	return message;
}

static void forged(void)
{
	struct lcd_async_link link, elsewhere;
	struct lcd_ring far, far_elsewhere;
	struct caller caller = { .link = &link, .id = 1 }, next = { .link = &link, .id = 2 };
	uint32_t cookie, later;

	connect(&link, &far, 0, 1);
	connect(&elsewhere, &far_elsewhere, 0, 1);
	CHECK(lcd_async(call, &caller) == LCD_OK, "start");
	cookie = take(&far).flags & ~LCD_ASYNC_KIND;
	/* Wrong in the entry, in each bit of the tag, in the link. */
	respond(&far, (cookie ^ 4) | LCD_ASYNC_RESPONSE, 66);
	for (int bit = 12; bit < 32; bit++)
		respond(&far, (cookie ^ 1u << bit) | LCD_ASYNC_RESPONSE, 66);
	respond(&far_elsewhere, cookie | LCD_ASYNC_RESPONSE, 66);
	/* Nobody serves here: requests and other messages are dropped, the first are refused. */
	respond(&far, cookie | LCD_ASYNC_REQUEST, 66);
	respond(&far, cookie, 66);
	CHECK(lcd_async_dispatch() == 24, "looked at");
	CHECK(link.dropped == 23 && elsewhere.dropped == 1, "%lu, %lu", link.dropped,
	      elsewhere.dropped);
	lcd_async_yield();
	CHECK(!caller.done, "nobody was woken");
	CHECK(take(&far).flags == (cookie | LCD_ASYNC_REFUSED), "refused");

	respond(&far, cookie | LCD_ASYNC_RESPONSE, 77);
	CHECK(lcd_async_finish(NULL) == LCD_OK && caller.status == LCD_OK && caller.result == 77,
	      "the right one");
	respond(&far, cookie | LCD_ASYNC_RESPONSE, 88);
	lcd_async_dispatch();
	CHECK(link.dropped == 24, "twice");

	/* The entry comes around again with another tag: the old answer is for nobody. */
	for (int i = 1; i < LCD_ASYNC_MAX; i++) {
		struct caller between = { .link = &link };

		lcd_async(call, &between);
		respond(&far, (take(&far).flags & ~LCD_ASYNC_KIND) | LCD_ASYNC_RESPONSE, 0);
		lcd_async_finish(NULL);
		CHECK(between.status == LCD_OK, "%ld", between.status);
	}
	lcd_async(call, &next);
	later = take(&far).flags & ~LCD_ASYNC_KIND;
	CHECK((later & 0xffc) == (cookie & 0xffc) && later != cookie, "%x, %x", later, cookie);
	respond(&far, cookie | LCD_ASYNC_RESPONSE, 99);
	respond(&far, later | LCD_ASYNC_REFUSED, 99);
	CHECK(lcd_async_finish(NULL) == LCD_OK && next.status == LCD_NO_MEMORY && next.result == 0,
	      "refused");
	CHECK(link.dropped == 25, "%lu", link.dropped);
	lcd_async_detach(&link);
	lcd_async_detach(&elsewhere);
	CHECK(lcd_async_detach(&link) == LCD_BAD_STATE, "detach twice");
}

static void wait_for_end(void *argument)
{
	lcd_status *status = argument;

	while ((*status = lcd_async_yield()) == LCD_OK)
		;
	note("clean ");
}

static void outer_call(void *argument)
{
	LCD_FINISH {
		lcd_async(call, argument);
	}
	note("joined ");
}

static void abort_self(void *argument)
{
	(void)argument;
	lcd_async_cancel(NULL);
	CHECK(lcd_async_cancelled() && lcd_async_yield() == LCD_CANCELLED, "ends itself");
	CHECK(lcd_async(abort_self, NULL) == LCD_CANCELLED, "starts nothing");
	note("aborted ");
}

static void cancel(void)
{
	struct lcd_async_link link;
	struct lcd_ring far;
	struct caller direct = { .link = &link, .id = 1 }, within = { .link = &link, .id = 2 };
	struct caller outside = { .link = &link, .id = 3 };
	struct lcd_async_block block;
	struct lcd_ring_message requests[3];
	lcd_status waited = LCD_OK;

	connect(&link, &far, 0, 1);
	lcd_async(call, &outside);
	lcd_async_begin(&block);
	lcd_async(call, &direct);
	lcd_async(outer_call, &within);
	lcd_async(wait_for_end, &waited);
	for (int i = 0; i < 3; i++)
		requests[i] = take(&far);
	CHECK(lcd_async_cancel(&block) == LCD_OK, "cancel");
	CHECK(lcd_async(count_up, NULL) == LCD_CANCELLED, "nothing new");
	CHECK(!lcd_async_cancelled(), "who began it goes on");
	CHECK(lcd_async_finish(&block) == LCD_CANCELLED, "finish");
	CHECK(direct.status == LCD_CANCELLED && within.status == LCD_CANCELLED &&
	      waited == LCD_CANCELLED, "%ld %ld %ld", direct.status, within.status, waited);
	CHECK(strstr(trace, "clean ") && strstr(trace, "joined ") && !outside.done, "%s", trace);
	trace[0] = '\0';
	/* Answers come too late, but for the call outside of the block. */
	for (int i = 0; i < 3; i++)
		respond(&far, requests[i].flags ^ LCD_ASYNC_REQUEST ^ LCD_ASYNC_RESPONSE, 5);
	CHECK(lcd_async_finish(NULL) == LCD_OK && outside.status == LCD_OK && outside.result == 5,
	      "%ld", outside.status);
	CHECK(link.dropped == 2, "%lu", link.dropped);

	lcd_async(wait_for_end, &waited);
	lcd_async(abort_self, NULL);
	CHECK(lcd_async_finish(NULL) == LCD_CANCELLED, "all that was started");
	CHECK(waited == LCD_CANCELLED && strstr(trace, "aborted "), "%s", trace);
	trace[0] = '\0';
	CHECK(lcd_async_yield() == LCD_OK, "the thread goes on");
	lcd_async_detach(&link);
}

/* A full ring: those who wait for room are woken in their order, or when it is over. */
static void room(void)
{
	struct lcd_async_link link;
	struct lcd_ring far;
	struct caller callers[40];
	unsigned int given_up = 0;

	connect(&link, &far, NEAR, 1);
	for (uint64_t i = 0; i < 40; i++) {
		callers[i] = (struct caller){ .link = &link, .id = i };
		lcd_async(call, &callers[i]);
	}
	for (uint64_t i = 0; i < 36; i++) {
		struct lcd_ring_message request = take(&far);

		CHECK(request.words[0] == i, "%lu instead of %lu", request.words[0], i);
		lcd_async_dispatch();
		lcd_async_yield();
	}
	set_dead(FAR, true);
	CHECK(lcd_async_finish(NULL) == LCD_OK, "finish");
	for (int i = 0; i < 40; i++)
		given_up += callers[i].status == LCD_PEER_DIED;
	CHECK(given_up == 40 && link.status == LCD_PEER_DIED, "%u", given_up);
	callers[0].done = false;
	call(&callers[0]);
	CHECK(callers[0].status == LCD_PEER_DIED, "known by now");
	lcd_async_detach(&link);
}

/* Waits for two at a time: one answers, both go. */
static void two_links(void)
{
	struct lcd_async_link near, other;
	struct lcd_ring far, far_other;
	struct caller callers[2] = { { .link = &near, .id = 1 }, { .link = &other, .id = 2 } };
	struct caller second = { .link = &near, .id = 3 };

	connect(&near, &far, NEAR, 1);
	connect(&other, &far_other, NEAR + 2, 1);
	lcd_async(call, &callers[0]);
	lcd_async(call, &callers[1]);
	respond(&far, take(&far).flags ^ LCD_ASYNC_REQUEST ^ LCD_ASYNC_RESPONSE, 10);
	set_dead(NEAR + 3, true);
	CHECK(lcd_async_finish(NULL) == LCD_OK && callers[0].status == LCD_OK &&
	      callers[0].result == 10 && callers[1].status == LCD_PEER_DIED, "%ld, %ld",
	      callers[0].status, callers[1].status);
	set_dead(FAR, true);
	call(&second);
	CHECK(second.status == LCD_PEER_DIED, "%ld", second.status);
	lcd_async_detach(&other);
	lcd_async_detach(&near);
}

/* Serves: null is 9, then adding. */
static void arithmetic(struct lcd_async_link *link, const struct lcd_ring_message *request)
{
	const uint64_t *words = request->words;
	uint64_t response[LCD_RING_WORDS] = { 9 };

	for (uint64_t i = 0; i < words[0]; i++)
		response[0] = (i == 0 ? 0 : response[0]) + words[1 + i];
	if (words[0] == 6 && words[6] == 0xdead) {
		lcd_async_stop();
		CHECK(lcd_async_detach(link) == LCD_BUSY, "not by who serves it");
	}
	/* Others overtake. */
	for (uint64_t i = 0; i < words[1] % 3; i++)
		lcd_async_yield();
	CHECK(lcd_async_answer(link, request, response) == LCD_OK, "answer");
}

static void *serving(void *argument)
{
	struct lcd_async_link link = { .ring = *(struct lcd_ring *)argument, .serve = arithmetic };

	enter_domain(1);
	CHECK(lcd_async_attach(&link) == LCD_OK, "attach");
	CHECK(lcd_async_serve() == LCD_OK, "serve");
	CHECK(lcd_async_finish(NULL) == LCD_OK, "all are answered");
	CHECK(lcd_async_detach(&link) == LCD_OK, "detach");
	return NULL;
}

static void sum(void *argument)
{
	struct lcd_async_link *link = argument;
	static uint64_t state = 11;

	for (int i = 0; i < 50; i++) {
		uint64_t request[LCD_RING_WORDS] = { random_bits(&state) % 6 };
		uint64_t response[LCD_RING_WORDS], expected = 0;

		for (uint64_t w = 0; w < request[0]; w++) {
			request[1 + w] = random_bits(&state) >> 20;
			expected += request[1 + w];
		}
		if (request[0] == 0)
			expected = 9;
		CHECK(lcd_async_call(link, request, response) == LCD_OK &&
		      response[0] == expected, "%lu", response[0]);
	}
}

static void remote_calls(uint64_t channel)
{
	struct lcd_async_link link;
	struct lcd_ring far;
	uint64_t last[LCD_RING_WORDS] = { 6, 1, 2, 3, 4, 5, 0xdead }, response[LCD_RING_WORDS];
	pthread_t other;

	connect(&link, &far, channel, 1);
	pthread_create(&other, NULL, serving, &far);
	LCD_FINISH {
		for (int i = 0; i < 60; i++)
			lcd_async(sum, &link);
	}
	CHECK(lcd_async_call(&link, last, response) == LCD_OK && response[0] == 15 + 0xdead,
	      "%lu", response[0]);
	pthread_join(other, NULL);
	CHECK(lcd_async_detach(&link) == LCD_OK, "detach");
}

/* Both sides serve and call, and a served call makes another. */
static void relay(struct lcd_async_link *link, const struct lcd_ring_message *request)
{
	uint64_t words[LCD_RING_WORDS] = { request->words[0] }, response[LCD_RING_WORDS] = { 0 };

	if (words[0] > 0) {
		words[0]--;
		CHECK(lcd_async_call(link, words, response) == LCD_OK, "pass on");
	}
	response[0]++;
	CHECK(lcd_async_answer(link, request, response) == LCD_OK, "answer");
}

static void *relaying(void *argument)
{
	struct lcd_async_link link = { .ring = *(struct lcd_ring *)argument, .serve = relay };

	enter_domain(1);
	lcd_async_attach(&link);
	CHECK(lcd_async_serve() == LCD_PEER_DIED, "until the other side is gone");
	lcd_async_detach(&link);
	return NULL;
}

static void both_ways(void)
{
	struct lcd_async_link link;
	struct lcd_ring far;
	uint64_t words[LCD_RING_WORDS] = { 100 }, response[LCD_RING_WORDS] = { 0 };
	pthread_t other;

	connect(&link, &far, NEAR, 1);
	link.serve = relay;
	pthread_create(&other, NULL, relaying, &far);
	CHECK(lcd_async_call(&link, words, response) == LCD_OK && response[0] == 101, "%lu",
	      response[0]);
	set_dead(NEAR, true);
	pthread_join(other, NULL);
	lcd_async_detach(&link);
}

static void slow(struct lcd_async_link *link, const struct lcd_ring_message *request)
{
	uint64_t response[LCD_RING_WORDS] = { 1 };

	while (!*(bool *)link->context)
		lcd_async_yield();
	lcd_async_answer(link, request, response);
}

/* More requests than are served at a time. */
static void flood(void)
{
	struct lcd_async_link link;
	struct lcd_ring far;
	bool go_on = false;
	unsigned int refused = 0, answered = 0;
	struct lcd_ring_message message;

	connect(&link, &far, 0, 16);
	link.serve = slow;
	link.context = &go_on;
	for (uint32_t i = 0; i < LCD_ASYNC_SERVED + 10; i++) {
		CHECK(respond(&far, i << 2 | LCD_ASYNC_REQUEST, 0) == LCD_OK, "send");
		lcd_async_dispatch();
	}
	CHECK(link.dropped == 10, "%lu", link.dropped);
	go_on = true;
	CHECK(lcd_async_finish(NULL) == LCD_OK, "finish");
	while (lcd_ring_receive(&far, &message, 1) == LCD_OK) {
		refused += (message.flags & LCD_ASYNC_KIND) == LCD_ASYNC_REFUSED;
		answered += (message.flags & LCD_ASYNC_KIND) == LCD_ASYNC_RESPONSE;
	}
	CHECK(refused == 10 && answered == LCD_ASYNC_SERVED, "%u, %u", refused, answered);
	lcd_async_detach(&link);
}

static volatile bool stop;

static void *scribble(void *argument)
{
	volatile uint8_t *memory = argument;
	uint64_t state = 3;

	enter_domain(1);
	while (!stop) {
		uint64_t random = random_bits(&state), slot = random % 64;

		if (random >> 40 & 1)
			*(volatile uint32_t *)(memory + slot * 64) =
				random >> 41 & 1 ? LCD_RING_SENT : LCD_RING_AVAILABLE;
		else if (random >> 40 & 2)
			*(volatile uint32_t *)(memory + slot * 64 + 4) = (uint32_t)(random >> 32);
		else
			memory[random_bits(&state) % 4096] = (uint8_t)(random >> 50);
		if ((random >> 42) % 32 == 0)
			lcd_notification_signal(FAR);
	}
	set_dead(FAR, true);
	return NULL;
}

static void answer_anything(struct lcd_async_link *link, const struct lcd_ring_message *request)
{
	uint64_t response[LCD_RING_WORDS] = { 1 };

	++*(uint64_t *)link->context;
	lcd_async_answer(link, request, response);
}

static void stop_later(void *argument)
{
	(void)argument;
	for (int i = 0; i < 30000; i++) {
		lcd_async_yield();
		lcd_async_dispatch();
	}
	stop = true;
}

static void hostile(void)
{
	struct lcd_async_link link;
	struct lcd_ring far;
	struct caller callers[50];
	uint64_t served = 0;
	pthread_t other;

	connect(&link, &far, NEAR, 1);
	link.serve = answer_anything;
	link.context = &served;
	stop = false;
	pthread_create(&other, NULL, scribble, link.ring.outgoing);
	lcd_async(stop_later, NULL);
	for (uint64_t i = 0; i < 50; i++) {
		callers[i] = (struct caller){ .link = &link, .id = i };
		lcd_async(call, &callers[i]);
	}
	CHECK(lcd_async_finish(NULL) == LCD_OK, "finish");
	for (int i = 0; i < 50; i++)
		CHECK(callers[i].done, "every call ends");
	pthread_join(other, NULL);
	CHECK(served > 0 && link.dropped > 0, "%lu, %lu", served, link.dropped);
	lcd_async_detach(&link);
}

void tests(void)
{
	interleave();
	nested();
	many();
	out_of_order(0);
	out_of_order(NEAR);
	forged();
	cancel();
	room();
	two_links();
	remote_calls(0);
	remote_calls(NEAR);
	both_ways();
	flood();
	hostile();
}

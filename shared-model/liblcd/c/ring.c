/*
 * Rings of messages in shared pages: see lcd/ring.h.
 *
 * Order. Publishing is an atomic exchange of the slot's status, and so is giving it back;
 * both release what came before. Reading a status acquires. So a receiver that sees SENT
 * sees the message, and a sender that sees AVAILABLE writes after the receiver has read.
 *
 * No wake-up is lost. A receiver that finds its slot empty announces that in the very word
 * that the sender will change: it compares and exchanges AVAILABLE for AWAITED. Both sides'
 * accesses to that word are atomic, so one is first. If the announcement is, the sender's
 * exchange returns AWAITED, and it rings. If publishing is, the comparison fails and the
 * receiver has its message without waiting. The announcement and the second look that has
 * to follow it are thus one step, and no fence is needed between them. A sender that waits
 * for room does the same with SENT and FULL. A doorbell keeps what was rung before somebody
 * waits at it, and a ring too many only makes a side look again.
 *
 * Garbage. Every decision is made on a status that was read once. A slot with a status that
 * means nothing is empty to the sender, and passed over by the receiver, one a call: however
 * fast the other side writes, each call here ends, and each wait takes a ring of the doorbell
 * or the caller's limit of time.
 */
#include "kernel.h"

#include "lcd/ring.h"

lcd_status lcd_ring_init(struct lcd_ring *ring, lcd_u64 channel, void *memory, lcd_u64 size,
			 unsigned int end)
{
	struct lcd_ring_slot *slots = memory;
	lcd_u64 half = size / sizeof(*slots) / 2;

	if (half == 0 || end > 1 || (uintptr_t)memory % sizeof(*slots) != 0)
		return LCD_INVALID;
	*ring = (struct lcd_ring){
		.outgoing = slots + (end == 0 ? 0 : half),
		.incoming = slots + (end == 0 ? half : 0),
		.slots = half,
		.channel = channel,
	};
	return LCD_OK;
}

static uint32_t status_of(const struct lcd_ring_slot *slot)
{
	return __atomic_load_n(&slot->status, __ATOMIC_ACQUIRE);
}

static bool is_empty(uint32_t status)
{
	return status == LCD_RING_AVAILABLE || status == LCD_RING_AWAITED;
}

static bool is_sent(uint32_t status)
{
	return status == LCD_RING_SENT || status == LCD_RING_FULL;
}

/* Hands a slot over, and rings if the other side announced that it waits for that. */
static lcd_status hand_over(struct lcd_ring *ring, struct lcd_ring_slot *slot, uint32_t status,
			    uint32_t announced)
{
	uint32_t before = __atomic_exchange_n(&slot->status, status, __ATOMIC_ACQ_REL);

	if (before != announced || ring->channel == LCD_SLOT_NULL)
		return LCD_OK;
	return lcd_notification_signal(ring->channel);
}

static lcd_u64 after(const struct lcd_ring *ring, lcd_u64 cursor)
{
	return cursor + 1 == ring->slots ? 0 : cursor + 1;
}

/* Reserves the slot at the cursor, whose status was just found to be this. */
static lcd_status reserve(struct lcd_ring *ring, uint32_t status, struct lcd_ring_slot **slot)
{
	if (is_sent(status))
		return LCD_WOULD_BLOCK;
	if (!is_empty(status))
		ring->corrupted++;
	ring->sending = true;
	*slot = &ring->outgoing[ring->send_at];
	return LCD_OK;
}

lcd_status lcd_ring_send_start(struct lcd_ring *ring, struct lcd_ring_slot **slot)
{
	if (ring->sending)
		return LCD_BAD_STATE;
	return reserve(ring, status_of(&ring->outgoing[ring->send_at]), slot);
}

lcd_status lcd_ring_send_finish(struct lcd_ring *ring)
{
	struct lcd_ring_slot *slot = &ring->outgoing[ring->send_at];

	if (!ring->sending)
		return LCD_BAD_STATE;
	ring->sending = false;
	ring->send_at = after(ring, ring->send_at);
	return hand_over(ring, slot, LCD_RING_SENT, LCD_RING_AWAITED);
}

int lcd_ring_has_room(const struct lcd_ring *ring)
{
	return !ring->sending && !is_sent(status_of(&ring->outgoing[ring->send_at]));
}

/* Copies the message at the cursor, whose status was just found to be this. */
static lcd_status accept(struct lcd_ring *ring, uint32_t status,
			 const struct lcd_ring_message **message)
{
	struct lcd_ring_slot *slot = &ring->incoming[ring->receive_at];

	if (is_empty(status))
		return LCD_WOULD_BLOCK;
	if (!is_sent(status)) {
		ring->corrupted++;
		ring->receive_at = after(ring, ring->receive_at);
		hand_over(ring, slot, LCD_RING_AVAILABLE, LCD_RING_FULL);
		return LCD_INVALID;
	}
	/* Each word once: the other side may be changing it. */
	ring->message.flags = __atomic_load_n(&slot->flags, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < LCD_RING_WORDS; i++)
		ring->message.words[i] = __atomic_load_n(&slot->words[i], __ATOMIC_RELAXED);
	ring->copied = true;
	*message = &ring->message;
	return LCD_OK;
}

lcd_status lcd_ring_receive_start(struct lcd_ring *ring, const struct lcd_ring_message **message)
{
	*message = &ring->message;
	if (ring->copied)
		return LCD_OK;
	return accept(ring, status_of(&ring->incoming[ring->receive_at]), message);
}

lcd_status lcd_ring_receive_finish(struct lcd_ring *ring)
{
	struct lcd_ring_slot *slot = &ring->incoming[ring->receive_at];

	if (!ring->copied)
		return LCD_BAD_STATE;
	ring->copied = false;
	ring->receive_at = after(ring, ring->receive_at);
	return hand_over(ring, slot, LCD_RING_AVAILABLE, LCD_RING_FULL);
}

lcd_status lcd_ring_receive_if(struct lcd_ring *ring,
			       int (*predicate)(const struct lcd_ring_message *message,
						void *context),
			       void *context, const struct lcd_ring_message **message)
{
	lcd_status status = lcd_ring_receive_start(ring, message);

	if (status != LCD_OK)
		return status;
	return predicate(*message, context) ? LCD_OK : LCD_NOT_FOUND;
}

/*
 * Announces in a slot that this side waits as long as it has the status `while_`. Returns
 * the status that decides: `while_` if waiting is right, also when it was announced before.
 */
static uint32_t announce(struct lcd_ring_slot *slot, uint32_t while_, uint32_t announced)
{
	uint32_t status = while_;

	if (__atomic_compare_exchange_n(&slot->status, &status, announced, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return while_;
	return status == announced ? while_ : status;
}

static uint32_t announce_receive(struct lcd_ring *ring)
{
	return announce(&ring->incoming[ring->receive_at], LCD_RING_AVAILABLE, LCD_RING_AWAITED);
}

static uint32_t announce_send(struct lcd_ring *ring)
{
	return announce(&ring->outgoing[ring->send_at], LCD_RING_SENT, LCD_RING_FULL);
}

lcd_status lcd_ring_announce_receive(struct lcd_ring *ring)
{
	return !ring->copied && is_empty(announce_receive(ring)) ? LCD_OK : LCD_BUSY;
}

lcd_status lcd_ring_announce_send(struct lcd_ring *ring)
{
	return is_sent(announce_send(ring)) ? LCD_OK : LCD_BUSY;
}

/* When a wait is over: at a tick, or never. */
struct deadline {
	lcd_u64 ticks;
	lcd_status failed;
};

static struct deadline deadline_after(lcd_u64 timeout)
{
	struct deadline deadline = { 0, LCD_OK };
	lcd_u64 now;

	if (timeout != 0 && (deadline.failed = lcd_time(&now)) == LCD_OK)
		deadline.ticks = timeout > UINT64_MAX - now ? UINT64_MAX : now + timeout;
	return deadline;
}

/* Waits for the doorbell, or for the others if there is none. */
static lcd_status wait(const struct lcd_ring *ring, struct deadline deadline)
{
	lcd_u64 bits, now = 0;

	if (deadline.failed != LCD_OK)
		return deadline.failed;
	if (deadline.ticks != 0) {
		lcd_status status = lcd_time(&now);

		if (status != LCD_OK)
			return status;
		if (now >= deadline.ticks)
			return LCD_TIMED_OUT;
	}
	if (ring->channel == LCD_SLOT_NULL)
		return lcd_yield();
	return lcd_notification_wait(ring->channel, deadline.ticks == 0 ? 0 : deadline.ticks - now,
				     &bits);
}

lcd_status lcd_ring_send_wait(struct lcd_ring *ring, struct lcd_ring_slot **slot,
			      lcd_u64 timeout)
{
	lcd_status status = lcd_ring_send_start(ring, slot), waited = LCD_OK;
	struct deadline deadline;

	if (status != LCD_WOULD_BLOCK)
		return status;
	deadline = deadline_after(timeout);
	for (;;) {
		status = reserve(ring, announce_send(ring), slot);
		/* After a wait that failed, this look was the last. */
		if (status != LCD_WOULD_BLOCK || waited != LCD_OK)
			return status == LCD_WOULD_BLOCK ? waited : status;
		waited = wait(ring, deadline);
	}
}

lcd_status lcd_ring_receive_wait(struct lcd_ring *ring, const struct lcd_ring_message **message,
				 lcd_u64 timeout)
{
	lcd_status status = lcd_ring_receive_start(ring, message), waited = LCD_OK;
	struct deadline deadline;

	if (status != LCD_WOULD_BLOCK)
		return status;
	deadline = deadline_after(timeout);
	for (;;) {
		status = accept(ring, announce_receive(ring), message);
		/* What was sent before the other side died is still received. */
		if (status != LCD_WOULD_BLOCK || waited != LCD_OK)
			return status == LCD_WOULD_BLOCK ? waited : status;
		waited = wait(ring, deadline);
	}
}

lcd_status lcd_ring_send(struct lcd_ring *ring, const struct lcd_ring_message *message,
			 lcd_u64 timeout)
{
	struct lcd_ring_slot *slot;
	lcd_status status = lcd_ring_send_wait(ring, &slot, timeout);

	if (status != LCD_OK)
		return status;
	slot->flags = message->flags;
	memcpy(slot->words, message->words, sizeof(slot->words));
	return lcd_ring_send_finish(ring);
}

lcd_status lcd_ring_receive(struct lcd_ring *ring, struct lcd_ring_message *message,
			    lcd_u64 timeout)
{
	const struct lcd_ring_message *arrived;
	lcd_status status = lcd_ring_receive_wait(ring, &arrived, timeout);

	if (status != LCD_OK)
		return status;
	*message = *arrived;
	return lcd_ring_receive_finish(ring);
}

/*
 * Several threads of two domains grant capabilities into the other domain and revoke them, all
 * at the same time. Each keeps a record of what it granted, so that it knows how each
 * operation has to end; on top of that, all fight for the same few slots.
 */
#include "channel.h"

#define THREADS 4
#define GRANTS 200
#define REVOKES 100
/* In the other domain: slots that only this thread grants to, and slots that all grant to. */
#define OWN_SLOTS 64
#define OWN_SLOT(thread, n) lcd_slot_of_level(1, (thread) * OWN_SLOTS + (n))
#define COMMON_SLOTS 16
#define COMMON_SLOT(n) lcd_slot_of_level(1, THREADS * OWN_SLOTS + (n))

/* Slots of this domain: each thread has a page of its own. */
#define PAGE(thread) (16 + (thread))

/* In memory that both domains share: how many threads have come to the end of a phase. */
static volatile uint64_t *arrived;

static void meet(int phase, uint64_t threads)
{
	__atomic_add_fetch(&arrived[phase], 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&arrived[phase], __ATOMIC_ACQUIRE) < threads)
		let_others_run();
}

/* Grants the thread's page to a slot that nobody else uses: it is known whether it is free. */
static int grant_own(uint64_t thread, uint64_t n, bool *granted)
{
	lcd_status status = lcd_cap_grant(lcd_boot_slot("other"), PAGE(thread),
					  OWN_SLOT(thread, n), RW, 0);

	CHECK(status == (granted[n] ? LCD_EXISTS : LCD_OK));
	granted[n] = true;
	return 0;
}

/* The same with a page that all have, to a slot that others may have taken. */
static int grant_common(uint64_t n)
{
	lcd_status status = lcd_cap_grant(lcd_boot_slot("other"), lcd_boot_slot("common"),
					  COMMON_SLOT(n), RW, 0);

	CHECK(status == LCD_OK || status == LCD_EXISTS);
	return 0;
}

/* In any order, and letting others run in between. */
int storm(uint64_t seed)
{
	uint64_t thread = lcd_thread(), grants = 0, revokes = 0;
	bool granted[OWN_SLOTS] = { false };

	arrived = memory_of(lcd_boot_slot("phases"));
	while (grants < GRANTS || revokes < REVOKES) {
		uint64_t random = random_next(&seed) >> 20;
		bool own = random >> 20 & 1;

		if (revokes < REVOKES && (random % 3 == 0 || grants == GRANTS)) {
			TRY(lcd_cap_revoke(own ? PAGE(thread) : lcd_boot_slot("common")));
			if (own)
				memset(granted, 0, sizeof(granted));
			revokes++;
		} else if (grants < GRANTS) {
			if (own)
				TRY(grant_own(thread, random >> 8 & (OWN_SLOTS - 1), granted));
			else
				TRY(grant_common(random >> 8 & (COMMON_SLOTS - 1)));
			grants++;
		}
		if (random >> 16 & 1)
			lcd_yield();
	}
	meet(0, 2 * THREADS);
	return 0;
}

/* What came from the other domain is gone, and what is this domain's own is as it was. */
static int check(void)
{
	struct lcd_capability found;

	for (uint64_t n = 0; n < THREADS * OWN_SLOTS + COMMON_SLOTS; n++)
		CHECK(lcd_cap_inspect(lcd_slot_of_level(1, n), &found) == LCD_NOT_FOUND);
	for (uint64_t thread = 0; thread < THREADS; thread++) {
		TRY(lcd_cap_inspect(PAGE(thread), &found));
		CHECK(found.kind == LCD_KIND_PAGE && found.rights == (RW | LCD_GRANT));
	}
	TRY(lcd_cap_inspect(lcd_boot_slot("common"), &found));
	CHECK(found.rights == (RW | LCD_GRANT));
	return 0;
}

/* The first thread of each domain joins in, and in the end takes everything back. */
int main_thread(uint64_t seed)
{
	TRY(storm(seed));
	for (uint64_t thread = 0; thread < THREADS; thread++)
		TRY(lcd_cap_revoke(PAGE(thread)));
	TRY(lcd_cap_revoke(lcd_boot_slot("common")));
	meet(1, 2);
	TRY(check());
	pr_info("%d grants and %d revokes by each of %d threads: nothing is left\n", GRANTS,
		REVOKES, THREADS);
	/* Until the other has looked as well, this domain is needed. */
	meet(2, 2);
	return 0;
}

MODULE_LICENSE("Dual MIT/Apache-2.0");

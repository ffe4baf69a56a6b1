/*
 * Random numbers whose state the caller seeds, so that they repeat (taus113, L'Ecuyer
 * 1999). Those of the kernel's own pool are not here: no two runs would agree.
 */
#include "kernel.h"

struct rnd_state {
	uint32_t s1, s2, s3, s4;
};

uint32_t prandom_u32_state(struct rnd_state *s)
{
	s->s1 = (s->s1 & ~1u) << 18 ^ (s->s1 << 6 ^ s->s1) >> 13;
	s->s2 = (s->s2 & ~7u) << 2 ^ (s->s2 << 2 ^ s->s2) >> 27;
	s->s3 = (s->s3 & ~15u) << 7 ^ (s->s3 << 13 ^ s->s3) >> 21;
	s->s4 = (s->s4 & ~127u) << 13 ^ (s->s4 << 3 ^ s->s4) >> 12;
	return s->s1 ^ s->s2 ^ s->s3 ^ s->s4;
}

void prandom_bytes_state(struct rnd_state *state, void *to, size_t n)
{
	uint8_t *bytes = to;

	for (; n >= 4; n -= 4, bytes += 4) {
		uint32_t word = prandom_u32_state(state);

		memcpy(bytes, &word, 4);
	}
	if (n > 0) {
		uint32_t word = prandom_u32_state(state);

		memcpy(bytes, &word, n);
	}
}

/* What the two sides agree on. */
#ifndef NUMBERS_H
#define NUMBERS_H

#define MESSAGES 10000
#define SEED 7

/* The words of the next message. */
static inline uint64_t next_words(uint64_t *state, uint64_t words[LCD_RING_WORDS])
{
	uint64_t digest = DIGEST_START;

	for (int i = 0; i < LCD_RING_WORDS; i++) {
		words[i] = random_next(state);
		digest = digest_add(digest, words[i]);
	}
	return digest;
}

#endif /* NUMBERS_H */

/* Whoever's turn it is adds one to the token, which makes it the other's turn. */
#include "module.h"

#define PASSES 1000

long pass(uint64_t own)
{
	uint64_t *token = lcd_data_window(0);

	for (int i = 0; i < PASSES; i++) {
		while (__atomic_load_n(token, __ATOMIC_ACQUIRE) % 2 != own)
			__builtin_ia32_pause();
		__atomic_store_n(token, *token + 1, __ATOMIC_RELEASE);
	}
	/* Both end with the same: the last one's store. */
	while (__atomic_load_n(token, __ATOMIC_ACQUIRE) != 2 * PASSES)
		__builtin_ia32_pause();
	return 2 * PASSES;
}

MODULE_LICENSE("Dual MIT/Apache-2.0");

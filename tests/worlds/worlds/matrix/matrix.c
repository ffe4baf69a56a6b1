/* Powers of a matrix: nested loops with scaled addresses, multiplications, remainders. */
#include "module.h"

#define N 8
#define PRIME 1000000007u

struct matrix {
	uint64_t at[N][N];
};

static void multiply(struct matrix *to, const struct matrix *a, const struct matrix *b)
{
	for (int i = 0; i < N; i++) {
		for (int j = 0; j < N; j++) {
			uint64_t sum = 0;

			for (int k = 0; k < N; k++)
				sum = (sum + a->at[i][k] * b->at[k][j]) % PRIME;
			to->at[i][j] = sum;
		}
	}
}

static int __init start(void)
{
	struct matrix power = { 0 }, base = { 0 }, product;
	uint64_t trace = 0;

	for (int i = 0; i < N; i++) {
		power.at[i][i] = 1;
		for (int j = 0; j < N; j++)
			base.at[i][j] = (uint64_t)(i * N + j + 1);
	}
	for (unsigned int exponent = 1000; exponent > 0; exponent /= 2) {
		if (exponent & 1) {
			multiply(&product, &power, &base);
			power = product;
		}
		multiply(&product, &base, &base);
		base = product;
	}
	for (int i = 0; i < N; i++)
		trace = (trace + power.at[i][i]) % PRIME;
	pr_info("corner %llu, trace %llu\n", (unsigned long long)power.at[0][0],
		(unsigned long long)trace);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

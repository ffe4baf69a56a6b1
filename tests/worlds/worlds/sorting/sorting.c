/* Three ways to one order. */
#include "module.h"

#define COUNT 1000

static int32_t numbers[COUNT];

static void swap(int32_t *a, int32_t *b)
{
	int32_t x = *a;

	*a = *b;
	*b = x;
}

static void shell_sort(int32_t *a, int n)
{
	for (int gap = n / 2; gap > 0; gap /= 2)
		for (int i = gap; i < n; i++)
			for (int j = i; j >= gap && a[j - gap] > a[j]; j -= gap)
				swap(&a[j], &a[j - gap]);
}

static void quick_sort(int32_t *a, int n)
{
	int32_t pivot = a[n / 2];
	int i = 0, j = n - 1;

	while (i <= j) {
		while (a[i] < pivot)
			i++;
		while (a[j] > pivot)
			j--;
		if (i <= j)
			swap(&a[i++], &a[j--]);
	}
	if (j > 0)
		quick_sort(a, j + 1);
	if (i < n - 1)
		quick_sort(a + i, n - i);
}

static void sift(int32_t *a, int root, int n)
{
	for (;;) {
		int child = 2 * root + 1;

		if (child >= n)
			return;
		if (child + 1 < n && a[child + 1] > a[child])
			child++;
		if (a[root] >= a[child])
			return;
		swap(&a[root], &a[child]);
		root = child;
	}
}

static void heap_sort(int32_t *a, int n)
{
	for (int i = n / 2 - 1; i >= 0; i--)
		sift(a, i, n);
	for (int end = n - 1; end > 0; end--) {
		swap(&a[0], &a[end]);
		sift(a, 0, end);
	}
}

static void run(const char *name, void (*sort)(int32_t *, int))
{
	uint64_t state = 2463534242u, digest = DIGEST_START;
	bool ordered = true;

	for (int i = 0; i < COUNT; i++)
		numbers[i] = (int32_t)(random_next(&state) >> 40) - (1 << 23);
	sort(numbers, COUNT);
	for (int i = 0; i < COUNT; i++) {
		ordered &= i == 0 || numbers[i - 1] <= numbers[i];
		digest = digest_add(digest, (uint64_t)numbers[i]);
	}
	pr_info("%s: %s, %d to %d, %016llx\n", name, ordered ? "ordered" : "NOT ORDERED",
		numbers[0], numbers[COUNT - 1], (unsigned long long)digest);
}

static int __init start(void)
{
	run("shell", shell_sort);
	run("quick", quick_sort);
	run("heap", heap_sort);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

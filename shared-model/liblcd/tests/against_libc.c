/*
 * Compares liblcd's functions with the C library's, over many arguments. The object is
 * the one that domains get, with `lcd_` put before its symbols.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int lcd_snprintf(char *to, size_t size, const char *format, ...);
int lcd_scnprintf(char *to, size_t size, const char *format, ...);
size_t lcd_strlen(const char *s);
size_t lcd_strnlen(const char *s, size_t n);
int lcd_strcmp(const char *a, const char *b);
int lcd_strncmp(const char *a, const char *b, size_t n);
int lcd_strcasecmp(const char *a, const char *b);
int lcd_strncasecmp(const char *a, const char *b, size_t n);
char *lcd_strcpy(char *to, const char *from);
char *lcd_strncpy(char *to, const char *from, size_t n);
size_t lcd_strlcpy(char *to, const char *from, size_t n);
size_t lcd_strlcat(char *to, const char *from, size_t n);
long lcd_strscpy(char *to, const char *from, size_t n);
char *lcd_strcat(char *to, const char *from);
char *lcd_strncat(char *to, const char *from, size_t n);
char *lcd_strchr(const char *s, int c);
char *lcd_strchrnul(const char *s, int c);
char *lcd_strnchr(const char *s, size_t n, int c);
char *lcd_strrchr(const char *s, int c);
char *lcd_strstr(const char *s, const char *part);
char *lcd_strnstr(const char *s, const char *part, size_t n);
size_t lcd_strspn(const char *s, const char *set);
size_t lcd_strcspn(const char *s, const char *set);
char *lcd_strpbrk(const char *s, const char *set);
char *lcd_strim(char *s);
bool lcd_sysfs_streq(const char *a, const char *b);
void *lcd_memcpy(void *to, const void *from, size_t n);
void *lcd_memmove(void *to, const void *from, size_t n);
void *lcd_memset(void *to, int byte, size_t n);
int lcd_memcmp(const void *a, const void *b, size_t n);
void *lcd_memchr(const void *s, int byte, size_t n);
void *lcd_memchr_inv(const void *s, int byte, size_t n);
void *lcd_memscan(void *s, int byte, size_t n);
unsigned long long lcd_simple_strtoull(const char *s, char **end, unsigned int base);
long long lcd_simple_strtoll(const char *s, char **end, unsigned int base);
int lcd_kstrtoull(const char *s, unsigned int base, unsigned long long *result);
int lcd_kstrtoll(const char *s, unsigned int base, long long *result);
int lcd_kstrtou8(const char *s, unsigned int base, uint8_t *result);
int lcd_kstrtoint(const char *s, unsigned int base, int *result);
int lcd_kstrtobool(const char *s, bool *result);
int lcd_hex2bin(uint8_t *to, const char *from, size_t count);
char *lcd_bin2hex(char *to, const void *from, size_t count);
void lcd_sort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *),
	      void (*swap)(void *, void *, int));
void *lcd_bsearch(const void *key, const void *base, size_t count, size_t size,
		  int (*compare)(const void *, const void *));
unsigned long lcd_gcd(unsigned long a, unsigned long b);
unsigned long lcd_int_sqrt(unsigned long x);
uint32_t lcd_crc32_le(uint32_t crc, const uint8_t *bytes, size_t n);
uint32_t lcd_crc32_be(uint32_t crc, const uint8_t *bytes, size_t n);
uint32_t lcd___crc32c_le(uint32_t crc, const uint8_t *bytes, size_t n);
unsigned long lcd__find_next_bit(const uint64_t *map, unsigned long bits, unsigned long start);
unsigned long lcd__find_next_zero_bit(const uint64_t *map, unsigned long bits, unsigned long start);
unsigned long lcd__find_last_bit(const uint64_t *map, unsigned long bits);
unsigned int lcd___bitmap_weight(const uint64_t *map, unsigned int bits);
int lcd_hex_dump_to_buffer(const void *bytes, size_t n, int row, int group, char *line, size_t room,
			   bool characters);
extern const unsigned char lcd__ctype[256];

static int failures;

#define CHECK(condition, ...)                                                              \
	do {                                                                               \
		if (!(condition) && failures++ < 20) {                                     \
			printf("%s:%d: %s: ", __FILE__, __LINE__, #condition);             \
			printf(__VA_ARGS__);                                               \
			printf("\n");                                                      \
		}                                                                          \
	} while (0)

static uint64_t state = 0x853c49e6748fea9b;

static uint64_t random_bits(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static unsigned int below(unsigned int n)
{
	return (unsigned int)(random_bits() >> 33) % n;
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

/* Short strings of few letters, so that searches find something. */
static void random_text(char *to, unsigned int longest)
{
	unsigned int length = below(longest + 1);

	for (unsigned int i = 0; i < length; i++)
		to[i] = "abcABC ,\t\xe9"[below(10)];
	to[length] = '\0';
}

static uint64_t random_number(void)
{
	uint64_t x = random_bits() >> below(64);

	return below(8) == 0 ? 0 : below(4) == 0 ? ~x : x;
}

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"

/* Conversions that mean the same in C and in the kernel. */
static void numbers(void)
{
	static const char *const lengths[] = { "hh", "h", "", "l", "ll", "z", "t", "j" };
	static const char conversions[] = "diuxXo";

	for (int i = 0; i < 300000; i++) {
		char format[40], flags[8] = "", ours[80], theirs[80];
		char conversion = conversions[below(6)];
		unsigned int length = below(8), room = below(8) ? 80 : below(12), n = 0;
		uint64_t value = random_number();
		bool has_precision = below(3) == 0, special = below(4) == 0;
		int got, expected;

		if (below(3) == 0)
			flags[n++] = '-';
		/* Where C and the kernel differ: see format_number(). */
		if (below(3) == 0 && !has_precision)
			flags[n++] = '0';
		if (below(3) == 0)
			flags[n++] = '+';
		if (below(3) == 0)
			flags[n++] = ' ';
		if (special && conversion != 'o' && (uint8_t)value != 0)
			flags[n++] = '#';
		/* A width and a precision, sometimes. */
		{
			char width[12] = "", precision[12] = "";

			if (below(2))
				snprintf(width, sizeof(width), "%u", 1 + below(30));
			if (has_precision)
				snprintf(precision, sizeof(precision), ".%u", 1 + below(25));
			snprintf(format, sizeof(format), "<%%%s%s%s%s%c>", flags, width, precision,
				 lengths[length], conversion);
		}
		memset(ours, 'U', sizeof(ours));
		memset(theirs, 'U', sizeof(theirs));
		if (length >= 3) {
			expected = snprintf(theirs, room, format, value);
			got = lcd_snprintf(ours, room, format, value);
		} else {
			expected = snprintf(theirs, room, format, (int)value);
			got = lcd_snprintf(ours, room, format, (int)value);
		}
		CHECK(got == expected && memcmp(ours, theirs, sizeof(ours)) == 0,
		      "\"%s\" of %#llx in %u: \"%s\" %d, libc \"%s\" %d", format,
		      (unsigned long long)value, room, room ? ours : "", got, room ? theirs : "",
		      expected);
	}
}

static void texts(void)
{
	static const char *const formats[] = { "[%s]", "[%10s]", "[%-10s]", "[%.3s]", "[%10.3s]",
	      "[%-10.3s]" };
	char text[40], ours[80], theirs[80];

	for (int i = 0; i < 20000; i++) {
		const char *format = formats[below(6)];
		unsigned int room = below(60);

		random_text(text, 30);
		memset(ours, 'U', sizeof(ours));
		memset(theirs, 'U', sizeof(theirs));
		CHECK(lcd_snprintf(ours, room, format, text) == snprintf(theirs, room, format,
		      text) &&
			      memcmp(ours, theirs, sizeof(ours)) == 0,
		      "\"%s\" of \"%s\"", format, text);
	}
	CHECK(lcd_scnprintf(ours, 4, "%s", "abcdef") == 3 && strcmp(ours, "abc") == 0, "scnprintf");
	CHECK(lcd_scnprintf(ours, 0, "%s", "abcdef") == 0, "scnprintf into nothing");
}

static void strings(void)
{
	char a[64], b[64], set[8], x[200], y[200];

	for (int i = 0; i < 100000; i++) {
		unsigned int n = below(50);
		char c = "abcABC ,\t\xe9z"[below(11)];

		random_text(a, 40);
		/* Equal beginnings, to get further than the first letter. */
		if (below(2)) {
			strcpy(b, a);
			b[below(41)] = c;
			b[40] = '\0';
		} else {
			random_text(b, below(2) ? 3 : 40);
		}
		random_text(set, 6);
		CHECK(lcd_strlen(a) == strlen(a), "\"%s\"", a);
		CHECK(lcd_strnlen(a, n) == strnlen(a, n), "\"%s\" %u", a, n);
		CHECK(sign(lcd_strcmp(a, b)) == sign(strcmp(a, b)), "\"%s\" \"%s\"", a, b);
		CHECK(sign(lcd_strncmp(a, b, n)) == sign(strncmp(a, b, n)), "\"%s\" \"%s\" %u",
		      a, b, n);
		CHECK(lcd_strchr(a, c) == strchr(a, c), "\"%s\" %c", a, c);
		CHECK(lcd_strchr(a, 0) == strchr(a, 0), "\"%s\"", a);
		CHECK(lcd_strrchr(a, c) == strrchr(a, c), "\"%s\" %c", a, c);
		CHECK(lcd_strstr(a, b) == strstr(a, b), "\"%s\" \"%s\"", a, b);
		CHECK(lcd_strspn(a, set) == strspn(a, set), "\"%s\" \"%s\"", a, set);
		CHECK(lcd_strcspn(a, set) == strcspn(a, set), "\"%s\" \"%s\"", a, set);
		CHECK(lcd_strpbrk(a, set) == strpbrk(a, set), "\"%s\" \"%s\"", a, set);
		CHECK(lcd_memchr(a, c, n) == memchr(a, c, n), "%u %c", n, c);
		CHECK(sign(lcd_memcmp(a, b, n)) == sign(memcmp(a, b, n)), "%u", n);

		memset(x, '#', sizeof(x));
		memset(y, '#', sizeof(y));
		CHECK(lcd_strncpy(x, a, n) == x && memcmp(x, strncpy(y, a, n), sizeof(x)) == 0,
		      "strncpy");
		strcpy(x, a);
		strcpy(y, a);
		CHECK(lcd_strncat(x, b, n) == x && strcmp(x, strncat(y, b, n)) == 0, "strncat");
		CHECK(lcd_strcat(x, b) == x && strcmp(x, strcat(y, b)) == 0, "strcat");
		memset(x, '#', sizeof(x));
		CHECK(lcd_strlcpy(x, a, n) == strlen(a), "strlcpy");
		CHECK(n == 0 || (memcmp(x, a, strlen(x)) == 0 &&
				 strlen(x) == (strlen(a) < n ? strlen(a) : n - 1)), "strlcpy");
		CHECK(lcd_strscpy(x, a, n) == (n > strlen(a) ? (long)strlen(a) : -7), "strscpy");
	}
	CHECK(lcd_strcasecmp("Hello", "hELLO") == 0 && lcd_strcasecmp("a", "B") < 0, "strcasecmp");
	CHECK(lcd_strncasecmp("HELLish", "hello", 4) == 0, "strncasecmp");
	CHECK(*lcd_strchrnul("abc", 'z') == '\0' && lcd_strnchr("abc", 2, 'c') == NULL,
	      "strchrnul");
	CHECK(lcd_strnstr("abcdef", "def", 5) == NULL && lcd_strnstr("abcdef", "", 0) != NULL,
	      "strnstr");
	strcpy(x, "abc");
	CHECK(lcd_strlcat(x, "defgh", 6) == 8 && strcmp(x, "abcde") == 0, "strlcat");
	strcpy(x, "  both ends \n");
	CHECK(strcmp(lcd_strim(x), "both ends") == 0, "strim");
	CHECK(lcd_sysfs_streq("on", "on\n") && !lcd_sysfs_streq("on", "one"), "sysfs_streq");
}

static void bytes(void)
{
	unsigned char x[300], y[300];

	for (int i = 0; i < 100000; i++) {
		unsigned int to = below(100), from = below(100), n = below(190);
		int byte = (int)below(4);

		for (unsigned int j = 0; j < sizeof(x); j++)
			x[j] = y[j] = (unsigned char)below(3);
		CHECK(lcd_memmove(x + to, x + from, n) == x + to, "memmove");
		memmove(y + to, y + from, n);
		CHECK(memcmp(x, y, sizeof(x)) == 0, "memmove %u %u %u", to, from, n);
		lcd_memset(x + from, byte, n);
		memset(y + from, byte, n);
		CHECK(memcmp(x, y, sizeof(x)) == 0, "memset %u %u", from, n);
		lcd_memcpy(x + 200, x + to, n / 2);
		memcpy(y + 200, y + to, n / 2);
		CHECK(memcmp(x, y, sizeof(x)) == 0, "memcpy %u %u", to, n);
		CHECK(lcd_memscan(x + from, byte, n) ==
			(memchr(x + from, byte, n) ? memchr(x + from, byte,
			      n) : x + from + n),
		      "memscan");
		{
			unsigned char *odd = lcd_memchr_inv(x + to, byte, n);
			unsigned int j = 0;

			while (j < n && x[to + j] == byte)
				j++;
			CHECK(odd == (j < n ? x + to + j : NULL), "memchr_inv");
		}
	}
}

static void conversions(void)
{
	static const char *const texts[] = {
		"0", "00", "0x", "0x1f", "0X1F", "0755", "08", "-1", "+1", "12abc", "", "-",
		      "18446744073709551615",
		"18446744073709551616", "9223372036854775807", "9223372036854775808",
		"-9223372036854775808", "-9223372036854775809", "5\n", "5\n\n", " 5", "0xg",
		      "255", "256", "zz",
	};
	unsigned long long wide;
	long long narrow;
	uint8_t small;
	int middle;
	bool flag;
	uint8_t raw[4];
	char hex[9] = "";

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		for (unsigned int base = 0; base <= 36; base += base ? 1 : 2) {
			char *ours, *theirs;
			const char *s = texts[i];
			unsigned long long expected;

			/* The C library also skips spaces and signs,
			      and stops at the largest number. */
			expected = strtoull(s, &theirs, (int)base);
			if (strchr(" +-", s[0]) || expected == ~0ull)
				continue;
			CHECK(lcd_simple_strtoull(s, &ours, base) == expected && ours == theirs,
			      "\"%s\" in base %u", s, base);
		}
	}
	CHECK(lcd_simple_strtoll("-12", NULL, 10) == -12, "simple_strtoll");
	CHECK(lcd_kstrtoull("18446744073709551615", 10, &wide) == 0 && wide == ~0ull, "kstrtoull");
	CHECK(lcd_kstrtoull("18446744073709551616", 10, &wide) == -34, "kstrtoull");
	CHECK(lcd_kstrtoull("+0x1f\n", 0, &wide) == 0 && wide == 31, "kstrtoull");
	CHECK(lcd_kstrtoull("5\n\n", 10, &wide) == -22 && lcd_kstrtoull("", 10, &wide) == -22 &&
		lcd_kstrtoull("-1", 10, &wide) == -22 && lcd_kstrtoull("08", 0,
		      &wide) == -22, "kstrtoull");
	CHECK(lcd_kstrtoll("-9223372036854775808", 10, &narrow) == 0 && narrow == INT64_MIN,
	      "kstrtoll");
	CHECK(lcd_kstrtoll("-9223372036854775809", 10, &narrow) == -34 &&
		      lcd_kstrtoll("9223372036854775808", 10, &narrow) == -34, "kstrtoll");
	CHECK(lcd_kstrtou8("255", 10, &small) == 0 && small == 255 && lcd_kstrtou8("256", 10,
	      &small) == -34,
	      "kstrtou8");
	CHECK(lcd_kstrtoint("-2147483648", 10, &middle) == 0 && middle == INT32_MIN &&
		      lcd_kstrtoint("2147483648", 10, &middle) == -34, "kstrtoint");
	CHECK(lcd_kstrtobool("on", &flag) == 0 && flag && lcd_kstrtobool("No", &flag) == 0 &&
	      !flag &&
		      lcd_kstrtobool("maybe", &flag) == -22, "kstrtobool");
	CHECK(lcd_hex2bin(raw, "00fFa5", 3) == 0 && memcmp(raw, "\x00\xff\xa5", 3) == 0 &&
		      lcd_hex2bin(raw, "0g", 1) == -22, "hex2bin");
	CHECK(lcd_bin2hex(hex, "\x00\xff\xa5\x10", 4) == hex + 8 && strcmp(hex, "00ffa510") == 0,
	      "bin2hex");
}

static void kinds(void)
{
	for (int c = 0; c < 128; c++) {
		unsigned char kind = lcd__ctype[c];

		CHECK(!(kind & 0x01) == !isupper(c) && !(kind & 0x02) == !islower(c) &&
			      !(kind & 0x04) == !isdigit(c) && !(kind & 0x08) == !iscntrl(c) &&
			      !(kind & 0x10) == !ispunct(c) && !(kind & 0x20) == !isspace(c) &&
			      !(kind & 0x44) == !isxdigit(c) && !(kind & 0x97) == !isprint(c),
		      "character %d", c);
	}
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void order(void)
{
	uint32_t ours[100], theirs[100];

	for (unsigned int count = 0; count < 100; count++) {
		for (unsigned int i = 0; i < count; i++)
			ours[i] = theirs[i] = below(50);
		lcd_sort(ours, count, 4, compare_numbers, NULL);
		qsort(theirs, count, 4, compare_numbers);
		CHECK(memcmp(ours, theirs, count * 4) == 0, "%u numbers", count);
		for (uint32_t key = 0; key < 52; key++) {
			uint32_t *found = lcd_bsearch(&key, ours, count, 4, compare_numbers);

			CHECK(!found == !bsearch(&key, theirs, count, 4, compare_numbers) &&
				      (!found || *found == key),
			      "%u among %u", key, count);
		}
	}
}

/* The helper's own convention: the argument in rdi, the result in rax, nothing else changes. */
static uint64_t weight(uint64_t x)
{
	register uint64_t r8 __asm__("r8") = 8, r9 __asm__("r9") = 9, r10 __asm__("r10") = 10,
			  r11 __asm__("r11") = 11;
	uint64_t result, di = x, si = 1, d = 2, c = 3;

	/* The call must not overwrite the red zone of this function. */
	__asm__ volatile("subq $128, %%rsp\n\tcall lcd___sw_hweight64\n\taddq $128, %%rsp"
			 : "=a"(result), "+D"(di), "+S"(si), "+d"(d), "+c"(c), "+r"(r8), "+r"(r9),
			   "+r"(r10), "+r"(r11)
			 :
			 : "memory", "cc");
	CHECK(di == x && si == 1 && d == 2 && c == 3 && r8 == 8 && r9 == 9 && r10 == 10 &&
	      r11 == 11,
	      "a register changed");
	return result;
}

static void arithmetic(void)
{
	uint64_t map[4];

	for (int i = 0; i < 20000; i++) {
		uint64_t x = random_number(), root = lcd_int_sqrt(x);
		unsigned long start = below(256), bits = 1 + below(256), next = start,
		      zero = start, last = bits;
		unsigned int ones = 0;

		CHECK(weight(x) == (uint64_t)__builtin_popcountll(x), "%llx",
		      (unsigned long long)x);
		CHECK(root * root <= x && (root == 0xffffffff || (root + 1) * (root + 1) > x),
		      "%llx",
		      (unsigned long long)x);
		for (int j = 0; j < 4; j++)
			map[j] = below(3) ? random_bits() & random_bits() & random_bits() : below(2) ? 0 : ~0ull;
#define BIT(n) (map[(n) / 64] >> (n) % 64 & 1)
		while (next < bits && !BIT(next))
			next++;
		while (zero < bits && BIT(zero))
			zero++;
		for (unsigned long j = 0; j < bits; j++) {
			ones += BIT(j);
			last = BIT(j) ? j : last;
		}
		CHECK(lcd__find_next_bit(map, bits, start) == (next < bits ? next : bits),
		      "%lu %lu", bits, start);
		CHECK(lcd__find_next_zero_bit(map, bits, start) == (zero < bits ? zero : bits),
		      "%lu %lu", bits,
		      start);
		CHECK(lcd__find_last_bit(map, bits) == last, "%lu", bits);
		CHECK(lcd___bitmap_weight(map, (unsigned int)bits) == ones, "%lu", bits);
	}
	CHECK(lcd_gcd(48, 36) == 12 && lcd_gcd(0, 7) == 7, "gcd");
	CHECK(~lcd_crc32_le(~0u, (const uint8_t *)"123456789", 9) == 0xcbf43926, "crc32_le");
	CHECK(~lcd_crc32_be(~0u, (const uint8_t *)"123456789", 9) == 0xfc891918, "crc32_be");
	CHECK(~lcd___crc32c_le(~0u, (const uint8_t *)"123456789", 9) == 0xe3069283, "__crc32c_le");
}

static void dumps(void)
{
	char line[120];

	lcd_hex_dump_to_buffer("0123456789abcdef", 16, 16, 1, line, sizeof(line), true);
	CHECK(strcmp(line, "30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef") == 0, "%s", line);
	lcd_hex_dump_to_buffer("\x01\x02\x03\x04\x05\x06\x07\x08", 8, 16, 4, line, sizeof(line),
	      false);
	CHECK(strcmp(line, "04030201 08070605") == 0, "%s", line);
	lcd_hex_dump_to_buffer("ab\n", 3, 16, 2, line, sizeof(line), true);
	CHECK(strcmp(line, "61 62 0a                                         ab.") == 0, "%s",
	      line);
	CHECK(lcd_hex_dump_to_buffer("abcd", 4, 16, 1, line, 6, false) == 11 && strcmp(line,
	      "61 62") == 0, "%s",
	      line);
}

int main(void)
{
	numbers();
	texts();
	strings();
	bytes();
	conversions();
	kinds();
	order();
	arithmetic();
	dumps();
	if (failures)
		printf("%d differences\n", failures);
	return failures != 0;
}

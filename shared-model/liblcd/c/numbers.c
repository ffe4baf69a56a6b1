/* Text to numbers, and bytes to hexadecimal and back. */
#include "kernel.h"

/* The value of a digit, or 255. */
static unsigned int digit(char c)
{
	c = lower(c);
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'z')
		return (unsigned int)(c - 'a') + 10;
	return 255;
}

/* The base that a prefix announces, where `base` leaves it open. Skips `0x`. */
static const char *read_base(const char *s, unsigned int *base)
{
	bool hex = s[0] == '0' && lower(s[1]) == 'x' && digit(s[2]) < 16;

	if (*base == 0)
		*base = hex ? 16 : s[0] == '0' ? 8 : 10;
	return hex && *base == 16 ? s + 2 : s;
}

unsigned long long simple_strtoull(const char *s, char **end, unsigned int base)
{
	unsigned long long value = 0;

	for (s = read_base(s, &base); digit(*s) < base; s++)
		value = value * base + digit(*s);
	if (end)
		*end = (char *)s;
	return value;
}

unsigned long simple_strtoul(const char *s, char **end, unsigned int base)
{
	return simple_strtoull(s, end, base);
}

long long simple_strtoll(const char *s, char **end, unsigned int base)
{
	if (*s == '-')
		return (long long)-simple_strtoull(s + 1, end, base);
	return (long long)simple_strtoull(s, end, base);
}

long simple_strtol(const char *s, char **end, unsigned int base)
{
	return simple_strtoll(s, end, base);
}

/* A number and at most a newline, nothing else; an optional `+`. */
static int read_magnitude(const char *s, unsigned int base, unsigned long long *result)
{
	unsigned long long value = 0;

	s = read_base(s, &base);
	if (digit(*s) >= base)
		return -EINVAL;
	for (; digit(*s) < base; s++)
		if (__builtin_mul_overflow(value, (unsigned long long)base, &value) ||
		    __builtin_add_overflow(value, (unsigned long long)digit(*s), &value))
			return -ERANGE;
	if (*s == '\n')
		s++;
	if (*s != '\0')
		return -EINVAL;
	*result = value;
	return 0;
}

int kstrtoull(const char *s, unsigned int base, unsigned long long *result)
{
	return read_magnitude(*s == '+' ? s + 1 : s, base, result);
}

int kstrtoll(const char *s, unsigned int base, long long *result)
{
	unsigned long long value;
	int status;

	if (*s == '-') {
		status = read_magnitude(s + 1, base, &value);
		if (status == 0 && value > 1ull << 63)
			status = -ERANGE;
		value = -value;
	} else {
		status = kstrtoull(s, base, &value);
		if (status == 0 && (long long)value < 0)
			status = -ERANGE;
	}
	if (status == 0)
		*result = (long long)value;
	return status;
}

#define KSTRTO(name, type, wide, from)                                                     \
	int name(const char *s, unsigned int base, type *result);                          \
	int name(const char *s, unsigned int base, type *result)                           \
	{                                                                                  \
		wide value;                                                                \
		int status = from(s, base, &value);                                        \
                                                                                           \
		if (status == 0 && value != (wide)(type)value)                             \
			status = -ERANGE;                                                  \
		if (status == 0)                                                           \
			*result = (type)value;                                             \
		return status;                                                             \
	}

KSTRTO(_kstrtoul, unsigned long, unsigned long long, kstrtoull)
KSTRTO(_kstrtol, long, long long, kstrtoll)
KSTRTO(kstrtouint, unsigned int, unsigned long long, kstrtoull)
KSTRTO(kstrtoint, int, long long, kstrtoll)
KSTRTO(kstrtou16, uint16_t, unsigned long long, kstrtoull)
KSTRTO(kstrtos16, int16_t, long long, kstrtoll)
KSTRTO(kstrtou8, uint8_t, unsigned long long, kstrtoull)
KSTRTO(kstrtos8, int8_t, long long, kstrtoll)

/* y, yes, t, true, 1, on and their opposites, told by the first letters. */
int kstrtobool(const char *s, bool *result)
{
	char first = s ? lower(s[0]) : '\0';

	if (first == 'y' || first == 't' || first == '1' || (first == 'o' && lower(s[1]) == 'n'))
		*result = true;
	else if (first == 'n' || first == 'f' || first == '0' ||
		 (first == 'o' && lower(s[1]) == 'f'))
		*result = false;
	else
		return -EINVAL;
	return 0;
}

const char hex_asc[] = "0123456789abcdef";
const char hex_asc_upper[] = "0123456789ABCDEF";

int hex_to_bin(unsigned char c)
{
	unsigned int value = digit((char)c);

	return value < 16 ? (int)value : -1;
}

int hex2bin(uint8_t *to, const char *from, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int high = hex_to_bin((unsigned char)from[2 * i]);
		int low = high < 0 ? -1 : hex_to_bin((unsigned char)from[2 * i + 1]);

		if (low < 0)
			return -EINVAL;
		to[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

char *bin2hex(char *to, const void *from, size_t count)
{
	const uint8_t *bytes = from;

	for (size_t i = 0; i < count; i++) {
		*to++ = hex_asc[bytes[i] >> 4];
		*to++ = hex_asc[bytes[i] & 15];
	}
	return to;
}

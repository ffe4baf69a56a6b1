/* Strings that end with a zero byte. */
#include "kernel.h"

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0')
		n++;
	return n;
}

size_t strnlen(const char *s, size_t limit)
{
	size_t n = 0;

	while (n < limit && s[n] != '\0')
		n++;
	return n;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char x = (unsigned char)a[i], y = (unsigned char)b[i];

		/* The kernel's answer is the sign only. */
		if (x != y)
			return x < y ? -1 : 1;
		if (x == '\0')
			break;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, (size_t)-1);
}

int strncasecmp(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char x = (unsigned char)lower(a[i]), y = (unsigned char)lower(b[i]);

		if (x != y)
			return x - y;
		if (x == '\0')
			break;
	}
	return 0;
}

int strcasecmp(const char *a, const char *b)
{
	return strncasecmp(a, b, (size_t)-1);
}

char *stpcpy(char *to, const char *from)
{
	size_t n = strlen(from);

	memcpy(to, from, n + 1);
	return to + n;
}

char *strcpy(char *to, const char *from)
{
	stpcpy(to, from);
	return to;
}

/* Fills what is left with zeros, and ends with one only if there is room. */
char *strncpy(char *to, const char *from, size_t n)
{
	size_t length = strnlen(from, n);

	memcpy(to, from, length);
	memset(to + length, 0, n - length);
	return to;
}

/* Always ends with a zero; the length of the source. */
size_t strlcpy(char *to, const char *from, size_t size)
{
	size_t length = strlen(from);
	size_t copied = length < size ? length : size - 1;

	if (size > 0) {
		memcpy(to, from, copied);
		to[copied] = '\0';
	}
	return length;
}

/* Always ends with a zero; the length of the copy, or an error if it was cut. */
intptr_t strscpy(char *to, const char *from, size_t size)
{
	size_t length;

	if (size == 0 || size > 0x7fffffff)
		return -E2BIG;
	length = strnlen(from, size);
	if (length == size) {
		memcpy(to, from, size - 1);
		to[size - 1] = '\0';
		return -E2BIG;
	}
	memcpy(to, from, length + 1);
	return (intptr_t)length;
}

/* And zeros to the end. */
intptr_t strscpy_pad(char *to, const char *from, size_t size)
{
	intptr_t length = strscpy(to, from, size);

	if (length >= 0)
		memset(to + length, 0, size - (size_t)length);
	return length;
}

char *strcat(char *to, const char *from)
{
	strcpy(to + strlen(to), from);
	return to;
}

char *strncat(char *to, const char *from, size_t n)
{
	size_t length = strnlen(from, n);
	char *end = to + strlen(to);

	memcpy(end, from, length);
	end[length] = '\0';
	return to;
}

size_t strlcat(char *to, const char *from, size_t size)
{
	size_t used = strnlen(to, size);

	return used + strlcpy(to + used, from, size - used);
}

char *strchrnul(const char *s, int c)
{
	while (*s != '\0' && *s != (char)c)
		s++;
	return (char *)s;
}

char *strchr(const char *s, int c)
{
	char *found = strchrnul(s, c);

	return *found == (char)c ? found : NULL;
}

char *strnchr(const char *s, size_t n, int c)
{
	for (; n > 0; n--, s++) {
		if (*s == (char)c)
			return (char *)s;
		if (*s == '\0')
			break;
	}
	return NULL;
}

char *strrchr(const char *s, int c)
{
	const char *found = NULL;

	do {
		if (*s == (char)c)
			found = s;
	} while (*s++ != '\0');
	return (char *)found;
}

char *strnstr(const char *s, const char *part, size_t n)
{
	size_t length = strlen(part);

	if (length == 0)
		return (char *)s;
	for (; n >= length && *s != '\0'; n--, s++)
		if (memcmp(s, part, length) == 0)
			return (char *)s;
	return NULL;
}

char *strstr(const char *s, const char *part)
{
	return strnstr(s, part, strlen(s));
}

size_t strspn(const char *s, const char *accepted)
{
	size_t n = 0;

	while (s[n] != '\0' && strchr(accepted, s[n]))
		n++;
	return n;
}

size_t strcspn(const char *s, const char *rejected)
{
	size_t n = 0;

	while (s[n] != '\0' && !strchr(rejected, s[n]))
		n++;
	return n;
}

char *strpbrk(const char *s, const char *wanted)
{
	s += strcspn(s, wanted);
	return *s != '\0' ? (char *)s : NULL;
}

/* Cuts the next field off `*s`, which then starts after the separator. */
char *strsep(char **s, const char *separators)
{
	char *field = *s, *end;

	if (!field)
		return NULL;
	end = strpbrk(field, separators);
	if (end)
		*end++ = '\0';
	*s = end;
	return field;
}

char *skip_spaces(const char *s)
{
	while (is_kind(*s, CTYPE_SPACE))
		s++;
	return (char *)s;
}

/* Cuts white space off the end, and skips it at the start. */
char *strim(char *s)
{
	size_t length = strlen(s);

	while (length > 0 && is_kind(s[length - 1], CTYPE_SPACE))
		length--;
	s[length] = '\0';
	return skip_spaces(s);
}

/* A line from a user: a final newline does not count. */
bool sysfs_streq(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return *a == *b || (*a == '\0' && *b == '\n' && b[1] == '\0') ||
	       (*b == '\0' && *a == '\n' && a[1] == '\0');
}

/* The index of a string in an array of `n`, which a null pointer may end. */
int match_string(const char *const *array, size_t n, const char *string)
{
	for (size_t i = 0; i < n && array[i]; i++)
		if (strcmp(array[i], string) == 0)
			return (int)i;
	return -EINVAL;
}

char *kstrdup(const char *s, gfp_t flags)
{
	return s ? kmemdup(s, strlen(s) + 1, flags) : NULL;
}

const char *kstrdup_const(const char *s, gfp_t flags)
{
	return kstrdup(s, flags);
}

char *kmemdup_nul(const char *s, size_t n, gfp_t flags)
{
	char *copy = s ? __kmalloc(n + 1, flags) : NULL;

	if (copy) {
		memcpy(copy, s, n);
		copy[n] = '\0';
	}
	return copy;
}

char *kstrndup(const char *s, size_t n, gfp_t flags)
{
	return s ? kmemdup_nul(s, strnlen(s, n), flags) : NULL;
}

void *kmemdup(const void *bytes, size_t n, gfp_t flags)
{
	void *copy = __kmalloc(n, flags);

	return copy ? memcpy(copy, bytes, n) : NULL;
}

/*
 * Formatted text: C's conversions with the kernel's differences, and the parts that all
 * of snprintf's relatives share. What `%p` followed by a letter means is in
 * format_pointer.c.
 */
#include "format.h"

void sink_put(struct sink *sink, char c)
{
	sink->total++;
	if (sink->next == sink->end && sink->full)
		sink->full(sink);
	if (sink->next != sink->end)
		*sink->next++ = c;
}

void sink_repeat(struct sink *sink, char c, int count)
{
	while (count-- > 0)
		sink_put(sink, c);
}

void format_text(struct sink *sink, const char *text, size_t length, const struct spec *spec)
{
	int padding = spec->width - (int)length;

	if (!spec->left)
		sink_repeat(sink, ' ', padding);
	for (size_t i = 0; i < length; i++)
		sink_put(sink, text[i]);
	if (spec->left)
		sink_repeat(sink, ' ', padding);
}

void format_string(struct sink *sink, const char *text, const struct spec *spec)
{
	size_t limit = spec->precision < 0 ? (size_t)-1 : (size_t)spec->precision;

	if (text == NULL)
		text = "(null)";
	else if ((uintptr_t)text < LCD_PAGE_SIZE || is_error_pointer(text))
		text = "(efault)";
	format_text(sink, text, strnlen(text, limit), spec);
}

void format_number(struct sink *sink, uint64_t value, bool negative, const struct spec *spec)
{
	const char *digits = spec->upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char reversed[24];
	int count = 0, zeros, width = spec->width;
	char sign = negative ? '-' : spec->plus ? '+' : spec->space ? ' ' : 0;
	/* Unlike C's, the kernel's %#x prefixes zero too, and its %#o does not. */
	bool prefix_x = spec->prefix && spec->base == 16;
	bool prefix_0 = prefix_x || (spec->prefix && spec->base == 8 && value != 0);

	/* Unlike C's, the kernel's %.0d prints zero as 0. */
	do {
		reversed[count++] = digits[value % spec->base];
		value /= spec->base;
	} while (value != 0);

	width -= count + (sign != 0) + prefix_x + prefix_0;
	zeros = spec->precision - count;
	if (zeros < 0)
		zeros = 0;
	/* C ignores the flag 0 where a precision is given; the kernel does not. */
	if (spec->zero && !spec->left && width > zeros)
		zeros = width;
	width -= zeros;

	if (!spec->left)
		sink_repeat(sink, ' ', width);
	if (sign)
		sink_put(sink, sign);
	if (prefix_0)
		sink_put(sink, '0');
	if (prefix_x)
		sink_put(sink, spec->upper ? 'X' : 'x');
	sink_repeat(sink, '0', zeros);
	while (count > 0)
		sink_put(sink, reversed[--count]);
	if (spec->left)
		sink_repeat(sink, ' ', width);
}

/* A number that a format holds; `*` takes it from the arguments instead. */
static int number_in(const char **format, struct arguments *arguments)
{
	int number = 0;

	if (**format == '*') {
		++*format;
		return va_arg(arguments->list, int);
	}
	while (**format >= '0' && **format <= '9')
		number = number * 10 + (*(*format)++ - '0');
	return number;
}

static void read_flags(const char **format, struct spec *spec)
{
	for (;; ++*format) {
		switch (**format) {
		case '-':
			spec->left = true;
			break;
		case '+':
			spec->plus = true;
			break;
		case ' ':
			spec->space = true;
			break;
		case '#':
			spec->prefix = true;
			break;
		case '0':
			spec->zero = true;
			break;
		default:
			return;
		}
	}
}

/* Bytes of the integer argument that a length modifier announces. */
static int read_size(const char **format)
{
	switch (**format) {
	case 'h':
		if (*++*format != 'h')
			return 2;
		++*format;
		return 1;
	case 'l':
		if (*++*format == 'l')
			++*format;
		return 8;
	case 'L':
	case 'q':
	case 'j':
	case 'z':
	case 'Z':
	case 't':
		++*format;
		return 8;
	default:
		return 4;
	}
}

static uint64_t integer_argument(struct arguments *arguments, int size, bool is_signed)
{
	uint64_t value = size == 8 ? va_arg(arguments->list, uint64_t)
				   : va_arg(arguments->list, unsigned int);
	int unused = 64 - 8 * size;

	if (is_signed)
		return (uint64_t)((int64_t)(value << unused) >> unused);
	return value << unused >> unused;
}

static void format_integer(struct sink *sink, struct arguments *arguments, int size, bool is_signed,
			   struct spec *spec)
{
	uint64_t value = integer_argument(arguments, size, is_signed);
	bool negative = is_signed && (int64_t)value < 0;

	if (!is_signed)
		spec->plus = spec->space = false;
	format_number(sink, negative ? -value : value, negative, spec);
}

/* One conversion, from just after its `%`; returns what follows it. */
static const char *format_one(struct sink *sink, const char *format, struct arguments *arguments)
{
	struct spec spec = { .precision = -1, .base = 10 };
	const char *start = format;
	char character;
	int size;

	read_flags(&format, &spec);
	spec.width = number_in(&format, arguments);
	if (spec.width < 0) {
		spec.left = true;
		spec.width = -spec.width;
	}
	if (*format == '.') {
		format++;
		spec.precision = number_in(&format, arguments);
		if (spec.precision < 0)
			spec.precision = 0;
	}
	size = read_size(&format);

	switch (*format) {
	case 'd':
	case 'i':
		format_integer(sink, arguments, size, true, &spec);
		break;
	case 'u':
		format_integer(sink, arguments, size, false, &spec);
		break;
	case 'o':
		spec.base = 8;
		format_integer(sink, arguments, size, false, &spec);
		break;
	case 'X':
		spec.upper = true;
		/* fall through */
	case 'x':
		spec.base = 16;
		format_integer(sink, arguments, size, false, &spec);
		break;
	case 'c':
		character = (char)va_arg(arguments->list, int);
		format_text(sink, &character, 1, &spec);
		break;
	case 's':
		format_string(sink, va_arg(arguments->list, const char *), &spec);
		break;
	case 'p':
		return format_pointer(sink, format + 1, va_arg(arguments->list, const void *),
				      &spec);
	case '%':
		sink_put(sink, '%');
		break;
	default:
		/* Unknown, and so are the types of the arguments that follow. */
		sink_put(sink, '%');
		while (*start != '\0')
			sink_put(sink, *start++);
		return start;
	}
	return format + 1;
}

void format_into(struct sink *sink, const char *format, va_list list)
{
	struct arguments arguments;

	va_copy(arguments.list, list);
	while (*format != '\0') {
		if (*format != '%')
			sink_put(sink, *format++);
		else
			format = format_one(sink, format + 1, &arguments);
	}
	va_end(arguments.list);
}

int vsnprintf(char *to, size_t size, const char *format, va_list list)
{
	/* The last byte is for the end mark. */
	struct sink sink = { .next = to, .end = size > 0 ? to + size - 1 : to };

	/* As in the kernel: a negative number in disguise prints nothing. */
	if (size > 0x7fffffff)
		return 0;
	format_into(&sink, format, list);
	if (size > 0)
		*sink.next = '\0';
	return (int)sink.total;
}

int snprintf(char *to, size_t size, const char *format, ...)
{
	va_list list;
	int length;

	va_start(list, format);
	length = vsnprintf(to, size, format, list);
	va_end(list);
	return length;
}

/* Like vsnprintf, but returns the length of what was stored. */
int vscnprintf(char *to, size_t size, const char *format, va_list list)
{
	int length = vsnprintf(to, size, format, list);

	if (size == 0)
		return 0;
	return (size_t)length < size ? length : (int)size - 1;
}

int scnprintf(char *to, size_t size, const char *format, ...)
{
	va_list list;
	int length;

	va_start(list, format);
	length = vscnprintf(to, size, format, list);
	va_end(list);
	return length;
}

int vsprintf(char *to, const char *format, va_list list)
{
	return vsnprintf(to, 0x7fffffff, format, list);
}

int sprintf(char *to, const char *format, ...)
{
	va_list list;
	int length;

	va_start(list, format);
	length = vsprintf(to, format, list);
	va_end(list);
	return length;
}

/* Formats into memory of just the right size, which the caller frees. */
char *kvasprintf(gfp_t flags, const char *format, va_list list)
{
	int length = vsnprintf(NULL, 0, format, list);
	char *text = __kmalloc((size_t)length + 1, flags);

	if (text)
		vsnprintf(text, (size_t)length + 1, format, list);
	return text;
}

char *kasprintf(gfp_t flags, const char *format, ...)
{
	va_list list;
	char *text;

	va_start(list, format);
	text = kvasprintf(flags, format, list);
	va_end(list);
	return text;
}

const char *kvasprintf_const(gfp_t flags, const char *format, va_list list)
{
	return kvasprintf(flags, format, list);
}

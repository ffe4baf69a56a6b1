/*
 * The kernel's extensions of `%p`: the letters after it say what the pointer leads to
 * (Documentation/core-api/printk-formats.rst describes them all). A plain pointer is
 * printed as it is: in the kernel its value is secret and hashed, here it is the domain's
 * own, and runs must repeat. An extension that is not known prints the address as well.
 */
#include "format.h"

static void put_hex_byte(struct sink *sink, uint8_t byte, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";

	sink_put(sink, digits[byte >> 4]);
	sink_put(sink, digits[byte & 15]);
}

static void put_decimal(struct sink *sink, uint64_t value)
{
	format_number(sink, value, false, &(struct spec){ .precision = -1, .base = 10 });
}

static void put_hex(struct sink *sink, uint64_t value, int digits)
{
	format_number(sink, value, false, &(struct spec){ .precision = digits, .base = 16 });
}

static void address(struct sink *sink, const void *pointer, struct spec *spec)
{
	spec->base = 16;
	if (spec->width == 0) {
		spec->width = spec->prefix ? 18 : 16;
		spec->zero = true;
	}
	format_number(sink, (uintptr_t)pointer, false, spec);
}

/* %pS and its relatives name a function. Without a symbol table, its address. */
static void symbol(struct sink *sink, const void *pointer, struct spec *spec)
{
	spec->prefix = true;
	spec->base = 16;
	format_number(sink, (uintptr_t)pointer, false, spec);
}

/* %pe: the name of an error pointer. */
static void error(struct sink *sink, const void *pointer, struct spec *spec)
{
	int number = (int)-(intptr_t)pointer;
	char text[32];

	if (!is_error_pointer(pointer)) {
		address(sink, pointer, spec);
	} else if (error_name(number)) {
		snprintf(text, sizeof(text), "-%s", error_name(number));
		format_string(sink, text, spec);
	} else {
		format_number(sink, (uint64_t)number, true, spec);
	}
}

/* %pM: a hardware address; F separates with -, R reverses, m separates with nothing. */
static void hardware_address(struct sink *sink, const char *letters, const uint8_t *bytes)
{
	char separator = letters[0] == 'm' ? 0 : letters[1] == 'F' ? '-' : ':';
	bool reversed = letters[1] == 'R';

	for (int i = 0; i < 6; i++) {
		if (i > 0 && separator)
			sink_put(sink, separator);
		put_hex_byte(sink, bytes[reversed ? 5 - i : i], false);
	}
}

/* %pI4, and %pi4 with three digits each; l and, on this processor, h reverse the bytes. */
static void internet_4(struct sink *sink, const char *letters, const uint8_t *bytes)
{
	bool reversed = letters[2] == 'l' || letters[2] == 'h';
	int digits = letters[0] == 'i' ? 3 : -1;

	for (int i = 0; i < 4; i++) {
		if (i > 0)
			sink_put(sink, '.');
		format_number(sink, bytes[reversed ? 3 - i : i], false,
			      &(struct spec){ .precision = digits, .base = 10 });
	}
}

static uint16_t internet_6_word(const uint8_t *bytes, int i)
{
	return (uint16_t)(bytes[2 * i] << 8 | bytes[2 * i + 1]);
}

/* %pI6c: the longest run of zero words, if longer than one, becomes `::`. */
static void internet_6_short(struct sink *sink, const uint8_t *bytes)
{
	int best = -1, best_length = 1;

	for (int i = 0; i < 8; i++) {
		int length = 0;

		while (i + length < 8 && internet_6_word(bytes, i + length) == 0)
			length++;
		if (length > best_length) {
			best = i;
			best_length = length;
		}
	}
	for (int i = 0; i < 8; i++) {
		if (i == best) {
			sink_put(sink, ':');
			sink_put(sink, ':');
			i += best_length - 1;
			continue;
		}
		if (i > 0 && i != best + best_length)
			sink_put(sink, ':');
		else if (i > 0 && best < 0)
			sink_put(sink, ':');
		format_number(sink, internet_6_word(bytes, i), false,
			      &(struct spec){ .precision = -1, .base = 16 });
	}
}

static void internet_6(struct sink *sink, const char *letters, const uint8_t *bytes)
{
	if (letters[0] == 'I' && letters[2] == 'c') {
		internet_6_short(sink, bytes);
		return;
	}
	for (int i = 0; i < 8; i++) {
		if (i > 0 && letters[0] == 'I')
			sink_put(sink, ':');
		put_hex(sink, internet_6_word(bytes, i), 4);
	}
}

/* %*ph: bytes in hexadecimal, as many as the width says, at most 64. */
static void hex_bytes(struct sink *sink, const char *letters, const uint8_t *bytes,
		      const struct spec *spec)
{
	char kind = letters[1];
	char separator = kind == 'C' ? ':' : kind == 'D' ? '-' : kind == 'N' ? 0 : ' ';
	int count = spec->width == 0 ? 1 : spec->width > 64 ? 64 : spec->width;

	for (int i = 0; i < count; i++) {
		if (i > 0 && separator)
			sink_put(sink, separator);
		put_hex_byte(sink, bytes[i], false);
	}
}

/* %pU: a UUID; l and L take the first three fields as little-endian, B and L print capitals. */
static void unique_id(struct sink *sink, const char *letters, const uint8_t *bytes)
{
	static const uint8_t big[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	static const uint8_t little[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
	const uint8_t *order = letters[1] == 'l' || letters[1] == 'L' ? little : big;
	bool upper = letters[1] == 'B' || letters[1] == 'L';

	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			sink_put(sink, '-');
		put_hex_byte(sink, bytes[order[i]], upper);
	}
}

static bool bit(const uint64_t *bits, int i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

/* %*pbl: the set bits as ranges. */
static void bit_ranges(struct sink *sink, const uint64_t *bits, int count)
{
	bool first = true;

	for (int i = 0; i < count; i++) {
		int start = i;

		if (!bit(bits, i))
			continue;
		while (i + 1 < count && bit(bits, i + 1))
			i++;
		if (!first)
			sink_put(sink, ',');
		first = false;
		put_decimal(sink, (uint64_t)start);
		if (i > start) {
			sink_put(sink, '-');
			put_decimal(sink, (uint64_t)i);
		}
	}
}

/* %*pb: the bits as 32-bit words in hexadecimal, the highest first. */
static void bit_words(struct sink *sink, const uint64_t *bits, int count)
{
	for (int word = (count + 31) / 32 - 1; word >= 0; word--) {
		int used = count - word * 32 < 32 ? count - word * 32 : 32;
		uint64_t value = bits[word / 2] >> (word % 2 * 32) & (~0ull >> (64 - used));

		put_hex(sink, value, (used + 3) / 4);
		if (word > 0)
			sink_put(sink, ',');
	}
}

/* %pV: a format with its arguments, inserted here. */
struct va_format {
	const char *format;
	va_list *list;
};

const char *format_pointer(struct sink *sink, const char *letters, const void *pointer,
			   struct spec *spec)
{
	const struct va_format *inner = pointer;
	bool plain = false;

	switch (letters[0]) {
	case 'S':
	case 's':
	case 'B':
	case 'F':
	case 'f':
		symbol(sink, pointer, spec);
		break;
	case 'e':
		error(sink, pointer, spec);
		break;
	default:
		plain = true;
	}
	/* The rest look at what the pointer leads to. */
	if (plain && ((uintptr_t)pointer < LCD_PAGE_SIZE || is_error_pointer(pointer)) &&
	    is_kind(letters[0], CTYPE_ALPHANUMERIC) && letters[0] != 'x' && letters[0] != 'K') {
		format_string(sink, pointer, spec);
	} else if (plain) {
		switch (letters[0]) {
		case 'M':
		case 'm':
			hardware_address(sink, letters, pointer);
			break;
		case 'I':
		case 'i':
			if (letters[1] == '4')
				internet_4(sink, letters, pointer);
			else if (letters[1] == '6')
				internet_6(sink, letters, pointer);
			else
				address(sink, pointer, spec);
			break;
		case 'h':
			hex_bytes(sink, letters, pointer, spec);
			break;
		case 'U':
			unique_id(sink, letters, pointer);
			break;
		case 'b':
			if (letters[1] == 'l')
				bit_ranges(sink, pointer, spec->width);
			else
				bit_words(sink, pointer, spec->width);
			break;
		case 'a':
			sink_put(sink, '0');
			sink_put(sink, 'x');
			put_hex(sink, *(const uint64_t *)pointer, 16);
			break;
		case 'V':
			format_into(sink, inner->format, *inner->list);
			break;
		default:
			address(sink, pointer, spec);
		}
	}
	while (is_kind(*letters, CTYPE_ALPHANUMERIC))
		letters++;
	return letters;
}

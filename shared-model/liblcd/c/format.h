/* What format.c and format_pointer.c share. */
#ifndef LIBLCD_FORMAT_H
#define LIBLCD_FORMAT_H

#include "kernel.h"

/* A conversion, as far as it has been read. */
struct spec {
	int width;
	/* Negative if none was given. */
	int precision;
	unsigned int base;
	bool left, plus, space, prefix, zero, upper;
};

/* A va_list that can be passed on by address: as a parameter it may be an array. */
struct arguments {
	va_list list;
};

INTERNAL void sink_put(struct sink *sink, char c);
INTERNAL void sink_repeat(struct sink *sink, char c, int count);
INTERNAL void format_text(struct sink *sink, const char *text, size_t length,
			  const struct spec *spec);
INTERNAL void format_string(struct sink *sink, const char *text, const struct spec *spec);
INTERNAL void format_number(struct sink *sink, uint64_t value, bool negative,
			    const struct spec *spec);
/* The conversion `%p`; `letters` follow the p. Returns what follows the conversion. */
INTERNAL const char *format_pointer(struct sink *sink, const char *letters, const void *pointer,
				    struct spec *spec);

#endif /* LIBLCD_FORMAT_H */

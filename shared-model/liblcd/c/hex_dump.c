/* Memory as lines of hexadecimal, with or without characters. */
#include "kernel.h"

/* How the lines of a dump begin (enum in include/linux/printk.h). */
enum {
	PREFIX_NONE,
	PREFIX_ADDRESS,
	PREFIX_OFFSET,
};

static size_t left(size_t room, int written)
{
	return room > (size_t)written ? room - (size_t)written : 0;
}

/*
 * One line of at most `row` (16 or 32) bytes in groups of 1, 2, 4 or 8, each group as a
 * number. Returns the length that the line would have with enough room.
 */
int hex_dump_to_buffer(const void *bytes, size_t n, int row, int group, char *line, size_t room,
		       bool characters)
{
	const uint8_t *from = bytes;
	int column, written = 0;

	if (row != 16 && row != 32)
		row = 16;
	if (n > (size_t)row)
		n = (size_t)row;
	if ((group != 2 && group != 4 && group != 8) || n % (size_t)group != 0)
		group = 1;

	for (size_t i = 0; i < n; i += (size_t)group) {
		uint64_t value = 0;

		memcpy(&value, from + i, (size_t)group);
		written += snprintf(line + written, left(room, written), "%s%0*llx", i ? " " : "",
				    2 * group, (unsigned long long)value);
	}
	column = 2 * row + row / group + 1;
	if (characters) {
		written += snprintf(line + written, left(room, written), "%*s",
				    column - written, "");
		for (size_t i = 0; i < n; i++)
			written += snprintf(line + written, left(room, written), "%c",
					    from[i] >= 0x20 && from[i] < 0x7f ? from[i] : '.');
	}
	return written;
}

void print_hex_dump(const char *level, const char *prefix, int prefix_type, int row, int group,
		    const void *bytes, size_t n, bool characters)
{
	const uint8_t *from = bytes;
	char line[32 * 3 + 2 + 32 + 1];

	if (row != 16 && row != 32)
		row = 16;
	for (size_t i = 0; i < n; i += (size_t)row) {
		hex_dump_to_buffer(from + i, n - i, row, group, line, sizeof(line), characters);
		if (prefix_type == PREFIX_ADDRESS)
			_printk("%s%s%p: %s\n", level, prefix, from + i, line);
		else if (prefix_type == PREFIX_OFFSET)
			_printk("%s%s%.8zx: %s\n", level, prefix, i, line);
		else
			_printk("%s%s%s\n", level, prefix, line);
	}
}

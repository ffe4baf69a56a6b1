/* The kernel's log, which is the domain's console; and the ways to end with a message. */
#include "kernel.h"

/* `"\001" "6"` and its like before a message say how urgent it is; the console shows all. */
#define LEVEL_MARK '\001'

/* A message on its way to the console. It gathers in the UTCB's buffer. */
struct message {
	struct sink sink;
	bool started;
};

/*
 * The level may come from an argument (`"%s..."` with KERN_INFO), so it is looked for in
 * the result and not in the format.
 */
static void write_out(struct sink *sink)
{
	struct message *message = (struct message *)sink;
	char *buffer = (char *)lcd_utcb()->buffer;
	size_t length = (size_t)(sink->next - buffer);

	if (!message->started && length >= 2 && buffer[0] == LEVEL_MARK) {
		length -= 2;
		sink->total -= 2;
		memmove(buffer, buffer + 2, length);
	}
	message->started = true;
	if (length > 0)
		lcd_hypercall1(LCD_CALL_CONSOLE_WRITE, length);
	sink->next = buffer;
}

int vprintk(const char *format, va_list list)
{
	char *buffer = (char *)lcd_utcb()->buffer;
	struct message message = {
		.sink = { buffer, buffer + LCD_UTCB_BUFFER_SIZE, 0, write_out },
	};

	format_into(&message.sink, format, list);
	write_out(&message.sink);
	return (int)message.sink.total;
}

int _printk(const char *format, ...)
{
	va_list list;
	int length;

	va_start(list, format);
	length = vprintk(format, list);
	va_end(list);
	return length;
}

/* What kernels before 5.15 call it. */
int printk(const char *format, ...) __attribute__((alias("_printk")));

/* No message is held back for a quieter moment. */
int _printk_deferred(const char *format, ...) __attribute__((alias("_printk")));

/* Messages of pr_debug are off unless asked for, and nobody can ask. */
void __dynamic_pr_debug(void *descriptor, const char *format, ...)
{
	(void)descriptor;
	(void)format;
}

/* Whether a repeated message may be printed again: always, there is no clock. */
int ___ratelimit(void *state, const char *function)
{
	(void)state;
	(void)function;
	return 1;
}

int __printk_ratelimit(const char *function)
{
	(void)function;
	return 1;
}

/* The text of a WARN(); the trap that marks the place follows in the caller. */
void __warn_printk(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vprintk(format, list);
	va_end(list);
}

/* Where a stack would be dumped, the kernel says so first; the log holds the registers. */
void dump_stack(void)
{
	_printk("Call Trace: not kept\n");
}

/* Ends the domain with an invalid-opcode exception, so that the log shows where. */
void panic(const char *format, ...)
{
	va_list list;

	_printk("Kernel panic - not syncing: ");
	va_start(list, format);
	vprintk(format, list);
	va_end(list);
	_printk("\n");
	__builtin_trap();
}

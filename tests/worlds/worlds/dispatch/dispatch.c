/* A program that computes a factorial, for an interpreter of function pointers. */
#include "module.h"

struct machine {
	int64_t stack[16];
	unsigned int depth, at;
	bool running;
};

typedef void (*operation)(struct machine *machine, int operand);

static void push(struct machine *m, int operand)
{
	m->stack[m->depth++] = operand;
}

static void copy(struct machine *m, int operand)
{
	m->stack[m->depth] = m->stack[m->depth - 1 - (unsigned int)operand];
	m->depth++;
}

static void multiply(struct machine *m, int operand)
{
	(void)operand;
	m->depth--;
	m->stack[m->depth - 1] *= m->stack[m->depth];
}

static void add(struct machine *m, int operand)
{
	m->stack[m->depth - 1] += operand;
}

static void swap(struct machine *m, int operand)
{
	int64_t top = m->stack[m->depth - 1];

	(void)operand;
	m->stack[m->depth - 1] = m->stack[m->depth - 2];
	m->stack[m->depth - 2] = top;
}

static void jump_if_not_zero(struct machine *m, int operand)
{
	if (m->stack[m->depth - 1] != 0)
		m->at = (unsigned int)operand;
}

static void stop(struct machine *m, int operand)
{
	(void)operand;
	m->running = false;
}

static const struct {
	operation operation;
	int operand;
} program[] = {
	{ push, 1 },      /* product */
	{ push, 5 },      /* product n */
	{ swap, 0 },      /* n product */
	{ copy, 1 },      /* n product n */
	{ multiply, 0 },  /* n product*n */
	{ swap, 0 },      /* product*n n */
	{ add, -1 },
	{ jump_if_not_zero, 2 },
	{ stop, 0 },
};

static int __init start(void)
{
	struct machine machine = { .running = true };

	while (machine.running) {
		unsigned int at = machine.at++;

		program[at].operation(&machine, program[at].operand);
	}
	pr_info("5! = %lld\n", (long long)machine.stack[0]);
	return (int)machine.stack[0];
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");

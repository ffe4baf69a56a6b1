/*
 * Kinds of module parameters. A module's __param section points at these; nobody sets a
 * parameter of a domain's module, so there is nothing behind them.
 */
#include "kernel.h"

struct kernel_param_ops {
	unsigned int flags;
	int (*set)(const char *value, const void *parameter);
	int (*get)(char *buffer, const void *parameter);
	void (*free)(void *value);
};

#define KIND(name) const struct kernel_param_ops param_##name
KIND(ops_byte);
KIND(ops_short);
KIND(ops_ushort);
KIND(ops_int);
KIND(ops_uint);
KIND(ops_hexint);
KIND(ops_long);
KIND(ops_ulong);
KIND(ops_ullong);
KIND(ops_charp);
KIND(ops_bool);
KIND(ops_bool_enable_only);
KIND(ops_bint);
KIND(ops_invbool);
KIND(ops_string);
KIND(array_ops);

/*
 * Kinds of characters, Latin-1 as in the kernel. Modules index the table themselves, so
 * the bits are part of the interface (include/linux/ctype.h).
 */
#include "kernel.h"

#define U CTYPE_UPPER
#define L CTYPE_LOWER
#define D CTYPE_DIGIT
#define C CTYPE_CONTROL
#define P CTYPE_PUNCTUATION
#define S CTYPE_SPACE
#define X CTYPE_HEX
#define H CTYPE_HARD_SPACE

const unsigned char _ctype[256] = {
	C, C, C, C, C, C, C, C, /* 0x00 */
	C, C | S, C | S, C | S, C | S, C | S, C, C, /* 0x08 */
	C, C, C, C, C, C, C, C, /* 0x10 */
	C, C, C, C, C, C, C, C, /* 0x18 */
	S | H, P, P, P, P, P, P, P, /* 0x20 */
	P, P, P, P, P, P, P, P, /* 0x28 */
	D, D, D, D, D, D, D, D, /* 0x30 */
	D, D, P, P, P, P, P, P, /* 0x38 */
	P, U | X, U | X, U | X, U | X, U | X, U | X, U, /* 0x40 */
	U, U, U, U, U, U, U, U, /* 0x48 */
	U, U, U, U, U, U, U, U, /* 0x50 */
	U, U, U, P, P, P, P, P, /* 0x58 */
	P, L | X, L | X, L | X, L | X, L | X, L | X, L, /* 0x60 */
	L, L, L, L, L, L, L, L, /* 0x68 */
	L, L, L, L, L, L, L, L, /* 0x70 */
	L, L, L, P, P, P, P, C, /* 0x78 */
	0, 0, 0, 0, 0, 0, 0, 0, /* 0x80 */
	0, 0, 0, 0, 0, 0, 0, 0, /* 0x88 */
	0, 0, 0, 0, 0, 0, 0, 0, /* 0x90 */
	0, 0, 0, 0, 0, 0, 0, 0, /* 0x98 */
	S | H, P, P, P, P, P, P, P, /* 0xa0 */
	P, P, P, P, P, P, P, P, /* 0xa8 */
	P, P, P, P, P, P, P, P, /* 0xb0 */
	P, P, P, P, P, P, P, P, /* 0xb8 */
	U, U, U, U, U, U, U, U, /* 0xc0 */
	U, U, U, U, U, U, U, U, /* 0xc8 */
	U, U, U, U, U, U, U, P, /* 0xd0 */
	U, U, U, U, U, U, U, L, /* 0xd8 */
	L, L, L, L, L, L, L, L, /* 0xe0 */
	L, L, L, L, L, L, L, L, /* 0xe8 */
	L, L, L, L, L, L, L, P, /* 0xf0 */
	L, L, L, L, L, L, L, L, /* 0xf8 */
};

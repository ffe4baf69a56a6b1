/* What the caller and the callee agree on. */
#ifndef FUNCTIONS_H
#define FUNCTIONS_H

/*
 * A request's first word is a function and, from bit 8 on, the number of the call; then come
 * the arguments. The response is the result, and the call's number plus 1000.
 */
#define FUNCTION(word) ((word) & 0xff)
#define NUMBER(word) ((word) >> 8)
#define REQUEST(function, number) ((function) | (uint64_t)(number) << 8)
#define BASE 1000

/* ADD + n is the sum of n arguments, for n from 2 to 6. */
enum { NULL_CALL, PLUS_50, ADD };

#define NULL_RESULT 9

#endif /* FUNCTIONS_H */

/*
 * A domain in an ordinary process, for liblcd's object as domains get it: `out` traps, and
 * what a microkernel would do is done by hand. Every thread here is a thread of the domain.
 */
#ifndef HOST_H
#define HOST_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lcd/async.h>
#include <lcd/ring.h>
#include <lcd/slots.h>

void *__kmalloc(size_t size, unsigned int flags);
void kfree(const void *p);
void *vmalloc(unsigned long size);
#define GFP_KERNEL 0xcc0u

extern int failures;
#define CHECK(condition, ...)                                                              \
	do {                                                                               \
		if (!(condition) && failures++ < 20) {                                     \
			printf("%s:%d: %s: ", __FILE__, __LINE__, #condition);             \
			printf(__VA_ARGS__);                                               \
			printf("\n");                                                      \
			fflush(stdout);                                                    \
		}                                                                          \
	} while (0)

/* Makes the calling thread one of the domain's, with a fresh area. */
void enter_domain(unsigned int number);

/*
 * Channels exist for slots from CHANNELS on: an even slot is one end, the odd one after it
 * the other. A dead end makes the other's waits fail.
 */
#define CHANNELS 100
#define CHANNELS_END 164
void set_dead(uint64_t slot, bool dead);
/* Forgets what was rung. */
void silence(uint64_t slot);

/* Hypercalls of a kind since the beginning. */
uint64_t calls_of(uint32_t number);
/* The pages that were obtained with each page_allocate_many. */
uint64_t pages_obtained(void);
/* The boot information, which is empty. */
void *boot_information(void);
/* Sees every hypercall first; whether that was all. Or null. */
extern bool (*hook)(uint32_t number, struct lcd_utcb *utcb);

/* Shared pages, zeroed. */
void *shared_pages(size_t pages);

uint64_t random_bits(uint64_t *state);
/* The tests of one file. */
void tests(void);

#endif

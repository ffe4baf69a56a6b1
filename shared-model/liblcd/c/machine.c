/* Variables in which the kernel describes its machine: one processor without any feature. */
#include "kernel.h"

/*
 * struct cpuinfo_x86. Feature tests read their bit in it; all are clear, so code takes the
 * path that works everywhere, and the same one on every host.
 */
const uint64_t boot_cpu_data[64];

const unsigned int nr_cpu_ids = 1;
const unsigned int nr_node_ids = 1;

/* Sets of processors: room for the 8192 of Debian's configuration. */
#define PROCESSORS 8192
#define ONLY_THE_FIRST { 1 }
const uint64_t __cpu_online_mask[PROCESSORS / 64] = ONLY_THE_FIRST;
const uint64_t __cpu_possible_mask[PROCESSORS / 64] = ONLY_THE_FIRST;
const uint64_t __cpu_present_mask[PROCESSORS / 64] = ONLY_THE_FIRST;
const uint64_t __cpu_active_mask[PROCESSORS / 64] = ONLY_THE_FIRST;

/* Whether only certified cryptography is allowed. */
const int fips_enabled = 0;

/*
 * The table of paravirtual operations. Modules of Debian's configuration call through it
 * to save and disable interrupts and to release spin locks, of which a domain has none.
 * These calls keep every register but rax, so what they lead to is in assembly.
 */
INTERNAL void paravirtual_nothing(void);
__asm__(".pushsection .text\n"
	".hidden paravirtual_nothing\n"
	".globl paravirtual_nothing\n"
	".type paravirtual_nothing, @function\n"
	"paravirtual_nothing:\n"
	"\txorl %eax, %eax\n"
	"\tret\n"
	".size paravirtual_nothing, . - paravirtual_nothing\n"
	".popsection\n");

#define EIGHT(x) x, x, x, x, x, x, x, x
void (*const pv_ops[96])(void) = {
	EIGHT(paravirtual_nothing), EIGHT(paravirtual_nothing), EIGHT(paravirtual_nothing),
	EIGHT(paravirtual_nothing), EIGHT(paravirtual_nothing), EIGHT(paravirtual_nothing),
	EIGHT(paravirtual_nothing), EIGHT(paravirtual_nothing), EIGHT(paravirtual_nothing),
	EIGHT(paravirtual_nothing), EIGHT(paravirtual_nothing), EIGHT(paravirtual_nothing),
};

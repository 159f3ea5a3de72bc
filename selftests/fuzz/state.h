/* SPDX-License-Identifier: GPL-2.0 */
/* States that sequences are started in, and what they leave. */
#ifndef FUZZ_STATE_H
#define FUZZ_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "extended.h"
#include "random.h"
#include "space.h"

enum { RAX, RBX, RCX, RDX, RSI, RDI, RBP, R8, RSP = 15, NR_GPRS };

#define FLAGS_CARED	0xcd5	/* CF PF AF ZF SF DF OF */
#define RED_ZONE	128

/* As enter.S has it. */
struct registers {
	uint64_t gpr[NR_GPRS];		/* rax rbx rcx rdx rsi rdi rbp r8 ... r15 rsp */
	uint64_t flags;
};

struct arenas {
	uint8_t memory[ARENA_LEN], stack[ARENA_LEN];
};

struct state {
	struct registers registers;
	uint64_t rip, fs, gs;
	const struct arenas *arenas;
	const uint8_t *extended;
};

struct outcome {
	int signal;			/* 0: it came to an exit */
	uint8_t exit;
	uint64_t rip;			/* of a fault */
	uint64_t address;		/* ... and what it was about */
	struct registers registers;
	struct arenas arenas;
	uint8_t extended[EXTENDED_MAX] __attribute__((aligned(64)));
};

/* What states share: made once, as it is much. */
void state_make_pool(struct random *random, uint64_t base);
/* @loops: a count in RCX is small. */
void state_init(struct state *state, struct random *random, uint64_t base, bool loops);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The state that a probe must not change: registers, flags, the red zone. Each
 * function of host_entry.S is run with it set in many ways, and what it leaves is
 * compared with what it left when it had no probe.
 */
#ifndef HOST_STATE_H
#define HOST_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As host_entry.S has it. */
struct state {
	uint64_t gpr[15];	/* rax rbx rcx rdx rsi rdi rbp r8 ... r15 */
	uint64_t flags;
	uint8_t xmm[16][16];
	uint8_t red_zone[128];
};

#define STATE_FUNCTIONS(do) \
	do(probe_frame) do(probe_load) do(probe_compare) do(probe_vector)	\
	do(probe_flags) do(probe_overflow) do(probe_flags_dead)			\
	do(probe_red_zone) do(probe_call) do(probe_call_first)			\
	do(probe_call_wide) do(probe_call_memory) do(probe_call_register)	\
	do(probe_call_indexed) do(probe_call_stack) do(probe_jump)		\
	do(probe_jump_short) do(probe_jcc) do(probe_jrcxz) do(probe_loop)	\
	do(probe_loop_equal) do(probe_branches_back)				\
	do(probe_branches_inside) do(probe_tail)				\
	do(probe_jump_away) do(probe_jcc_away) do(probe_push) do(probe_pop)	\
	do(probe_address) do(probe_add) do(probe_short)				\
	do(probe_after_short) do(probe_padded) do(probe_syscall)		\
	do(probe_many) do(probe_pushes)						\
	do(into_many_1) do(into_many_2) do(into_many_3) do(into_many_4)		\
	do(into_many_5) do(into_pushes_2) do(into_pushes_4)			\
	do(into_frame_4) do(into_call_4) do(into_jcc_2) do(into_jcc_4)

#define STATE_DECLARE(name) extern void name(void);
#define STATE_COUNT(name) + 1

STATE_FUNCTIONS(STATE_DECLARE)

/* Those called "probe_..." are entries, the others lie inside of a window. */
struct state_function {
	const char *name;
	void (*call)(void);
};

#define NR_STATE_FUNCTIONS	(0 STATE_FUNCTIONS(STATE_COUNT))
#define NR_STATES		64

extern const struct state_function state_functions[NR_STATE_FUNCTIONS];

/* Runs a function in the state number @n; false if the stack is not as it was. */
bool state_run(size_t function, unsigned int n, struct state *ret);
/* The same with SIGTRAP behind each instruction, as long as flags have STATE_STEPS. */
#define STATE_STEPS 0x100ULL
bool state_step(size_t function, unsigned int n, struct state *ret);
/* Is what function @name left the same, as far as it says anything? */
bool state_is(const struct state *a, const struct state *b, const char *name);

#endif

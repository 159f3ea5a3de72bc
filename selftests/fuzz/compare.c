// SPDX-License-Identifier: GPL-2.0
/*
 * Code that was moved knows nothing of it, but some things may differ:
 *
 * - A fault is at the moved instruction. A call through a pointer that can't be
 *   read has pushed its return address by then, or could not.
 * - SYSCALL leaves in RCX where it was.
 * - A fault may show flags that the entry does not need any more.
 * - What lies below the red zone at an entry, if the sequence did not write there.
 * - A call's return address is written with the help of the word below it, which is
 *   the callee's.
 * - What refers far saves a register below the red zone, and may fault with that in use.
 */

#include "compare.h"

#include <signal.h>
#include <string.h>

#include "insn.h"

/* How far below the red zone an interceptor goes. */
#define DEAD_LEN	256
/* Before the jump of a moved call: what pushes the return address. */
#define PUSH_LEN	24
#define WORD		8
#define FAR_WORDS	3

/* What the window holds, and where in it the fault was. */
struct window {
	uint64_t returns[INSTR_MOVED_MAX];	/* addresses that its calls push */
	unsigned int nr_returns;
	bool enters_kernel;
	uint64_t shift;			/* how much further its end is than it was */
	bool pushes;			/* the fault is amid a call that was moved */
	uint64_t into;			/* its block */
	bool far;			/* ... amid what refers far */
	uint64_t lift;			/* how much RSP may have grown before that */
};

bool moved_is_far(const struct instr_plan_site *site, const struct instr_moved *moved)
{
	return site->far >> moved->old_at & 1;
}

bool moved_is_call(const struct instr_plan_site *site, const struct instr_moved *moved)
{
	struct insn insn;

	return insn_decode(site->old + moved->old_at, moved->old_len, &insn) &&
	       (insn.kind == INSN_CALL || insn.kind == INSN_CALL_INDIRECT);
}

/* POP takes a word from the stack, and a callee may. */
static bool takes_word(const struct insn *insn, const uint8_t *bytes)
{
	uint8_t opcode = bytes[insn->opcode_at];

	return (opcode & 0xf8) == 0x58 || opcode == 0x8f || insn->kind == INSN_CALL ||
	       insn->kind == INSN_CALL_INDIRECT;
}

static void window_read(struct window *window, const struct instr_plan_site *site,
			uint64_t base)
{
	uint64_t lift = 0;
	struct insn insn;

	for (size_t i = 0; i < site->nr_moved; i++) {
		const struct instr_moved *moved = &site->moved[i];

		if (!insn_decode(site->old + moved->old_at, moved->old_len, &insn))
			continue;
		if (moved_is_far(site, moved))
			window->lift = lift;
		lift += takes_word(&insn, site->old + moved->old_at) ? WORD : 0;
		if (moved_is_call(site, moved))
			window->returns[window->nr_returns++] =
				base + site->offset + moved->old_at + moved->old_len;
		if (insn.kind != INSN_SYSTEM)
			continue;
		window->enters_kernel = true;
		window->shift = (uint64_t)site->block + moved->new_at + moved->new_len -
				(site->offset + moved->old_at + moved->old_len);
	}
}

/* ---- addresses -------------------------------------------------------------- */

/* The moved instruction at @address, or with @ends the one that ends there. */
static const struct instr_moved *moved_at(const struct instr_plan_site *site, uint64_t base,
					  uint64_t address, bool ends)
{
	uint64_t at = address - base - (uint64_t)site->block - ends;

	for (size_t i = 0; i < site->nr_moved; i++) {
		const struct instr_moved *moved = &site->moved[i];

		if (at >= moved->new_at && at - moved->new_at < moved->new_len)
			return moved;
	}
	return NULL;
}

/* What an address behind an instruction was before. */
static uint64_t old_end(const struct instr_plan_site *site, uint64_t base, uint64_t address)
{
	const struct instr_moved *moved = moved_at(site, base, address, true);

	return moved ? base + site->offset + moved->old_at + moved->old_len : address;
}

/* Where a fault was before. RIP of an int3, or a system call, is behind it. */
static uint64_t old_fault(const struct instr_plan_site *site, uint64_t base,
			  const struct outcome *after, struct window *window)
{
	const struct instr_moved *moved;

	if (after->signal == SIGTRAP)
		return old_end(site, base, after->rip);
	moved = moved_at(site, base, after->rip, false);
	if (!moved)
		return old_end(site, base, after->rip);
	window->into = after->rip - base - (uint64_t)site->block - moved->new_at;
	window->pushes = moved_is_call(site, moved);
	window->far = moved_is_far(site, moved);
	return base + site->offset + moved->old_at;
}

/* ---- registers and memory --------------------------------------------------- */

static bool register_is(const struct window *window, int i, uint64_t before, uint64_t after)
{
	if (before == after)
		return true;
	if (window->far)
		return i == RSP ? before - after <= RED_ZONE + FAR_WORDS * WORD : i <= RDI;
	if (!window->pushes)
		return false;
	return i == RSP ? before - after <= 2 * WORD : i == RAX && window->into < PUSH_LEN;
}

static const char *compare_registers(const struct window *window,
				     const struct outcome *before, const struct outcome *after)
{
	static const char *const name[NR_GPRS] = {
		"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12",
		"r13", "r14", "r15", "rsp",
	};

	for (int i = 0; i < NR_GPRS; i++) {
		uint64_t value = after->registers.gpr[i];

		/* What SYSCALL left in RCX, and what was added to that. */
		if (window->enters_kernel && value - before->registers.gpr[i] == window->shift)
			continue;
		if (!register_is(window, i, before->registers.gpr[i], value))
			return name[i];
	}
	return NULL;
}

/* Flags that the site need not keep are seen by nobody but a handler of faults. */
static const char *compare_flags(const struct instr_plan_site *site, uint64_t base,
				 const struct state *state, const struct outcome *before,
				 const struct outcome *after)
{
	if (before->registers.flags == after->registers.flags)
		return NULL;
	if (before->signal && !site->flags_live && state->rip == base + site->offset)
		return NULL;
	return "flags";
}

static bool is_return(const struct window *window, const uint8_t *bytes)
{
	for (unsigned int i = 0; i < window->nr_returns; i++) {
		if (!memcmp(bytes, &window->returns[i], WORD))
			return true;
	}
	return false;
}

/* Is byte @at of an arena in the word below a return address? */
static bool is_below_return(const struct window *window, const uint8_t *arena, size_t at)
{
	size_t last = at + WORD < ARENA_LEN - WORD ? at + WORD : ARENA_LEN - WORD;

	for (size_t i = at + 1; window->nr_returns && i <= last; i++) {
		if (is_return(window, arena + i))
			return true;
	}
	return false;
}

/* ... or where a call's return address was, and nothing is any more? */
static bool is_below_stack(const struct window *window, uint64_t address,
			   const struct outcome *outcome)
{
	uint64_t below = outcome->registers.gpr[RSP] - address;

	return window->nr_returns && below - 1 < RED_ZONE + 2 * WORD;
}

static const char *compare_arena(const struct window *window, uint64_t start, uint64_t rsp,
				 const uint8_t *template, const struct outcome *outcome,
				 const uint8_t *before, const uint8_t *after)
{
	if (!memcmp(before, after, ARENA_LEN))
		return NULL;
	for (uint64_t i = 0; i < ARENA_LEN; i++) {
		uint64_t below = rsp + window->lift - RED_ZONE - (start + i);

		if (before[i] == after[i] || is_below_stack(window, start + i, outcome) ||
		    is_below_return(window, before, i) ||
		    (below - 1 < DEAD_LEN && before[i] == template[i]))
			continue;
		return "memory";
	}
	return NULL;
}

static const char *compare_arenas(const struct window *window, uint64_t base,
				  const struct state *state, const struct outcome *before,
				  const struct outcome *after)
{
	uint64_t rsp = state->registers.gpr[RSP];
	const char *what;

	what = compare_arena(window, base + SPACE_MEMORY, rsp, state->arenas->memory, before,
			     before->arenas.memory, after->arenas.memory);
	if (!what)
		what = compare_arena(window, base + SPACE_STACK, rsp, state->arenas->stack,
				     before, before->arenas.stack, after->arenas.stack);
	return what;
}

static const char *compare_fault(const struct instr_plan_site *site, uint64_t base,
				 struct window *window, const struct outcome *before,
				 const struct outcome *after)
{
	if (before->rip != old_fault(site, base, after, window))
		return "rip";
	/* The pointer and the stack may both be out of reach. */
	if (window->pushes)
		return NULL;
	if (before->signal != after->signal)
		return "signal";
	return before->address == after->address ? NULL : "address";
}

static const char *compare_end(const struct instr_plan_site *site, uint64_t base,
			       struct window *window, const struct outcome *before,
			       const struct outcome *after)
{
	bool fault = before->signal && before->signal != SIGALRM;

	if (fault && after->signal && after->signal != SIGALRM)
		return compare_fault(site, base, window, before, after);
	if (before->signal != after->signal)
		return "signal";
	return before->signal || before->exit == after->exit ? NULL : "exit";
}

const char *compare(const struct instr_plan_site *site, uint64_t base,
		    const struct state *state, const struct outcome *before,
		    const struct outcome *after)
{
	struct window window = { 0 };
	const char *what;

	window_read(&window, site, base);
	what = compare_end(site, base, &window, before, after);
	if (what || before->signal == SIGALRM)
		return what;
	what = compare_registers(&window, before, after);
	if (!what)
		what = compare_flags(site, base, state, before, after);
	if (!what)
		what = compare_arenas(&window, base, state, before, after);
	if (!what && !extended_is(before->extended, after->extended))
		what = "extended state";
	return what;
}

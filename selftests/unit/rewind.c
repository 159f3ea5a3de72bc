// SPDX-License-Identifier: GPL-2.0
/*
 * Rewinds, in this process: functions that are counted are interrupted in front of each
 * instruction of ours, and taken back as the module would; then they go on. They leave what
 * they left, and are counted as often as they were called.
 */

#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <ucontext.h>

#include "host.h"
#include "host_state.h"
#include "tap.h"

/* What the module does. */
#include "../../kmod/undo.c"

#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE (1 << 1)
#endif

#define STATES 4
#define STEPS_MAX 200

static struct host host;
static bool counts;		/* who is interrupted, as the gate has it */
static long left;		/* steps in the slab until it is interrupted; 0: it was */
static size_t nr_undone, nr_left_alone;

/* ---- the module -------------------------------------------------------------------- */

static bool read_word(__u64 address, __u64 *value)
{
	memcpy(value, (const void *)address, sizeof(*value));
	return true;
}

static const struct instr_rewind *find(uint64_t ip, const struct instr_row **row)
{
	const struct instr_plan *plan = host.plan;

	for (size_t i = 0; i < plan->nr_rewinds; i++) {
		const struct instr_shape *shape = &plan->shapes[plan->rewinds[i].shape];

		for (int r = 0; r < shape->nr; r++) {
			*row = &shape->row[r];
			if (ip == (uint64_t)host.base + plan->rewinds[i].code + (*row)->at)
				return &plan->rewinds[i];
		}
	}
	return NULL;
}

static bool find_origin(uint64_t ip, uint64_t *origin)
{
	const struct instr_plan *plan = host.plan;

	for (size_t i = 0; i < plan->nr_origins; i++) {
		uint64_t offset = plan->origins[i].offset;

		*origin = (uint64_t)host.base + (offset & ~INSTR_ORIGIN_ANY);
		if (offset & INSTR_ORIGIN_ANY &&
		    ip == (uint64_t)host.base + plan->origins[i].code)
			return true;
	}
	return false;
}

static bool undo(greg_t *regs)
{
	struct instr_undo state = {
		(__u64)regs[REG_RAX], (__u64)regs[REG_RCX], (__u64)regs[REG_RSP],
		(__u64)regs[REG_EFL],
	};
	uint64_t ip = (uint64_t)regs[REG_RIP], back;
	const struct instr_rewind *rewind;
	const struct instr_row *row;

	if (find_origin(ip, &ip)) {
		regs[REG_RIP] = (greg_t)ip;
		return true;
	}
	rewind = find((uint64_t)regs[REG_RIP], &row);
	if (rewind && rewind->flags & INSTR_REWIND_ROUTINE) {
		instr_undo(row, &state, read_word);
		read_word(state.sp, (__u64 *)&back);
		state.sp += 8;
		rewind = find(back, &row);
	}
	if (!rewind || !instr_undo(row, &state, read_word))
		return false;
	if (rewind->flags & INSTR_REWIND_CALL)
		state.sp += 8;
	if (rewind->counter && row->counted && counts)
		--*(uint64_t *)(host.slab + host.plan->code_len + rewind->counter);
	regs[REG_RAX] = (greg_t)state.ax;
	regs[REG_RCX] = (greg_t)state.cx;
	regs[REG_RSP] = (greg_t)state.sp;
	regs[REG_EFL] = (greg_t)state.flags;
	regs[REG_RIP] = (greg_t)((uint64_t)host.base + rewind->offset);
	return true;
}

/* ---- stepping ---------------------------------------------------------------------- */

static bool in_slab(uint64_t ip)
{
	return ip - (uint64_t)host.slab < host.plan->code_len ||
	       (host.annex && ip - (uint64_t)host.annex < host.plan->annex_len);
}

static void on_trap(int sig, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	if (info->si_code != TRAP_TRACE && !host_trap(sig, info, context))
		abort();
	regs[REG_EFL] &= ~(greg_t)STATE_STEPS;
	if (!left)
		return;
	regs[REG_EFL] |= STATE_STEPS;
	if (!in_slab((uint64_t)regs[REG_RIP]) || --left)
		return;
	regs[REG_EFL] &= ~(greg_t)STATE_STEPS;
	if (undo(regs))
		nr_undone++;
	else
		nr_left_alone++;
}

/* False: it ended before it came to step @step. */
static bool interrupted_at(size_t function, unsigned int n, long step, struct state *now)
{
	left = step;
	state_step(function, n, now);
	if (!left)
		return true;
	left = 0;
	return false;
}

static void compare(size_t function, unsigned int n, const struct state *before,
		    uint64_t expected)
{
	const char *name = state_functions[function].name;
	const struct instr_plan_site *site = host_site(&host, name);

	for (long step = 1; step < STEPS_MAX; step++) {
		uint64_t count = site ? host_count(&host, site) : 0;
		size_t alone = nr_left_alone;
		struct state now;

		if (!interrupted_at(function, n, step, &now))
			return;
		if (!CHECK(state_is(before, &now, name)) ||
		    !CHECK(!site || host_count(&host, site) == count + expected) ||
		    !CHECK(nr_left_alone == alone)) {
			printf("# %s, state %u, step %ld\n", name, n, step);
			return;
		}
	}
}

static uint64_t fs_base(void)
{
	uint64_t base;

	__asm__("mov %%fs:0, %0" : "=r"(base));
	return base;
}

static struct state before[NR_STATE_FUNCTIONS][STATES];

static void compare_all(uint64_t gate, const uint64_t *vfork, size_t nr)
{
	size_t undone = nr_undone;

	counts = gate != INSTR_GATE_SHUT && !(nr && vfork[nr - 1] == fs_base());
	host_gate(&host, gate, vfork, nr);
	for (size_t i = 0; i < NR_STATE_FUNCTIONS; i++) {
		for (unsigned int n = 0; n < STATES; n++)
			compare(i, 21 * n, &before[i][n], counts);
	}
	CHECK(nr_undone > undone + NR_STATE_FUNCTIONS * STATES);
}

static void alone(void) { compare_all(INSTR_GATE_SOLO, NULL, 0); }
static void one_of_many(void) { compare_all(INSTR_GATE_MANY, NULL, 0); }
static void nobody(void) { compare_all(INSTR_GATE_SHUT, NULL, 0); }

static void another_than_a_vfork_child(void)
{
	const uint64_t vfork[] = { fs_base() + 4096, 1 };

	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE)) {
		SKIP("no FSGSBASE");
		return;
	}
	compare_all(INSTR_GATE_VFORK, vfork, 2);
}

static void a_vfork_child(void)
{
	const uint64_t vfork[] = { fs_base() };

	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE)) {
		SKIP("no FSGSBASE");
		return;
	}
	compare_all(INSTR_GATE_VFORK, vfork, 1);
}

int main(void)
{
	struct link_map *map = dlopen(NULL, RTLD_NOW);
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
	const char *glob = "probe_*";
	struct instr_err err = { 0 };

	for (size_t i = 0; i < NR_STATE_FUNCTIONS; i++) {
		for (unsigned int n = 0; n < STATES; n++)
			state_run(i, 21 * n, &before[i][n]);
	}
	host_handle_traps();
	sigaction(SIGTRAP, &action, NULL);
	if (host_prepare(&host, "/proc/self/exe", &glob, 1, map->l_addr, HOST_ANYWHERE, &err)) {
		printf("Bail out! %s\n", err.text);
		return 1;
	}
	host_show(&host, true);
	RUN(alone);
	RUN(one_of_many);
	RUN(another_than_a_vfork_child);
	RUN(a_vfork_child);
	RUN(nobody);
	host_show(&host, false);
	printf("# %zu undone, %zu left alone\n", nr_undone, nr_left_alone);
	return tap_done();
}

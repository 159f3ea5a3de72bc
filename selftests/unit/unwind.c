// SPDX-License-Identifier: GPL-2.0
/*
 * Unwinding out of slabs, in this process: wherever a signal interrupts the code of timed
 * functions, who unwinds finds what it would find in the functions' own text.
 */

#include <arpa/inet.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <libelf.h>
#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>
#include <wchar.h>

#include "clean.h"
#include "file.h"
#include "host.h"
#include "insn.h"
#include "tap.h"
#include "throws.h"
#include "timing.h"
#include "unwinding.h"

/* How it is seen that functions are left. */
#ifndef WAY
#define WAY INSTR_WAY_RETURN
#endif

#define TIMED __attribute__((noinline, noclone, used))
#define KEEP __asm__ volatile("")

static struct host self, counted, unwinder, runtime, libc;

/* ---- what an address stands for ------------------------------------------------- */

static const struct host *host_of(uint64_t pc)
{
	static const struct host *const all[] = { &self, &counted, &unwinder, &runtime, &libc };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i]->slab && pc - (uint64_t)all[i]->slab < all[i]->plan->code_len)
			return all[i];
	}
	return NULL;
}

enum region { TEXT, SLOT, BLOCK, ROUTINE, REGIONS };

struct origin {
	enum region region;
	uint64_t pc;		/* of the original; ROUTINE: not known */
	uint8_t kind;		/* of the instruction that is moved there, see insn.h */
};

static struct origin origin_in_block(const struct instr_plan_site *site, uint64_t site_pc,
				     int64_t at)
{
	struct origin origin = { BLOCK, site_pc, INSN_PLAIN };

	if (at < site->displaced_at)
		return origin;
	origin.pc = site_pc + site->window_len;
	for (size_t i = 0; i < site->nr_moved; i++) {
		const struct instr_moved *moved = &site->moved[i];

		if (at >= moved->new_at && at < moved->new_at + moved->new_len) {
			origin.pc = site_pc + moved->old_at;
			origin.kind = moved->kind;
		}
	}
	return origin;
}

static struct origin origin_of(uint64_t pc)
{
	const struct host *host = host_of(pc);
	struct origin origin = { ROUTINE, pc, INSN_PLAIN };
	int64_t position;

	if (!host)
		return (struct origin){ TEXT, pc, INSN_PLAIN };
	position = (int64_t)(pc - (uint64_t)host->base);
	for (size_t i = 0; i < host->plan->nr; i++) {
		const struct instr_plan_site *site = &host->plan->site[i];
		uint64_t site_pc = (uint64_t)host->base + site->offset;

		if (site->how == INSTR_HOW_REFUSED)
			continue;
		if (position >= site->block && position < site->block + site->block_len)
			return origin_in_block(site, site_pc, position - site->block);
		if (position == site->slot)
			return (struct origin){ SLOT, site_pc, INSN_PLAIN };
	}
	return origin;
}

/* ---- stepping ------------------------------------------------------------------- */

#define STEPS_MAX	200000
#define FRAMES_MAX	12
#define REGISTERS	16
#define COMPLAINTS	5

struct step {
	uint64_t pc;			/* where it was */
	uint64_t reg[REGISTERS];	/* of the program, as the unwinder found them */
	uint64_t nr;
	struct {
		uint64_t pc, cfa;
	} frame[FRAMES_MAX];
	bool skipped;
};

struct run {
	struct step *step;
	size_t nr;
	bool in_module;		/* in what stands for the module */
};

static struct run native, probed, *running;

extern const char step_stop[];

struct walk {
	struct step *step;
	bool begun;
	bool stands_for;	/* the frame before, in the slab, for an instruction elsewhere */
	uint64_t slot_cfa;	/* below the return slot that was passed last; 0: none was */
};

static void read_registers(struct _Unwind_Context *context, struct step *step)
{
	for (int i = 0; i < REGISTERS; i++)
		step->reg[i] = _Unwind_GetGR(context, i);
}

static bool is_return_slot(uint64_t pc)
{
	const struct host *host = host_of(pc);
	uint64_t at = host ? pc - (uint64_t)host->slab - host->plan->slots : UINT64_MAX;

	return host && at < host->plan->nr_slots * INSTR_SLOT_LEN;
}

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *arg)
{
	struct walk *walk = arg;
	struct step *step = walk->step;
	int interrupted;
	uint64_t pc = _Unwind_GetIPInfo(context, &interrupted);

	if (interrupted && pc == step->pc)
		walk->begun = true;
	if (walk->begun && host_of(pc) && !walk->slot_cfa)
		walk->slot_cfa = _Unwind_GetCFA(context);
	if (host_of(pc))
		walk->stands_for = !is_return_slot(pc);
	if (!walk->begun || host_of(pc))
		return _URC_NO_REASON;
	if (!step->nr)
		read_registers(context, step);
	if (step->nr == FRAMES_MAX)
		return _URC_END_OF_STACK;
	/* As if that called: it begins before the address. */
	step->frame[step->nr].pc = pc - (!step->nr && walk->stands_for);
	/* The caller's, of the first: a frame in the slab has none of its own. */
	step->frame[step->nr].cfa = !step->nr ? 0 : walk->slot_cfa ?: _Unwind_GetCFA(context);
	step->nr++;
	walk->slot_cfa = 0;
	return _URC_NO_REASON;
}

/* The host's way to enter a thread is no part of the slab. */
static bool is_skipped(uint64_t pc)
{
	const struct host *host = host_of(pc);

	if (host)
		running->in_module = pc - (uint64_t)host->slab == INSTR_THREAD_TRAP;
	return !host && running->in_module;
}

static void on_step(ucontext_t *context)
{
	greg_t *reg = context->uc_mcontext.gregs;
	struct step *step = &running->step[running->nr];
	struct walk walk = { .step = step };

	if ((uint64_t)reg[REG_RIP] == (uint64_t)step_stop || running->nr == STEPS_MAX) {
		reg[REG_EFL] &= ~0x100;
		return;
	}
	memset(step, 0, sizeof(*step));
	step->pc = (uint64_t)reg[REG_RIP];
	step->skipped = is_skipped(step->pc);
	if (!step->skipped)
		_Unwind_Backtrace(on_frame, &walk);
	running->nr++;
}

static void on_trap(int signal, siginfo_t *info, void *context)
{
	if (signal == SIGTRAP && info->si_code == TRAP_TRACE)
		on_step(context);
	else if (!host_trap(signal, info, context))
		abort();
}

/* Calls @function(@arg), with a trap at each step until step_stop. */
void step_call(void (*function)(long), long arg);

/* ---- comparing ------------------------------------------------------------------ */

static bool stepped[4096];	/* of the first page of slabs: what was seen at all */
static size_t nr_in[REGIONS], nr_of_kind[INSN_STACK + 1], nr_wrong, nr_skipped;

static bool same_frames(const struct step *a, const struct step *b)
{
	return a->nr == b->nr && !memcmp(a->frame, b->frame, sizeof(a->frame[0]) * a->nr);
}

static bool same_registers(const struct step *a, const struct step *b)
{
	return !memcmp(a->reg, b->reg, sizeof(a->reg));
}

static void complain(const struct step *got, const struct step *want,
		     const struct origin *origin)
{
	const struct host *host = host_of(got->pc);

	if (nr_wrong++ >= COMPLAINTS)
		return;
	printf("# 0x%lx (slab + 0x%lx), which stands for 0x%lx: %lu frames, not %lu;", got->pc,
	       host ? got->pc - (uint64_t)host->slab : 0, origin->pc, got->nr, want->nr);
	for (size_t i = 0; i < got->nr && i < want->nr; i++) {
		if (memcmp(&got->frame[i], &want->frame[i], sizeof(got->frame[i])))
			printf(" frame %zu 0x%lx/0x%lx not 0x%lx/0x%lx", i, got->frame[i].pc,
			       got->frame[i].cfa, want->frame[i].pc, want->frame[i].cfa);
	}
	for (int i = 0; i < REGISTERS; i++) {
		if (got->reg[i] != want->reg[i])
			printf(" r%d 0x%lx not 0x%lx", i, got->reg[i], want->reg[i]);
	}
	printf("\n");
}

/* At the start of a return slot, which calls the function. */
static bool calls_from_slot(const struct step *step)
{
	const struct host *host = host_of(step->pc);
	uint64_t at = host ? step->pc - (uint64_t)host->slab - host->plan->slots : UINT64_MAX;

	return host && at < host->plan->nr_slots * INSTR_SLOT_LEN && at % INSTR_SLOT_LEN == 0;
}

/* @got is what is about to call what @want has just entered. */
static bool same_callers(const struct step *got, const struct step *want)
{
	for (size_t i = 0; i + 1 < want->nr; i++) {
		if (i >= got->nr || got->frame[i].pc != want->frame[i + 1].pc)
			return false;
	}
	return true;
}

/*
 * Is @got what @want was? In routines only what the last block says is known; and LOOP,
 * which becomes several, has changed RCX when it is still to jump.
 */
static bool is_same(const struct step *got, const struct step *want,
		    const struct origin *origin)
{
	if (calls_from_slot(got))
		return same_callers(got, want);
	return (origin->region == ROUTINE || origin->pc == want->pc) &&
	       same_frames(got, want) && (origin->kind == INSN_LOOP || same_registers(got, want));
}

static void see_routine(uint64_t pc)
{
	uint64_t at = pc - (uint64_t)host_of(pc)->slab;

	if (at < sizeof(stepped))
		stepped[at] = true;
}

/* Each step of @probed is at the place of one of @native, or that of the one before. */
static void compare_runs(void)
{
	size_t at = 0;

	for (size_t i = 0; i < probed.nr; i++) {
		const struct step *got = &probed.step[i];
		struct origin origin = origin_of(got->pc);

		if (got->skipped) {
			nr_skipped++;
			continue;
		}
		nr_in[origin.region]++;
		if (origin.region == ROUTINE)
			see_routine(got->pc);
		nr_of_kind[origin.kind] += origin.region == BLOCK;
		if (is_same(got, &native.step[at], &origin))
			continue;
		if (at + 1 < native.nr && is_same(got, &native.step[at + 1], &origin)) {
			at++;
			continue;
		}
		complain(got, &native.step[at + (native.step[at].pc != origin.pc)], &origin);
		if (at + 1 < native.nr && native.step[at + 1].pc == origin.pc)
			at++;
	}
	if (!CHECK(at + 2 >= native.nr))
		printf("# only %zu of %zu steps are found again\n", at, native.nr);
}

static volatile long sum;	/* of what is stepped through */

static void show_all(bool probes)
{
	if (libc.slab)
		host_show(&libc, probes);
	host_show(&self, probes);
	host_show(&counted, probes);
	host_show(&runtime, probes);
	host_show(&unwinder, probes);
}

static void check_steps(void (*function)(long), long arg)
{
	struct run *const runs[] = { &native, &probed };

	show_all(false);
	function(arg);
	/* From one place: its address is in the traces. */
	for (volatile size_t i = 0; i < 2; i++) {
		show_all(i);
		running = runs[i];
		running->nr = 0;
		sum = 0;
		running->in_module = false;
		step_call(function, arg);
	}
	CHECK(native.nr < STEPS_MAX && probed.nr < STEPS_MAX);
	compare_runs();
}

static void begin_steps(void)
{
	memset(nr_in, 0, sizeof(nr_in));
	nr_wrong = nr_skipped = 0;
}

static void end_steps(void)
{
	printf("# %zu steps in text, %zu in slots, %zu in blocks, %zu in routines, %zu wrong, "
	       "%zu skipped\n", nr_in[TEXT], nr_in[SLOT], nr_in[BLOCK], nr_in[ROUTINE], nr_wrong,
	       nr_skipped);
	CHECK(!nr_wrong);
	CHECK(nr_in[SLOT] && nr_in[BLOCK] && nr_in[ROUTINE]);
}

/* ---- what is stepped through ------------------------------------------------------ */

long timed_asm_pushes(long), timed_asm_calls(long), timed_asm_indirect(long);
long timed_asm_tail(long), timed_asm_branch(long), timed_asm_loop(long), timed_asm_frame(long);
int timed_fault_first(volatile int *), timed_fault_inner(volatile int *);
int timed_fault_late(volatile int *);

TIMED long timed_leaf(long x)
{
	KEEP;
	return 3 * x + 1;
}

TIMED long timed_deep(long depth)
{
	long below;

	if (!depth)
		return timed_leaf(1) != 4;
	below = timed_deep(depth - 1);
	KEEP;
	return below + 1;
}

static jmp_buf jump;
static volatile long never_jumped = -1;

TIMED void timed_jumper(long depth)
{
	if (depth == never_jumped)
		return;
	if (!depth)
		longjmp(jump, 1);
	timed_jumper(depth - 1);
	KEEP;
}

static void call_small(long arg)
{
	static long (*const all[])(long) = {
		timed_leaf, timed_deep, timed_asm_pushes, timed_asm_calls, timed_asm_indirect,
		timed_asm_tail, timed_asm_branch, timed_asm_loop, timed_asm_frame,
	};
	volatile int memory = 5;

	for (long i = 0; i < arg; i++) {
		for (size_t j = 0; j < sizeof(all) / sizeof(all[0]); j++)
			sum += all[j](i);
		sum += timed_fault_first(&memory) + timed_fault_inner(&memory) +
		       timed_fault_late(&memory);
	}
}

static void call_and_jump(long arg)
{
	if (!setjmp(jump))
		timed_jumper(arg);
	call_small(1);
}

TIMED long counted_function(long x)
{
	long value = x > 3 ? timed_leaf(x) : x;

	KEEP;
	return x == 7 ? timed_leaf(value) : value + 1;
}

long counted_crowded(long x);		/* unwind_asm.S */

static void call_counted(long arg)
{
	for (long i = 0; i < arg; i++)
		sum += counted_function(i) + counted_crowded(i);
}

static bool counts_apart(const char *name)
{
	const struct instr_plan_site *site = host_site(&counted, name);

	return site && site->counts_apart;
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void call_libc(long arg)
{
	char text[200], *end;
	wchar_t wide[50];
	int numbers[16];
	float fraction;

	for (int i = 0; i < 16; i++)
		numbers[i] = (int)(i * 7 + arg) % 16;
	qsort(numbers, 16, sizeof(numbers[0]), compare);
	snprintf(text, sizeof(text), "%d %s %-10.3f|%p %lx", numbers[3], "text", 2.5, text, arg);
	sum += strtol(text, &end, 10) + (long)strtod("12.75e3", &end);
	sum += (long)strlen(text) + strcmp(text, "other") + (strstr(text, "text") != NULL);
	free(realloc(malloc(100), 3000));
	sum += getenv("HOME") != NULL;
	sum += sscanf(text, "%d %s %f", &numbers[0], text + 100, &fraction);
	sum += mbstowcs(wide, text, 50) + wcslen(wide);
	sum += inet_pton(AF_INET6, "fe80::1:2", numbers) + fnmatch("t*[a-c]?", "text", 0);
}

static void call_throwing(long arg)
{
	sum += throws_through((int)arg);
}

static void in_one_thread(void)
{
	begin_steps();
	check_steps(call_small, 5);
	check_steps(call_and_jump, 4);
	end_steps();
	CHECK(nr_of_kind[INSN_JMP] && nr_of_kind[INSN_JCC] && nr_of_kind[INSN_LOOP] &&
	      nr_of_kind[INSN_CALL] && nr_of_kind[INSN_CALL_INDIRECT] && nr_of_kind[INSN_RET]);
}

/* The lane of the thread that runs, or -1. */
static long lane_here(void)
{
	const struct instr_thread *thread = host_frames();
	uint64_t base;

	__asm__ volatile("rdfsbase %0" : "=r" (base));
	for (size_t i = 0; i < INSTR_THREADS; i++) {
		if (thread[i].fs_base == base)
			return (long)thread[i].lane;
	}
	return -1;
}

static void *step_in_thread(void *lane)
{
	check_steps(call_small, 4);
	check_steps(call_and_jump, 3);
	*(long *)lane = lane_here();
	return NULL;
}

static long step_in_new_thread(void)
{
	pthread_t thread;
	long lane = -1;

	begin_steps();
	CHECK(!pthread_create(&thread, NULL, step_in_thread, &lane));
	pthread_join(thread, NULL);
	end_steps();
	return lane;
}

/* On a new stack nothing is there yet. */
static void in_a_new_thread(void)
{
	CHECK(step_in_new_thread() > 0);
	CHECK(nr_skipped);
}

static pthread_barrier_t lanes_taken, lanes_free;

static void *take_lane(void *arg)
{
	call_small(1);
	pthread_barrier_wait(&lanes_taken);
	pthread_barrier_wait(&lanes_free);
	return arg;
}

static void in_a_thread_without_a_lane(void)
{
	pthread_t thread[INSTR_LANES];

	show_all(true);
	pthread_barrier_init(&lanes_taken, NULL, INSTR_LANES + 1);
	pthread_barrier_init(&lanes_free, NULL, INSTR_LANES + 1);
	for (int i = 0; i < INSTR_LANES; i++)
		CHECK(!pthread_create(&thread[i], NULL, take_lane, NULL));
	pthread_barrier_wait(&lanes_taken);
	CHECK(step_in_new_thread() == 0);
	pthread_barrier_wait(&lanes_free);
	for (int i = 0; i < INSTR_LANES; i++)
		pthread_join(thread[i], NULL);
}

static void behind_the_gate(void)
{
	const uint64_t nobody[] = { 1 };

	begin_steps();
	host_gate(&self, INSTR_GATE_VFORK, nobody, 1);
	check_steps(call_small, 2);
	host_gate(&self, INSTR_GATE_MANY, NULL, 0);
	end_steps();
}

static void where_calls_are_only_counted(void)
{
	const uint64_t nobody[] = { 1 };

	CHECK(counts_apart("counted_crowded") == (WAY == INSTR_WAY_RETURN));
	CHECK(!counts_apart("counted_function"));
	begin_steps();
	host_gate(&counted, INSTR_GATE_SOLO, NULL, 0);
	check_steps(call_counted, 10);
	host_gate(&counted, INSTR_GATE_MANY, NULL, 0);
	check_steps(call_counted, 10);
	host_gate(&counted, INSTR_GATE_VFORK, nobody, 1);
	check_steps(call_counted, 10);
	host_gate(&counted, INSTR_GATE_SHUT, NULL, 0);
	check_steps(call_counted, 10);
	host_gate(&counted, INSTR_GATE_MANY, NULL, 0);
	end_steps();
}

static void through_exceptions(void)
{
	begin_steps();
	check_steps(call_throwing, 3);
	end_steps();
}

static void through_libc(void)
{
	begin_steps();
	check_steps(call_libc, 3);
	end_steps();
}

/* Some is needed too seldom, and some by Go, where nothing tells how to unwind. */
static void most_of_our_code_was_seen(void)
{
	const uint8_t *page = self.slab;
	size_t seen = 0, all = 0;
	struct insn insn;

	for (size_t at = 64; at < INSTR_THREAD_TRAP; at += insn.len) {
		insn.len = 1;
		if (!page[at] || !insn_decode(page + at, sizeof(stepped) - at, &insn))
			continue;
		all++;
		seen += stepped[at];
	}
	printf("# %zu of %zu instructions\n", seen, all);
	CHECK(seen > all / 5 * 3);
}

/* ---- the index -------------------------------------------------------------------- */

struct bases {
	void *text, *data, *function;
};

const void *_Unwind_Find_FDE(const void *pc, struct bases *bases);

/* A description, if it is right for @pc. */
static const uint8_t *if_covers(const uint8_t *fde, uint64_t pc)
{
	int32_t start;
	uint32_t len;

	if (!fde)
		return NULL;
	memcpy(&start, fde + 8, sizeof(start));
	memcpy(&len, fde + 12, sizeof(len));
	return pc - (uint64_t)(fde + 8 + start) < len ? fde : NULL;
}

static const uint8_t *by_routine(uint64_t pc)
{
	/* Of who unwinds, from whose context the routine reads. */
	struct {
		uint64_t before[4];
		struct bases bases;
	} context = { 0 };

	return if_covers(_Unwind_Find_FDE((const void *)pc, &context.bases), pc);
}

struct eh_frame_hdr {
	uint8_t encoding[4];
	int32_t frame;
	uint32_t nr;
	struct {
		int32_t start, fde;
	} entry[];
};

static const struct eh_frame_hdr *index_of(const struct host *host)
{
	const uint8_t *part = host->slab + host->plan->unwind;
	const Elf64_Phdr *header =
		(const void *)(part + ((const struct unwind_head *)part)->headers);

	CHECK(header[0].p_type == PT_LOAD && !header[0].p_vaddr &&
	      header[0].p_memsz == host->plan->code_len);
	CHECK(header[1].p_type == PT_GNU_EH_FRAME && header[1].p_vaddr < host->plan->code_len);
	return (const void *)(host->slab + header[1].p_vaddr);
}

static const uint8_t *by_index(const struct eh_frame_hdr *index, uint64_t pc)
{
	int64_t at = (int64_t)(pc - (uint64_t)index);
	size_t low = 0, high = index->nr;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (index->entry[middle].start <= at)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || !index->entry[low - 1].fde)
		return NULL;
	return if_covers((const uint8_t *)index + index->entry[low - 1].fde, pc);
}

static void check_index(const struct host *host)
{
	static const uint8_t encoding[] = { 1, 0x1b, 0x03, 0x3b };
	const struct eh_frame_hdr *index = index_of(host);
	uint64_t end = (uint64_t)host->slab + host->plan->code_len;
	size_t found = 0, wrong = 0;
	uint32_t terminator;

	CHECK(!memcmp(index->encoding, encoding, sizeof(encoding)));
	memcpy(&terminator, (const uint8_t *)&index->frame + index->frame, sizeof(terminator));
	CHECK(!terminator);
	for (uint32_t i = 1; i < index->nr; i++)
		wrong += index->entry[i - 1].start >= index->entry[i].start;
	CHECK(!wrong);
	for (uint64_t pc = (uint64_t)host->slab; pc < end; pc++) {
		const uint8_t *want = by_routine(pc);

		found += want != NULL;
		wrong += want != by_index(index, pc);
	}
	printf("# %zu of %zu bytes are described, %zu otherwise\n", found,
	       (size_t)host->plan->code_len, wrong);
	CHECK(found && !wrong);
}

static void the_index_says_what_the_routine_does(void)
{
	show_all(true);
	check_index(&self);
	check_index(&unwinder);
}

/* ---- throwing handlers ------------------------------------------------------------ */

static struct instr_unwinds *unwinds(void)
{
	return (void *)((uint8_t *)host_frames() + INSTR_UNWINDS_AT);
}

static void forget_unwinds(void)
{
	uint64_t len = unwind_asked_len(self.plan);

	memset((uint8_t *)host_times_of(&self) + self.plan->times_len - len, 0, len);
	*unwinds() = (struct instr_unwinds){ 0 };
}

static uint64_t lookups(void)
{
	return unwinds()->lookups;
}

static void nobody_asks_if_nobody_unwinds(void)
{
	show_all(true);
	call_small(100);
	CHECK(!lookups() && !unwinds()->functions);
}

static void check_fault(const char *name, int (*function)(volatile int *))
{
	const struct instr_plan_site *site = host_site(&self, name);
	struct instr_times before, after;
	int failed;

	if (!CHECK(site && site->how != INSTR_HOW_REFUSED))
		return;
	host_times(&self, site, &before);
	failed = throws_in_handler(function);
	host_times(&self, site, &after);
	if (!CHECK(!failed))
		printf("# %s: %d\n", name, failed);
	/* With slots only what is at the entry is moved. */
	CHECK(WAY == INSTR_WAY_SLOT || host_of(fault_address));
	CHECK(after.calls - before.calls == 1);
	/* What is reaped when somebody calls again. */
	timed_leaf(0);
	host_times(&self, site, &after);
	CHECK(after.exits[INSTR_EXIT_EXCEPTION] - before.exits[INSTR_EXIT_EXCEPTION] == 1);
}

static void throw_in_all(void)
{
	check_fault("timed_fault_first", timed_fault_first);
	check_fault("timed_fault_inner", timed_fault_inner);
	check_fault("timed_fault_late", timed_fault_late);
	check_fault("timed_fault_cleaned", timed_fault_cleaned);
	check_fault("timed_fault_caught", timed_fault_caught);
}

/* Each function counts once, whichever of its sites is asked for, and how often. */
static void handlers_throw(void)
{
	forget_unwinds();
	for (int i = 0; i < 100; i++)
		throw_in_all();
	/* For each of the two phases. */
	printf("# %llu lookups, of %llu functions\n", unwinds()->lookups, unwinds()->functions);
	CHECK(unwinds()->lookups == (WAY == INSTR_WAY_SLOT ? 2800 : 1000));
	/* A slot is asked for on behalf of whom it calls: who called the five has one, too. */
	CHECK(unwinds()->functions == (WAY == INSTR_WAY_SLOT ? 6 : 5));
}

/* ---- images ----------------------------------------------------------------------- */

void __register_frame_info(const void *begin, void *object);
void *__deregister_frame_info(const void *begin);

/* Descriptions are in reach of what they describe. */
static uint8_t *map_image(const struct host *host, size_t *len)
{
	uint8_t *want = host->slab + ((instr_plan_len(host->plan) + 0xffff) & ~0xffffUL);
	struct instr_err err = { 0 };
	CLEAN(free) uint8_t *image = NULL;
	uint8_t *map = mmap(want, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);

	if (!CHECK(map != MAP_FAILED) ||
	    !CHECK(!unwind_image(host->plan, map - host->base, &image, len, &err)))
		return NULL;
	memcpy(map, image, *len);
	return map;
}

static void use_image(void)
{
	static uint64_t object[16];
	uint64_t before;
	size_t len;
	uint8_t *image = map_image(&self, &len);

	if (!image)
		return;
	host_show(&unwinder, false);
	before = lookups();
	__register_frame_info(image, object);
	CHECK(!throws_in_handler(timed_fault_first));
	CHECK(!throws_in_handler(timed_fault_inner));
	CHECK(!throws_in_handler(timed_fault_cleaned));
	__deregister_frame_info(image);
	CHECK(lookups() == before);
}

/* In a child: libgcc takes a lock for each lookup from then on, in handlers too. */
static void images_can_be_registered(void)
{
	pid_t child = fork();
	int status;

	if (!child) {
		tap_failed = false;
		use_image();
		fflush(stdout);
		_exit(tap_failed);
	}
	CHECK(waitpid(child, &status, 0) == child && !status);
}

struct elf_file {
	Elf64_Ehdr head;
	Elf64_Shdr section[4];
	char names[64];
};

/* An ELF file whose .eh_frame is the image of @host. */
static bool write_elf(const struct host *host, const char *path)
{
	struct elf_file elf = {
		.head = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_DYN,
			.e_machine = EM_X86_64,
			.e_version = EV_CURRENT,
			.e_shoff = offsetof(struct elf_file, section),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_shentsize = sizeof(Elf64_Shdr),
			.e_shnum = 4,
			.e_shstrndx = 3,
		},
		.names = "\0.text\0.eh_frame\0.shstrtab",
	};
	size_t len;
	uint8_t *image = map_image(host, &len);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool done;

	if (!image || fd < 0)
		return false;
	elf.section[1] = (Elf64_Shdr){ .sh_name = 1, .sh_type = SHT_NOBITS,
				       .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
				       .sh_addr = (uint64_t)host->slab,
				       .sh_size = host->plan->code_len, .sh_addralign = 16 };
	elf.section[2] = (Elf64_Shdr){ .sh_name = 7, .sh_type = SHT_PROGBITS,
				       .sh_flags = SHF_ALLOC, .sh_addr = (uint64_t)image,
				       .sh_offset = sizeof(elf), .sh_size = len,
				       .sh_addralign = 8 };
	elf.section[3] = (Elf64_Shdr){ .sh_name = 17, .sh_type = SHT_STRTAB,
				       .sh_offset = offsetof(struct elf_file, names),
				       .sh_size = sizeof(elf.names), .sh_addralign = 1 };
	done = write(fd, &elf, sizeof(elf)) == sizeof(elf) &&
	       write(fd, image, len) == (ssize_t)len;
	close(fd);
	munmap(image, 16 << 20);
	printf("# image: %zu bytes, %zu sites\n", len, host->plan->nr);
	return done;
}

static size_t count_lines(const char *command, size_t *complaints)
{
	FILE *output = popen(command, "r");
	char line[1000];
	size_t nr = 0;

	*complaints = 0;
	while (output && fgets(line, sizeof(line), output)) {
		nr += strstr(line, " FDE ") != NULL;
		if (strstr(line, "arning") || strstr(line, "nknown") || strstr(line, "rror") ||
		    strstr(line, "orrupt"))
			++*complaints;
	}
	if (output)
		pclose(output);
	return nr;
}

static void check_image(const struct host *host)
{
	char path[] = "/tmp/instr-unwind-XXXXXX", command[200];
	size_t complaints, sites = 0;
	int fd = mkstemp(path);

	close(fd);
	for (size_t i = 0; i < host->plan->nr; i++)
		sites += host->plan->site[i].how != INSTR_HOW_REFUSED;
	if (CHECK(write_elf(host, path))) {
		snprintf(command, sizeof(command),
			 "LC_ALL=C readelf --debug-dump=frames-interp %s 2>&1", path);
		/* Those of cells, of slots, of return slots, of two kinds of routines. */
		CHECK(count_lines(command, &complaints) == sites + 4);
		CHECK(!complaints);
		snprintf(command, sizeof(command),
			 "LC_ALL=C readelf --debug-dump=frames %s 2>&1", path);
		CHECK(count_lines(command, &complaints) == sites + 4);
		CHECK(!complaints);
	}
	unlink(path);
}

static void images_are_well_formed(void)
{
	/* popen() takes what stands for the library's. */
	show_all(false);
	check_image(&self);
	check_image(&unwinder);
	if (libc.slab)
		check_image(&libc);
	show_all(true);
}

/* ---- profiling -------------------------------------------------------------------- */

#define PROFILED 3	/* threads */
#define DEPTH_MAX 100

static unsigned long nr_samples, nr_samples_in_slab, nr_samples_lost;
static volatile bool profiled;
/* Where the thread's outermost function that we know returns to. */
static __thread void *volatile root;

/*
 * Before it goes to a landing pad libgcc writes its registers to where those of its own
 * callers are saved, who can't be found then.
 */
static bool is_in_unwinder(uint64_t pc)
{
	return pc - (uint64_t)unwinder.base < unwinder.file->text->p_offset +
					      unwinder.file->text_len;
}

static void on_sample(int signal, siginfo_t *info, void *context)
{
	uint64_t pc = (uint64_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	void *frame[DEPTH_MAX];
	bool found = false;
	int nr;

	(void)signal;
	(void)info;
	if (is_in_unwinder(pc))
		return;
	nr = backtrace(frame, DEPTH_MAX);
	for (int i = 0; i < nr; i++)
		found |= frame[i] == root;
	__atomic_fetch_add(&nr_samples, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&nr_samples_in_slab, host_of(pc) != NULL, __ATOMIC_RELAXED);
	__atomic_fetch_add(&nr_samples_lost, !found, __ATOMIC_RELAXED);
}

static bool start_timer(timer_t *timer)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF };
	struct itimerspec every = { { 0, 1000000 }, { 0, 1000000 } };

	event._sigev_un._tid = gettid();
	return !timer_create(CLOCK_MONOTONIC, &event, timer) &&
	       !timer_settime(*timer, 0, &every, NULL);
}

static __attribute__((noinline)) void *run_profiled(void *wrong)
{
	timer_t timer;

	root = __builtin_return_address(0);
	if (!start_timer(&timer))
		return (void *)1;
	while (!profiled) {
		call_small(20);
		*(int *)wrong |= throws_through(16) | throws_in_cleanup(2) | throws_later(1);
	}
	timer_delete(timer);
	return NULL;
}

static void profilers_get_to_the_end(void)
{
	struct sigaction action = { .sa_sigaction = on_sample,
				    .sa_flags = SA_SIGINFO | SA_RESTART };
	int wrong[PROFILED] = { 0 };
	pthread_t thread[PROFILED];
	void *failed;

	/* It is loaded, and allocates, when it is called first. */
	backtrace(&failed, 1);
	sigaction(SIGPROF, &action, NULL);
	for (int i = 0; i < PROFILED; i++)
		CHECK(!pthread_create(&thread[i], NULL, run_profiled, &wrong[i]));
	sleep(4);
	profiled = true;
	for (int i = 0; i < PROFILED; i++) {
		pthread_join(thread[i], &failed);
		CHECK(!failed && !wrong[i]);
	}
	printf("# %lu samples, %lu in slabs, %lu lost\n", nr_samples, nr_samples_in_slab,
	       nr_samples_lost);
	CHECK(nr_samples > 1000 && nr_samples_in_slab && !nr_samples_lost);
}

/* ---- what it costs ------------------------------------------------------------------ */

#define THROWS 3000

static double time_throws(int frames)
{
	struct timespec begin, end;
	double best = 1e9;

	for (int i = 0; i < 7; i++) {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
		for (int j = 0; j < THROWS; j++)
			throws_through(frames);
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
		double took = ((double)(end.tv_sec - begin.tv_sec) * 1e9 +
			       (double)(end.tv_nsec - begin.tv_nsec)) / THROWS;
		if (took < best)
			best = took;
	}
	return best;
}

static void print_costs(void)
{
	double bare, timed, asked;

	show_all(false);
	bare = time_throws(16);
	show_all(true);
	/* Who throws through slots has to be told of them. */
	host_show(&unwinder, WAY == INSTR_WAY_SLOT);
	timed = time_throws(16);
	host_show(&unwinder, true);
	asked = time_throws(16);
	printf("# a throw through 16 frames: %.0f ns, timed %.0f ns, and with libgcc's entries "
	       "patched %.0f ns\n", bare, timed, asked);
}

/* ---- whole ------------------------------------------------------------------------- */

static uint64_t load_of(const char *name)
{
	struct link_map *map = dlopen(name, RTLD_NOW | (name ? RTLD_NOLOAD : 0));

	return map ? map->l_addr : 0;
}

static bool prepare(struct host *host, enum instr_measure measure, const char *path,
		    const char *const *globs, size_t nr, const char *name)
{
	struct instr_err err = { 0 };

	if (CHECK(!host_prepare_exits(host, measure, WAY, path, globs, nr, load_of(name), true,
				      &err)))
		return true;
	printf("# %s: %s\n", path, err.text);
	return false;
}

static bool prepare_library(struct host *host, const char *name, const char *const *globs,
			    size_t nr)
{
	struct link_map *map = dlopen(name, RTLD_NOW | RTLD_NOLOAD);

	return CHECK(map) && prepare(host, INSTR_TIMES, map->l_name, globs, nr, name);
}

static bool prepare_steps(struct run *run)
{
	run->step = mmap(NULL, (STEPS_MAX + 1) * sizeof(*run->step), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return CHECK(run->step != MAP_FAILED);
}

static void handle_traps(void)
{
	struct sigaction action = {
		.sa_sigaction = on_trap,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	sigaction(SIGTRAP, &action, NULL);
	sigaction(SIGILL, &action, NULL);
}

int main(void)
{
	const char *const timed = "timed_*", *const only_counted = "counted_*", *const all = "*";

	handle_traps();
	if (!prepare_steps(&native) || !prepare_steps(&probed) ||
	    !prepare(&self, INSTR_TIMES, "/proc/self/exe", &timed, 1, NULL) ||
	    !prepare(&counted, INSTR_EXITS, "/proc/self/exe", &only_counted, 1, NULL) ||
	    !prepare_library(&unwinder, "libgcc_s.so.1", NULL, 0) ||
	    !prepare_library(&runtime, "libstdc++.so.6", NULL, 0))
		return tap_done();
	RUN(nobody_asks_if_nobody_unwinds);
	RUN(in_one_thread);
	RUN(in_a_new_thread);
	RUN(in_a_thread_without_a_lane);
	RUN(behind_the_gate);
	RUN(where_calls_are_only_counted);
	/* Who unwinds through slots does more than without. */
	if (WAY != INSTR_WAY_SLOT)
		RUN(through_exceptions);
	RUN(handlers_throw);
	RUN(images_can_be_registered);
	RUN(the_index_says_what_the_routine_does);
	RUN(profilers_get_to_the_end);
	print_costs();
	show_all(false);
	if (prepare_library(&libc, "libc.so.6", &all, 1)) {
		RUN(through_libc);
		RUN(most_of_our_code_was_seen);
		RUN(images_are_well_formed);
	}
	return tap_done();
}

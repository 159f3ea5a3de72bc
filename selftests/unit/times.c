// SPDX-License-Identifier: GPL-2.0
/*
 * Timed functions, in this process: every entry has one exit, of the right kind, and
 * times that can be. What unwinds is in libgcc_s and libstdc++.
 */

#include <dlfcn.h>
#include <errno.h>
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

#include "clean.h"
#include "host.h"
#include "tap.h"
#include "throws.h"

/* How it is seen that functions are left. */
#ifndef WAY
#define WAY INSTR_WAY_RETURN
#endif

#define TIMED __attribute__((noinline, noclone, used))
#define KEEP __asm__ volatile("")

static struct host self, counted, unwinder, runtime;

/* ---- what was measured -------------------------------------------------------- */

static struct instr_times times_of(const char *name)
{
	const struct instr_plan_site *site = host_site(&self, name);
	struct instr_times times = { 0 };

	if (!CHECK(site && site->how != INSTR_HOW_REFUSED))
		printf("# %s: %s\n", name, site ? instr_reason_text(site->reason) : "unknown");
	else
		host_times(&self, site, &times);
	return times;
}

static uint64_t in_buckets(const struct instr_times *times)
{
	uint64_t nr = 0;

	for (size_t i = 0; i < INSTR_BUCKETS; i++)
		nr += times->bucket[i];
	return nr;
}

/* What came to @name since @before. */
static void check_exits(const char *name, const struct instr_times *before, uint64_t calls,
			enum instr_exit kind, uint64_t of_kind)
{
	struct instr_times now = times_of(name);
	uint64_t got = now.exits[kind] - before->exits[kind];
	uint64_t inside = now.exits[INSTR_EXIT_INSIDE] - before->exits[INSTR_EXIT_INSIDE];
	uint64_t returns = now.exits[INSTR_EXIT_RETURN] - before->exits[INSTR_EXIT_RETURN];

	if (!CHECK(now.calls - before->calls == calls) || !CHECK(got == of_kind) ||
	    !CHECK(returns == (kind == INSTR_EXIT_RETURN ? of_kind : calls - of_kind)) ||
	    !CHECK(inside == 0) ||
	    !CHECK(in_buckets(&now) == now.calls - now.exits[INSTR_EXIT_INSIDE]))
		printf("# %s: %lu calls, %lu %s, %lu returns, %ld inside\n", name,
		       now.calls - before->calls, got, instr_exit_name(kind), returns,
		       (long)inside);
}

/* Calls @run, in which @name is called and left as said. */
#define EXPECT_EXITS(name, calls, kind, of_kind, run) do {		\
	struct instr_times __before = times_of(name);			\
	run;								\
	check_exits(name, &__before, calls, kind, of_kind);		\
} while (0)

/* ---- returns ------------------------------------------------------------------ */

TIMED long timed_leaf(long x)
{
	KEEP;
	return 3 * x + 1;
}

TIMED long timed_caller(long nr)
{
	long sum = 0;

	for (long i = 0; i < nr; i++)
		sum += timed_leaf(i);
	KEEP;
	return sum;
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

TIMED long timed_odd(long x);

TIMED long timed_even(long x)
{
	long value = x ? timed_odd(x - 1) : 1;

	KEEP;
	return value;
}

TIMED long timed_odd(long x)
{
	long value = x ? timed_even(x - 1) : 0;

	KEEP;
	return value;
}

static void returns(void)
{
	struct instr_times leaf, caller;

	EXPECT_EXITS("timed_leaf", 1000, INSTR_EXIT_RETURN, 1000, CHECK(timed_caller(1000)));
	leaf = times_of("timed_leaf");
	caller = times_of("timed_caller");
	CHECK(leaf.total == leaf.self && leaf.min <= leaf.max && leaf.total >= 1000 * leaf.min);
	CHECK(caller.total >= leaf.total && caller.self == caller.total - leaf.total);
	CHECK(caller.max == caller.min && caller.max == caller.total);
}

static void recursion(void)
{
	struct instr_times deep;

	EXPECT_EXITS("timed_deep", 100001, INSTR_EXIT_RETURN, 100001,
		     CHECK(timed_deep(100000) == 100000));
	deep = times_of("timed_deep");
	/* Each of them has all that are deeper as its callees. */
	CHECK(deep.self <= deep.max && deep.total > deep.max);
	EXPECT_EXITS("timed_even", 501, INSTR_EXIT_RETURN, 501, CHECK(timed_even(1000)));
	EXPECT_EXITS("timed_odd", 500, INSTR_EXIT_RETURN, 500, CHECK(timed_even(999) == 0));
}

static uint64_t sleep_ticks;

TIMED void timed_sleep(long microseconds)
{
	uint64_t begin = __builtin_ia32_rdtsc();

	usleep((useconds_t)microseconds);
	sleep_ticks += __builtin_ia32_rdtsc() - begin;
}

TIMED void timed_sleeper(void)
{
	for (int i = 0; i < 20; i++)
		timed_sleep(i < 19 ? 200 : 20000);
	KEEP;
}

static bool about(uint64_t got, uint64_t want)
{
	return got >= want && got - want < want / 50 + 20000;
}

static void durations(void)
{
	struct instr_times sleep, sleeper;
	uint64_t half, most;

	timed_sleeper();
	sleep = times_of("timed_sleep");
	sleeper = times_of("timed_sleeper");
	half = instr_times_quantile(&sleep, 0.5);
	most = instr_times_quantile(&sleep, 1);
	CHECK(about(sleep.total, sleep_ticks));
	CHECK(sleeper.self < sleeper.total / 10);
	CHECK(half >= sleep.min && half < sleep.max / 4);
	CHECK(most <= sleep.max && most >= sleep.max - sleep.max / 32);
}

/* ---- exceptions --------------------------------------------------------------- */

static void exceptions(void)
{
	static const int depths[] = { 0, 1, 16, 1000 };

	for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
		int depth = depths[i];
		uint64_t nr = (uint64_t)depth + 1;

		EXPECT_EXITS("timed_frame", nr, INSTR_EXIT_EXCEPTION, nr,
			     CHECK(!throws_through(depth)));
		EXPECT_EXITS("timed_rethrower", nr, INSTR_EXIT_EXCEPTION, nr,
			     CHECK(!throws_again(depth)));
		EXPECT_EXITS("timed_cleaned", nr, INSTR_EXIT_EXCEPTION, nr,
			     CHECK(!throws_in_cleanup(depth)));
		EXPECT_EXITS("timed_small_throw", nr, INSTR_EXIT_EXCEPTION, nr,
			     CHECK(!throws_in_cleanup(depth)));
		EXPECT_EXITS("timed_returns", nr, INSTR_EXIT_RETURN, nr,
			     CHECK(!throws_in_cleanup(depth)));
		EXPECT_EXITS("timed_frame", nr, INSTR_EXIT_EXCEPTION, nr,
			     CHECK(!throws_past(depth)));
		EXPECT_EXITS("timed_c_frame", nr, INSTR_EXIT_EXCEPTION, nr,
			     CHECK(!throws_through_c(depth)));
		EXPECT_EXITS("timed_frame", nr, INSTR_EXIT_EXCEPTION, nr,
			     CHECK(!throws_later(depth)));
		EXPECT_EXITS("timed_returns", 10, INSTR_EXIT_RETURN, 10,
			     CHECK(!throws_and_calls(depth)));
	}
}

static void many_exceptions(void)
{
	EXPECT_EXITS("timed_frame", 17 * 20000, INSTR_EXIT_EXCEPTION, 17 * 20000,
		     for (int i = 0; i < 20000; i++) throws_through(16));
}

static void *throw_often(void *wrong)
{
	for (int i = 0; i < 500; i++)
		*(int *)wrong |= throws_through(i % 20) | throws_in_cleanup(i % 3);
	return NULL;
}

#define THROWERS 20	/* more than there are lanes */

static void exceptions_in_all_threads(void)
{
	pthread_t thread[THROWERS];
	int wrong[THROWERS] = { 0 };
	uint64_t nr = 0;

	for (int i = 0; i < 500; i++)
		nr += (uint64_t)(i % 20) + 1;
	EXPECT_EXITS("timed_frame", THROWERS * nr, INSTR_EXIT_EXCEPTION, THROWERS * nr, {
		for (int i = 0; i < THROWERS; i++)
			CHECK(!pthread_create(&thread[i], NULL, throw_often, &wrong[i]));
		for (int i = 0; i < THROWERS; i++) {
			pthread_join(thread[i], NULL);
			CHECK(!wrong[i]);
		}
	});
}

/* ---- longjmp ------------------------------------------------------------------ */

static volatile long never_jumped = -1;
static jmp_buf jump;
static sigjmp_buf signal_jump;

TIMED long timed_jumper(long depth)
{
	long below;

	if (depth == never_jumped)
		return 0;
	if (!depth)
		longjmp(jump, 1);
	below = timed_jumper(depth - 1);
	KEEP;
	return below + 1;
}

static void jump_out(long depth)
{
	if (!setjmp(jump))
		timed_jumper(depth);
}

static void longjmps(void)
{
	static const long depths[] = { 0, 1, 10, 999 };

	for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
		uint64_t nr = (uint64_t)depths[i] + 1;

		EXPECT_EXITS("timed_jumper", 100 * nr, INSTR_EXIT_LONGJMP, 100 * nr, {
			for (int j = 0; j < 100; j++)
				jump_out(depths[i]);
			timed_leaf(0);
		});
	}
}

TIMED long timed_interrupted(void)
{
	raise(SIGUSR1);
	KEEP;
	return 0;
}

TIMED void timed_handler(int signal)
{
	(void)signal;
	timed_leaf(1);
	siglongjmp(signal_jump, 1);
}

static void jump_out_of_handlers(bool alternate)
{
	char *memory = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	stack_t stack = { .ss_sp = memory, .ss_size = 1 << 16,
			  .ss_flags = alternate ? 0 : SS_DISABLE };
	struct sigaction action = { .sa_handler = timed_handler,
				    .sa_flags = alternate ? SA_ONSTACK : 0 };

	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &action, NULL);
	for (int i = 0; i < 1000; i++) {
		if (!sigsetjmp(signal_jump, 1))
			timed_interrupted();
		timed_leaf(2);
	}
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, NULL);
	munmap(memory, 1 << 16);
}

static void siglongjmps(void)
{
	EXPECT_EXITS("timed_interrupted", 1000, INSTR_EXIT_LONGJMP, 1000,
		     jump_out_of_handlers(false));
	EXPECT_EXITS("timed_handler", 1000, INSTR_EXIT_LONGJMP, 1000,
		     jump_out_of_handlers(false));
	EXPECT_EXITS("timed_interrupted", 1000, INSTR_EXIT_LONGJMP, 1000,
		     jump_out_of_handlers(true));
	EXPECT_EXITS("timed_leaf", 2000, INSTR_EXIT_RETURN, 2000, jump_out_of_handlers(true));
}

/* ---- threads ------------------------------------------------------------------ */

TIMED void *timed_thread(void *arg)
{
	long value = timed_caller((long)arg);

	KEEP;
	return (void *)value;
}

static void run_threads(int rounds, int nr)
{
	pthread_t thread[32];

	while (rounds--) {
		for (int i = 0; i < nr; i++)
			CHECK(!pthread_create(&thread[i], NULL, timed_thread, (void *)100));
		for (int i = 0; i < nr; i++)
			pthread_join(thread[i], NULL);
	}
}

static void threads(void)
{
	EXPECT_EXITS("timed_thread", 32 * 20, INSTR_EXIT_RETURN, 32 * 20, run_threads(20, 32));
	EXPECT_EXITS("timed_leaf", 3200 * 20, INSTR_EXIT_RETURN, 3200 * 20, run_threads(20, 32));
}

TIMED void *timed_exiting(void *arg)
{
	if (arg)
		pthread_exit(NULL);
	KEEP;
	return NULL;
}

TIMED void *timed_cancelled(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	KEEP;
	return NULL;
}

static void run_one(void *(*fn)(void *), bool cancel)
{
	pthread_t thread;

	for (int i = 0; i < 50; i++) {
		CHECK(!pthread_create(&thread, NULL, fn, ""));
		if (cancel)
			pthread_cancel(thread);
		pthread_join(thread, NULL);
	}
	/* What the last one left is found when its stack is used again. */
	run_threads(1, 1);
}

static void threads_that_end_inside(void)
{
	EXPECT_EXITS("timed_exiting", 50, INSTR_EXIT_THREAD, 50, run_one(timed_exiting, false));
	EXPECT_EXITS("timed_thread", 1, INSTR_EXIT_RETURN, 1, run_one(timed_exiting, false));
}

static void threads_that_are_cancelled(void)
{
	struct instr_times before = times_of("timed_cancelled"), now;

	run_one(timed_cancelled, true);
	now = times_of("timed_cancelled");
	/* Some may have been cancelled before they got there. */
	CHECK(now.calls > before.calls);
	CHECK(now.exits[INSTR_EXIT_THREAD] == now.calls);
}

/* ---- other stacks ------------------------------------------------------------- */

#define COROUTINES 8

static ucontext_t back[COROUTINES], there[COROUTINES];

TIMED long timed_yield(long number)
{
	swapcontext(&there[number], &back[number]);
	KEEP;
	return number;
}

static void coroutine(int number)
{
	for (;;)
		if (timed_yield(number) != number)
			abort();
}

TIMED void timed_resume(long number)
{
	swapcontext(&back[number], &there[number]);
	KEEP;
}

static void make_coroutines(char *stacks, size_t each)
{
	for (int i = 0; i < COROUTINES; i++) {
		getcontext(&there[i]);
		there[i].uc_stack.ss_sp = stacks + (size_t)i * each;
		there[i].uc_stack.ss_size = each;
		makecontext(&there[i], (void (*)(void))coroutine, 1, i);
	}
}

static void resume_all(int rounds)
{
	for (int round = 0; round < rounds; round++)
		for (int i = 0; i < COROUTINES; i++)
			timed_resume((i * 5 + round) % COROUTINES);
}

static char stacks[COROUTINES][1 << 16];

static void coroutines(void)
{
	/* One more round than each of them yields and comes back. */
	make_coroutines(stacks[0], sizeof(stacks[0]));
	resume_all(1);
	EXPECT_EXITS("timed_resume", 1000 * COROUTINES, INSTR_EXIT_RETURN, 1000 * COROUTINES,
		     resume_all(1000));
	EXPECT_EXITS("timed_yield", 1000 * COROUTINES, INSTR_EXIT_RETURN, 1000 * COROUTINES,
		     resume_all(1000));
}

static void *resume_in_thread(void *rounds)
{
	resume_all((int)(long)rounds);
	return NULL;
}

static void coroutines_that_move(void)
{
	pthread_t thread;

	EXPECT_EXITS("timed_yield", 40 * COROUTINES, INSTR_EXIT_RETURN, 40 * COROUTINES, {
		for (int i = 0; i < 20; i++) {
			CHECK(!pthread_create(&thread, NULL, resume_in_thread, (void *)1));
			pthread_join(thread, NULL);
			resume_all(1);
		}
	});
}

static int nr_begun;

/* Returns nowhere. */
TIMED void timed_begin(void)
{
	nr_begun++;
	timed_yield(0);
	abort();
}

/* As those who lay out stacks by hand do: what it begins with is not called. */
static void stacks_that_begin_with_no_return_address(void)
{
	const struct instr_times before = times_of("timed_yield");

	make_coroutines(stacks[0], sizeof(stacks[0]));
	there[0].uc_mcontext.gregs[REG_RIP] = (greg_t)timed_begin;
	*(uint64_t *)there[0].uc_mcontext.gregs[REG_RSP] = 0;
	alarm(20);
	timed_resume(0);
	alarm(0);
	CHECK(nr_begun == 1 && times_of("timed_yield").calls == before.calls + 1);
}

/* ---- Go ------------------------------------------------------------------------ */

/* With what a goroutine begins; @guard: below that a stack is too small. */
struct goroutine {
	uint64_t lo, hi, guard;
	uint64_t sp;			/* while the other one runs */
	struct goroutine *other;
};

#define GUARD 16384	/* what runs here needs more than Go */

static int nr_grown;

static void give_stack(struct goroutine *g, size_t len)
{
	g->lo = (uint64_t)malloc(len);
	g->hi = g->lo + len;
	g->guard = g->lo + GUARD;
}

/* As Go does: what is there of the stack is copied to the end of a larger one. */
__attribute__((used)) static uint64_t go_copystack(uint64_t sp, struct goroutine *g)
{
	struct goroutine old = *g;

	nr_grown++;
	give_stack(g, 2 * (old.hi - old.lo));
	memcpy((void *)(g->hi - (old.hi - sp)), (void *)sp, old.hi - sp);
	memset((void *)old.lo, 0x5a, old.hi - old.lo);
	free((void *)old.lo);
	return g->hi - (old.hi - sp);
}

/*
 * What a compiler of Go makes of a function that calls itself RAX times; nothing describes its
 * frame. go_grow returns to it on another stack. go_start calls such a @function.
 */
long go_start(long n, struct goroutine *g, const char *function);
extern const char timed_go[], timed_go_calls[], go_begin[];
asm(".pushsection .note.go.buildid, \"a\", @note\n.long 0, 0, 4\n.popsection\n"
    "	.type timed_go, @function\n"
    "timed_go:\n"
    "	cmp 16(%r14), %rsp\n jbe 3f\n"
    "	sub $24, %rsp\n"
    "	test %rax, %rax\n je 2f\n"
    "	dec %rax\n call timed_go\n inc %rax\n"
    "2:	add $24, %rsp\n ret\n"
    "3:	call go_grow\n jmp timed_go\n"
    "	.size timed_go, . - timed_go\n"
    "go_grow:\n"
    "	push %rax\n push %rbx\n"
    "	mov %rsp, %rdi\n mov %r14, %rsi\n and $-16, %rsp\n call go_copystack\n"
    "	mov %rax, %rsp\n"
    "	pop %rbx\n pop %rax\n ret\n"
    "go_start:\n"
    "	push %rbx\n push %r14\n"
    "	mov %rsp, %rbx\n mov %rsi, %r14\n mov 8(%r14), %rsp\n mov %rdi, %rax\n"
    "	call *%rdx\n"
    "	mov %rbx, %rsp\n"
    "	pop %r14\n pop %rbx\n ret\n");

/*
 * timed_go_calls yields to another goroutine and calls timed_go_leaf, RAX times; what is entered
 * there is timed_go_waits, which only yields.
 */
asm("	.type timed_go_calls, @function\n"
    "timed_go_calls:\n"
    "	cmp 16(%r14), %rsp\n jbe 3f\n"
    "	sub $24, %rsp\n"
    "1:	mov %rax, 8(%rsp)\n call go_yield\n call timed_go_leaf\n mov 8(%rsp), %rax\n"
    "	dec %rax\n jne 1b\n"
    "	add $24, %rsp\n ret\n"
    "3:	ud2\n"
    "	.size timed_go_calls, . - timed_go_calls\n"
    "	.type timed_go_leaf, @function\n"
    "timed_go_leaf:\n"
    "	cmp 16(%r14), %rsp\n jbe 3f\n"
    "	mov $20000, %ecx\n"
    "1:	dec %ecx\n jne 1b\n"
    "	ret\n"
    "3:	ud2\n"
    "	.size timed_go_leaf, . - timed_go_leaf\n"
    "	.type timed_go_waits, @function\n"
    "timed_go_waits:\n"
    "	cmp 16(%r14), %rsp\n jbe 3f\n"
    "	sub $8, %rsp\n"
    "1:	call go_yield\n jmp 1b\n"
    "3:	ud2\n"
    "	.size timed_go_waits, . - timed_go_waits\n"
    "go_yield:\n"
    "	mov %rsp, 24(%r14)\n mov 32(%r14), %r14\n mov 24(%r14), %rsp\n ret\n"
    "go_begin:\n"
    "	call timed_go_waits\n");

static void goroutines_have_callers_of_their_own(void)
{
	struct goroutine caller, other;
	struct instr_times calls, leaf;

	if (WAY != INSTR_WAY_RETURN) {
		SKIP("functions of Go have no return slots");
		return;
	}
	give_stack(&caller, 2 * GUARD);
	give_stack(&other, 2 * GUARD);
	caller.other = &other;
	other.other = &caller;
	other.sp = other.hi - 64;
	*(const char **)other.sp = go_begin;
	go_start(500, &caller, timed_go_calls);
	calls = times_of("timed_go_calls");
	leaf = times_of("timed_go_leaf");
	CHECK(calls.calls == 1 && leaf.calls == 500 && times_of("timed_go_waits").calls == 1);
	/* It does little itself. */
	if (!CHECK(calls.self < calls.total / 4) || !CHECK(leaf.total > calls.total / 4 * 3))
		printf("# %lu of %lu, and %lu in what it calls\n", calls.self, calls.total,
		       leaf.total);
	free((void *)caller.lo);
	free((void *)other.lo);
}

static void stacks_that_are_copied(void)
{
	struct goroutine g;

	if (WAY != INSTR_WAY_RETURN) {
		SKIP("functions of Go have no return slots");
		return;
	}
	give_stack(&g, 2 * GUARD);
	nr_grown = 0;
	EXPECT_EXITS("timed_go", 10001, INSTR_EXIT_RETURN, 10001,
		     CHECK(go_start(10000, &g, timed_go) == 10000));
	CHECK(nr_grown > 3);
	/* And where nothing is copied. */
	EXPECT_EXITS("timed_go", 10001, INSTR_EXIT_RETURN, 10001,
		     CHECK(go_start(10000, &g, timed_go) == 10000));
	free((void *)g.lo);
}

/* ---- other ways --------------------------------------------------------------- */

TIMED long timed_tail(long x)
{
	KEEP;
	return x ? timed_tail(x - 1) : timed_leaf(x);
}

TIMED pid_t timed_vfork_caller(void)
{
	pid_t child = vfork();

	if (!child)
		_exit(timed_leaf(2) == 7 ? 3 : 4);
	return child;
}

static void tail_calls(void)
{
	CHECK(timed_tail(3) == 1);
	CHECK(times_of("timed_tail").exits[INSTR_EXIT_INSIDE] == 0);
}

static void fork_children_return(void)
{
	int status;
	pid_t child = timed_vfork_caller();

	CHECK(child > 0 && waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3);
}

/* ---- steps -------------------------------------------------------------------- */

#define TRAP_FLAG 0x100

static sigjmp_buf step_jump;
static long steps, steps_most;

static TIMED void step_stop(void)
{
	KEEP;
}

/* SIGUSR2: from here on each instruction is a step; those from timed_leaf on count. */
static void on_step(int signal, siginfo_t *info, void *context)
{
	greg_t *reg = ((ucontext_t *)context)->uc_mcontext.gregs;

	if (signal == SIGUSR2)
		reg[REG_EFL] |= TRAP_FLAG;
	else if (info->si_code != TRAP_TRACE)
		CHECK(host_trap(signal, info, context));
	else if (reg[REG_RIP] == (greg_t)step_stop)
		reg[REG_EFL] &= ~TRAP_FLAG;
	else if ((steps || reg[REG_RIP] == (greg_t)timed_leaf) && steps++ == steps_most)
		siglongjmp(step_jump, 1);
}

/* False: it came back before there were so many. */
static bool leave_leaf_after(long nr)
{
	steps = 0;
	steps_most = nr;
	if (sigsetjmp(step_jump, 1))
		return true;
	raise(SIGUSR2);
	timed_leaf(1);
	step_stop();
	return false;
}

/* Wherever it is that a handler doesn't go back: a call has one exit, or neither is counted. */
static void exits_at_each_step(void)
{
	const struct sigaction action = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO };
	long nr = 0;

	sigaction(SIGTRAP, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	while (leave_leaf_after(nr)) {
		timed_caller(1);
		if (!CHECK(times_of("timed_leaf").exits[INSTR_EXIT_INSIDE] == 0))
			printf("# after %ld steps\n", nr);
		nr++;
	}
	CHECK(nr > 100);
	host_handle_traps();
}

/* ---- signals ------------------------------------------------------------------ */

static volatile unsigned long handled;

TIMED void timed_on_timer(int signal)
{
	(void)signal;
	timed_leaf(1);
	handled++;
}

static void signal_storm(void)
{
	struct sigaction action = { .sa_handler = timed_on_timer, .sa_flags = SA_RESTART };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };
	struct itimerspec every = { { 0, 50000 }, { 0, 50000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct instr_times leaf = times_of("timed_leaf"), on = times_of("timed_on_timer");
	unsigned long calls = 0;
	timer_t timer;

	sigaction(SIGUSR2, &action, NULL);
	CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	timer_settime(timer, 0, &every, NULL);
	for (; handled < 20000; calls += 1000)
		timed_caller(1000);
	timer_settime(timer, 0, &never, NULL);
	timer_delete(timer);
	check_exits("timed_leaf", &leaf, calls + handled, INSTR_EXIT_RETURN, calls + handled);
	check_exits("timed_on_timer", &on, handled, INSTR_EXIT_RETURN, handled);
}

/* ---- only counted ------------------------------------------------------------- */

TIMED long counted_function(long x)
{
	long value = x > 3 ? timed_leaf(x) : x;

	KEEP;
	return x == 7 ? timed_leaf(value) : value + 1;
}

/*
 * One needs no trap, and the other one ends in the bytes of its entry, so that counting what
 * is there takes more room.
 */
long counted_roomy(long x);
long counted_crowded(long x);
__asm__(".macro begin name\n"
	".globl \\name\n"
	".type \\name, @function\n"
	"\\name:\n"
	"	.cfi_startproc\n"
	".endm\n"
	".macro end name\n"
	"	.cfi_endproc\n"
	"	.size \\name, . - \\name\n"
	".endm\n"
	".text\n"
	"begin counted_roomy\n"
	"	lea 1(%rdi), %rax\n"
	"	test %rax, %rax\n"
	"	sub $1, %rax\n"
	"	ret\n"
	"end counted_roomy\n"
	"begin counted_crowded\n"
	"	test %rdi, %rdi\n"
	"	je timed_leaf\n"
	"	lea 1(%rdi), %rax\n"
	"	ret\n"
	"end counted_crowded\n"
	".purgem begin\n"
	".purgem end\n");

/* Threads, more than there are lanes: some share one. */
#define COUNTERS	8
#define CALLS		500000	/* of each */
#define TRAP_EVERY	50
#define COUNTED		(1000 + COUNTERS * CALLS)

static void *count_in_thread(void *nr)
{
	for (long i = 0; i < (long)nr; i++) {
		counted_roomy(i);
		counted_crowded(i % 10);
		if (!(i % TRAP_EVERY))
			counted_function(i / TRAP_EVERY % 10);
	}
	return NULL;
}

static void check_counted_of(const char *name, uint64_t calls)
{
	const struct instr_plan_site *site = host_site(&counted, name);
	struct instr_times times;

	if (!CHECK(site && site->how != INSTR_HOW_REFUSED))
		return;
	host_times(&counted, site, &times);
	if (!CHECK(times.calls == calls && times.exits[INSTR_EXIT_RETURN] == calls))
		printf("# %s: %lu calls, %lu exits\n", name, times.calls,
		       times.exits[INSTR_EXIT_RETURN]);
}

static void check_counted(uint64_t calls)
{
	check_counted_of("counted_roomy", calls);
	check_counted_of("counted_function", calls / TRAP_EVERY);
	check_counted_of("counted_crowded", calls);
}

static bool counts_apart(const char *name)
{
	return host_site(&counted, name)->counts_apart;
}

static uint64_t fs_base(void)
{
	uint64_t base;

	__asm__ volatile("rdfsbase %0" : "=r" (base));
	return base;
}

/* Another thread has a vfork child, and then this one is one. */
static void vfork_children_are_not_counted(void)
{
	const uint64_t others = 1, own[] = { 1, fs_base() };

	host_gate(&counted, INSTR_GATE_VFORK, &others, 1);
	count_in_thread((void *)1000);
	check_counted(COUNTED + 1000);
	host_gate(&counted, INSTR_GATE_VFORK, own, 2);
	count_in_thread((void *)1000);
	check_counted(COUNTED + 1000);
}

static void returns_are_counted(void)
{
	pthread_t thread[COUNTERS];

	CHECK(!counts_apart("counted_roomy"));
	CHECK(counts_apart("counted_crowded") == (WAY == INSTR_WAY_RETURN));
	host_gate(&counted, INSTR_GATE_SOLO, NULL, 0);
	count_in_thread((void *)1000);
	check_counted(1000);
	host_gate(&counted, INSTR_GATE_MANY, NULL, 0);
	for (int i = 0; i < COUNTERS; i++)
		CHECK(!pthread_create(&thread[i], NULL, count_in_thread, (void *)CALLS));
	for (int i = 0; i < COUNTERS; i++)
		pthread_join(thread[i], NULL);
	check_counted(COUNTED);
	host_gate(&counted, INSTR_GATE_SHUT, NULL, 0);
	count_in_thread((void *)1000);
	check_counted(COUNTED);
	vfork_children_are_not_counted();
}

/* ---- whole -------------------------------------------------------------------- */

static uint64_t load_of(const char *name)
{
	struct link_map *map = dlopen(name, RTLD_NOW | (name ? RTLD_NOLOAD : 0));

	return map ? map->l_addr : 0;
}

static bool prepare(struct host *host, enum instr_measure measure, const char *path, const char *const *globs, size_t nr,
		    const char *name)
{
	struct instr_err err = { 0 };

	if (CHECK(!host_prepare_exits(host, measure, WAY, path, globs, nr, load_of(name), true,
				      &err)))
		return true;
	printf("# %s: %s\n", path, err.text);
	return false;
}

static bool prepare_library(struct host *host, const char *name)
{
	struct link_map *map = dlopen(name, RTLD_NOW | RTLD_NOLOAD);

	return CHECK(map) && prepare(host, INSTR_TIMES, map->l_name, NULL, 0, name);
}

int main(void)
{
	const char *const timed = "timed_*", *const only_counted = "counted_*";

	host_handle_traps();
	/* pthread_cancel() would load it. */
	if (!prepare(&self, INSTR_TIMES, "/proc/self/exe", &timed, 1, NULL) ||
	    !prepare(&counted, INSTR_EXITS, "/proc/self/exe", &only_counted, 1, NULL) ||
	    !prepare_library(&unwinder, "libgcc_s.so.1") ||
	    !prepare_library(&runtime, "libstdc++.so.6"))
		return tap_done();
	host_show(&unwinder, true);
	host_show(&runtime, true);
	host_show(&self, true);
	host_show(&counted, true);
	RUN(returns);
	RUN(recursion);
	RUN(durations);
	RUN(exceptions);
	RUN(many_exceptions);
	RUN(exceptions_in_all_threads);
	RUN(longjmps);
	RUN(siglongjmps);
	RUN(threads);
	RUN(threads_that_end_inside);
	RUN(threads_that_are_cancelled);
	RUN(coroutines);
	RUN(coroutines_that_move);
	RUN(stacks_that_begin_with_no_return_address);
	RUN(stacks_that_are_copied);
	RUN(goroutines_have_callers_of_their_own);
	RUN(tail_calls);
	RUN(fork_children_return);
	RUN(signal_storm);
	RUN(returns_are_counted);
	RUN(exits_at_each_step);
	return tap_done();
}

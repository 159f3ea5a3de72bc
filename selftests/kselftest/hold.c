// SPDX-License-Identifier: GPL-2.0
/*
 * A thread that is held at any instruction of a window, or of the code that the
 * window was moved to, while the text around it changes: by a debugger that steps
 * up to there, by signals, by jumps into the window. It computes what it would have
 * (unit/host_entry.S has the functions).
 */
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../unit/host_state.h"
#include "fixture.h"
#include "kselftest_harness.h"

/* What we and the child that is held tell each other. */
struct shared {
	unsigned int function, state;
	bool good, stop;
	unsigned long rounds, signals, wrong;
};

static struct state before[NR_STATE_FUNCTIONS][NR_STATES];
static struct shared *shared;

/* Of the child itself: one of the functions asks for its process ID. */
static void run_all_before(void)
{
	for (size_t i = 0; i < NR_STATE_FUNCTIONS; i++)
		for (unsigned int n = 0; n < NR_STATES; n++)
			state_run(i, n, &before[i][n]);
}

static bool run_is_as_before(unsigned int function, unsigned int n)
{
	struct state now;

	return state_run(function, n, &now) &&
	       state_is(&before[function][n], &now, state_functions[function].name);
}

FIXTURE(hold)
{
	struct probes probes;
	pid_t pid;
};

FIXTURE_SETUP(hold)
{
	static const char *const names[] = { "probe_*", NULL };

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)shared);
	probes_open(&self->probes, "/proc/self/exe", names);
}

FIXTURE_TEARDOWN(hold)
{
	kill(self->pid, SIGKILL);
	waitpid(self->pid, NULL, 0);
	probes_close(&self->probes);
	munmap(shared, sizeof(*shared));
}

/* ---- by a debugger --------------------------------------------------------------- */

/* Does what it is told, and stops. */
static void held_child(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	ptrace(PTRACE_TRACEME, 0, 0, 0);
	run_all_before();
	for (;;) {
		raise(SIGSTOP);
		shared->good = run_is_as_before(shared->function, shared->state);
	}
}

static bool stopped_by(pid_t pid, int signal)
{
	int status;

	return waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status) &&
	       WSTOPSIG(status) == signal;
}

static bool set_debug_register(pid_t pid, int nr, unsigned long value)
{
	return !ptrace(PTRACE_POKEUSER, pid,
		       offsetof(struct user, u_debugreg) + nr * sizeof(long), value);
}

/* Stopped before its next run: lets it come to the function's entry. */
static bool run_to_entry(pid_t pid)
{
	unsigned long entry = (unsigned long)state_functions[shared->function].call;

	return set_debug_register(pid, 0, entry) && set_debug_register(pid, 7, 1) &&
	       !ptrace(PTRACE_CONT, pid, 0, 0) && stopped_by(pid, SIGTRAP) &&
	       set_debug_register(pid, 7, 0);
}

static bool steps(pid_t pid, unsigned int nr)
{
	while (nr--) {
		ptrace(PTRACE_SINGLESTEP, pid, 0, 0);
		if (!stopped_by(pid, SIGTRAP))
			return false;
	}
	return true;
}

static bool run_to_stop(pid_t pid)
{
	ptrace(PTRACE_CONT, pid, 0, 0);
	return stopped_by(pid, SIGSTOP) && shared->good;
}

/* PUSHF and SYSCALL show the debugger's trap flag to the program. */
static bool can_be_stepped(const char *name)
{
	return strcmp(name, "probe_flags") && strcmp(name, "probe_syscall");
}

/* They are out of the window by then; the block puts more before that. */
#define STEPS_PRISTINE	7
#define STEPS_PATCHED	16

/* Holds it @nr steps behind the entry while its text becomes the other one. */
static bool changes_while_held(struct probes *probes, pid_t pid, bool patched, unsigned int nr)
{
	int code = patched ? probes_publish(probes) : probes_withdraw(probes);

	if (code || !run_to_entry(pid) || !steps(pid, nr))
		return false;
	code = patched ? probes_withdraw(probes) : probes_publish(probes);
	return !code && run_to_stop(pid);
}

static void hold_everywhere(struct __test_metadata *_metadata, struct probes *probes,
			    pid_t pid, bool patched)
{
	for (size_t i = 0; i < NR_STATE_FUNCTIONS; i++) {
		const char *name = state_functions[i].name;
		unsigned int nr;

		if (!can_be_stepped(name))
			continue;
		for (nr = 0; nr <= (patched ? STEPS_PATCHED : STEPS_PRISTINE); nr++) {
			shared->function = i;
			shared->state = (7 * i + 11 * nr) % NR_STATES;
			ASSERT_TRUE(changes_while_held(probes, pid, patched, nr))
				TH_LOG("%s, %u steps behind its entry", name, nr);
		}
	}
}

static void start_held(struct __test_metadata *_metadata, FIXTURE_DATA(hold) *self)
{
	self->pid = fork();
	if (!self->pid)
		held_child();
	ASSERT_TRUE(stopped_by(self->pid, SIGSTOP));
	ASSERT_LE(0, probes_attach(&self->probes, self->pid));
}

TEST_F_TIMEOUT(hold, at_each_instruction_while_it_is_patched, 300)
{
	start_held(_metadata, self);
	hold_everywhere(_metadata, &self->probes, self->pid, false);
}

TEST_F_TIMEOUT(hold, at_each_instruction_while_it_is_unpatched, 300)
{
	start_held(_metadata, self);
	hold_everywhere(_metadata, &self->probes, self->pid, true);
}

/* ---- by signals ------------------------------------------------------------------ */

static void on_signal(int signal)
{
	(void)signal;
	shared->signals++;
}

static void stormed_child(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGUSR1, on_signal);
	run_all_before();
	raise(SIGSTOP);
	for (unsigned int n = 0; !__atomic_load_n(&shared->stop, __ATOMIC_RELAXED); n++) {
		for (unsigned int i = 0; i < NR_STATE_FUNCTIONS; i++)
			shared->wrong += !run_is_as_before(i, n % NR_STATES);
		shared->rounds++;
	}
	_exit(0);
}

/* 10,000 a second, as far as the machine can. */
static void storm(pid_t pid, unsigned int nr)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 };

	while (nr--) {
		kill(pid, SIGUSR1);
		nanosleep(&pause, NULL);
	}
}

TEST_F_TIMEOUT(hold, by_signals_while_it_changes, 300)
{
	int status;

	self->pid = fork();
	if (!self->pid)
		stormed_child();
	waitpid(self->pid, NULL, WUNTRACED);
	ASSERT_LE(0, probes_attach(&self->probes, self->pid));
	kill(self->pid, SIGCONT);
	for (int i = 0; i < 300; i++) {
		storm(self->pid, 20);
		ASSERT_EQ(0, probes_publish(&self->probes));
		storm(self->pid, 20);
		ASSERT_EQ(0, probes_withdraw(&self->probes));
	}
	shared->stop = true;
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, shared->wrong);
	EXPECT_LT(1000, shared->signals);
	EXPECT_LT(100, shared->rounds);
	TH_LOG("%lu rounds, %lu signals", shared->rounds, shared->signals);
}

TEST_HARNESS_MAIN

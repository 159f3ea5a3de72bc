// SPDX-License-Identifier: GPL-2.0
/*
 * A program that uses SIGTRAP and SIGILL itself: what it sees is the same whether
 * they are shared (signals.c) or not. Run as it is, and instrumented.
 */

#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "../unit/tap.h"

static volatile sig_atomic_t nr_traps, nr_ills;
static uint64_t trapped_at;
static sigjmp_buf back;

static void on_trap(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)info;
	trapped_at = (uint64_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	nr_traps++;
}

static void on_ill(int signal)
{
	(void)signal;
	nr_ills++;
	siglongjmp(back, 1);
}

static void handle_trap(int flags)
{
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | flags };

	sigaction(SIGTRAP, &action, NULL);
	nr_traps = 0;
}

/* A function of libc that is probed by a trap. */
static bool libc_traps(void)
{
	sem_t sem;

	sem_init(&sem, 0, 1);
	return !sem_trywait(&sem) && sem_trywait(&sem);
}

static void breakpoints_are_the_programs(void)
{
	uint64_t here;

	handle_trap(0);
	asm volatile("int3\n\tlea 0(%%rip), %0\n" : "=r" (here));
	CHECK(nr_traps == 1);
	CHECK(trapped_at < here && here - trapped_at == 7);
	CHECK(libc_traps() && nr_traps == 1);
}

static void illegal_instructions_are_the_programs(void)
{
	volatile int times = 0;

	signal(SIGILL, on_ill);
	nr_ills = 0;
	sigsetjmp(back, 1);
	if (times++ < 2)
		asm volatile("ud2");
	CHECK(nr_ills == 2);
	CHECK(signal(SIGILL, SIG_DFL) == on_ill);
}

static void signals_that_are_sent_arrive(void)
{
	handle_trap(0);
	raise(SIGTRAP);
	kill(getpid(), SIGTRAP);
	CHECK(nr_traps == 2);
}

static void blocked_signals_wait(void)
{
	sigset_t set, old;

	handle_trap(0);
	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, &old);
	CHECK(!sigismember(&old, SIGTRAP));
	raise(SIGTRAP);
	CHECK(nr_traps == 0 && libc_traps());
	sigprocmask(SIG_SETMASK, &old, &set);
	CHECK(sigismember(&set, SIGTRAP) && sigismember(&set, SIGILL));
	CHECK(nr_traps == 1);
}

static void ignored_signals_are_ignored(void)
{
	signal(SIGTRAP, SIG_IGN);
	raise(SIGTRAP);
	CHECK(libc_traps());
	CHECK(signal(SIGTRAP, SIG_DFL) == SIG_IGN);
}

static void handlers_are_reset(void)
{
	struct sigaction now;

	handle_trap(SA_RESETHAND);
	raise(SIGTRAP);
	sigaction(SIGTRAP, NULL, &now);
	CHECK(nr_traps == 1 && now.sa_handler == SIG_DFL);
	CHECK(libc_traps());
}

/* The signal that a child dies of that does @act. */
static int death_of(void (*act)(void))
{
	pid_t pid = fork();
	int status = 0;

	if (!pid) {
		act();
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void raise_trap(void)
{
	raise(SIGTRAP);
}

static void break_off(void)
{
	signal(SIGTRAP, SIG_IGN);
	asm volatile("int3");
}

static void do_what_is_illegal(void)
{
	asm volatile("ud2");
}

static void defaults_are_deadly(void)
{
	signal(SIGTRAP, SIG_DFL);
	CHECK(death_of(raise_trap) == SIGTRAP);
	CHECK(death_of(break_off) == SIGTRAP);
	CHECK(death_of(do_what_is_illegal) == SIGILL);
}

/* On a stack that is just large enough, all else blocked. */
static void on_usr1(int signal)
{
	(void)signal;
	nr_traps += libc_traps();
}

static void traps_in_handlers_lead_on(void)
{
	struct sigaction action = { .sa_handler = on_usr1, .sa_flags = SA_ONSTACK };
	stack_t stack = { .ss_size = 32768, .ss_sp = malloc(32768) };

	sigfillset(&action.sa_mask);
	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &action, NULL);
	nr_traps = 0;
	raise(SIGUSR1);
	CHECK(nr_traps == 1);
}

static void traps_while_others_wait_lead_on(void)
{
	struct sigaction action = { .sa_handler = on_usr1 };
	sigset_t set, old;

	sigaction(SIGUSR1, &action, NULL);
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, &old);
	nr_traps = 0;
	raise(SIGUSR1);
	CHECK(nr_traps == 0);
	sigdelset(&set, SIGUSR1);
	sigsuspend(&set);
	CHECK(nr_traps == 1);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

int main(void)
{
	RUN(breakpoints_are_the_programs);
	RUN(illegal_instructions_are_the_programs);
	RUN(signals_that_are_sent_arrive);
	RUN(blocked_signals_wait);
	RUN(ignored_signals_are_ignored);
	RUN(handlers_are_reset);
	RUN(defaults_are_deadly);
	RUN(traps_in_handlers_lead_on);
	RUN(traps_while_others_wait_lead_on);
	return tap_done();
}

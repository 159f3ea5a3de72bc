// SPDX-License-Identifier: GPL-2.0
/*
 * What returns twice, or in another process: setjmp(), getcontext(), vfork(), fork() and
 * posix_spawn(), in functions that return afterwards.
 */
#include <setjmp.h>
#include <spawn.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "unwinds.h"

extern char **environ;

static int status_of(pid_t child)
{
	int status;

	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

FRAME static int work(int value)
{
	KEEP;
	return value + 1;
}

/* ---- in this process ---------------------------------------------------------------- */

static jmp_buf again;
static void (*volatile jump)(jmp_buf, int) = longjmp;

FRAME static int jump_again(int value)
{
	jump(again, work(value));
	KEEP;
	return 0;
}

FRAME static int returns_often(void)
{
	volatile int sum = 0;
	int got = setjmp(again);

	sum += work(got);
	if (got < 10)
		jump_again(got);
	return sum;
}

FRAME static int context_twice(void)
{
	volatile int times = 0;
	ucontext_t context;

	getcontext(&context);
	times = work(times);
	if (times < 10)
		setcontext(&context);
	return times;
}

/* ---- others --------------------------------------------------------------------------- */

FRAME static int vfork_exits(int status)
{
	pid_t child = vfork();

	if (!child)
		_exit(work(status));
	return status_of(child);
}

FRAME static int vfork_execs(char *const *argv)
{
	pid_t child = vfork();

	if (!child) {
		execv(argv[0], argv);
		_exit(127);
	}
	return status_of(child);
}

FRAME static int spawns(char *const *argv)
{
	pid_t child;

	if (posix_spawn(&child, argv[0], NULL, NULL, argv, environ))
		return -1;
	return status_of(child);
}

FRAME static int forks(int frames, int status)
{
	pid_t child;
	int value;

	if (frames) {
		value = forks(frames - 1, status);
		KEEP;
		return value;
	}
	child = fork();
	if (!child)
		return 1000 + work(status);
	return status_of(child);
}

/* The child returns through frames that its parent called. */
FRAME static int forks_and_returns(int frames, int status)
{
	int got = forks(frames, status);

	if (got >= 1000)
		exit(got - 1000);
	return got;
}

int main(void)
{
	char *const good[] = { "/bin/true", NULL }, *const bad[] = { "/bin/false", NULL };
	char *const none[] = { "/nonexistent", NULL };
	const long times = scaled(100);

	CHECK(returns_often() == 66);
	CHECK(context_twice() == 10);
	for (long i = 0; i < times; i++) {
		CHECK(vfork_exits(5) == 6);
		CHECK(vfork_execs(good) == 0 && vfork_execs(bad) == 1);
		CHECK(vfork_execs(none) == 127);
		CHECK(spawns(good) == 0 && spawns(bad) == 1);
		CHECK(forks_and_returns((int)i % 100, 5) == 6);
	}
	CHECK(system("exit 9") == 9 << 8);
	puts("done");
	return unwinds_failed;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * A program whose functions end in all the ways there are; to be timed. The last thing
 * it does says its argument: "exit", "exec", "storm", or "wait", which is for a process
 * that is attached to: it goes on at each line that it reads.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define TIMED __attribute__((noinline, noclone))

/* The compiler must not see that they don't come back. */
static void (*volatile leave_thread)(void *) = pthread_exit;
static void (*volatile leave_process)(int) = exit;
static void (*volatile leave_function)(jmp_buf, int) = longjmp;

static jmp_buf env;

TIMED long ends_return(long value)
{
	__asm__ volatile("nop; nop; nop; nop; nop");
	return value + 1;
}

TIMED void ends_inner(void)
{
	usleep(10000);
	__asm__ volatile("");
}

TIMED void ends_outer(void)
{
	ends_inner();
	ends_inner();
	__asm__ volatile("");
}

TIMED void ends_longjmp(void)
{
	usleep(1000);
	leave_function(env, 1);
	__asm__ volatile("");
}

TIMED void ends_thread(void)
{
	leave_thread(NULL);
	__asm__ volatile("");
}

TIMED void ends_process(void)
{
	leave_process(7);
	__asm__ volatile("");
}

TIMED void ends_exec(void)
{
	execl("/bin/true", "true", NULL);
	__asm__ volatile("");
}

TIMED void ends_never(void)
{
	char line[80];

	puts("inside");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		_exit(1);
	__asm__ volatile("");
}

static void *thread(void *arg)
{
	ends_thread();
	return arg;
}

static void threads(void)
{
	pthread_t id[2];

	for (int i = 0; i < 2; i++)
		pthread_create(&id[i], NULL, thread, NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(id[i], NULL);
}

static void jumps(void)
{
	for (volatile int i = 0; i < 3; i++) {
		if (!setjmp(env))
			ends_longjmp();
		ends_return(i);
	}
}

TIMED long ends_stormed(long value)
{
	__asm__ volatile("nop; nop; nop; nop; nop");
	return 3 * value;
}

static volatile long handled;

TIMED void ends_handler(int number)
{
	ends_stormed(number);
	handled++;
}

TIMED void ends_round(void)
{
	for (long i = 0; i < 1000; i++)
		ends_stormed(i);
	__asm__ volatile("");
}

/* 10 kHz of signals, for a second if there are as many. */
static void storm(void)
{
	const struct itimerval every = { { 0, 100 }, { 0, 100 } }, never = { { 0, 0 }, { 0, 0 } };

	signal(SIGALRM, ends_handler);
	setitimer(ITIMER_REAL, &every, NULL);
	while (handled < 10000)
		ends_round();
	setitimer(ITIMER_REAL, &never, NULL);
}

static void wait_for_line(void)
{
	char line[80];

	puts("ready");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		_exit(1);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";

	if (!strcmp(how, "wait"))
		wait_for_line();
	for (int i = 0; i < 1000; i++)
		ends_return(i);
	for (int i = 0; i < 3; i++)
		ends_outer();
	jumps();
	threads();
	if (!strcmp(how, "storm"))
		storm();
	if (!strcmp(how, "exit"))
		ends_process();
	if (!strcmp(how, "exec"))
		ends_exec();
	if (!strcmp(how, "wait"))
		ends_never();
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Who looks at its stack finds its callers: in functions, in handlers, whatever these
 * interrupted, in threads, and behind tail calls.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include "own_frames.h"
#include "unwinds.h"

FRAME int own_innermost(int (*look)(void));
FRAME int own_middle(int frames, int (*look)(void));
FRAME int own_tail(int (*look)(void));
FRAME int own_calls_tail(int (*look)(void));
FRAME int own_handler(int number);
FRAME long own_waits(long turns);
FRAME long own_busy(long turns);
FRAME long own_works(long turns);

static int look(void)
{
	print_own_frames();
	return own_frames();
}

FRAME int own_innermost(int (*look)(void))
{
	int own = look();

	KEEP;
	return own;
}

FRAME int own_middle(int frames, int (*look)(void))
{
	int own = frames ? own_middle(frames - 1, look) : own_innermost(look);

	KEEP;
	return own;
}

FRAME int own_tail(int (*look)(void))
{
	__asm__ volatile("nop; nop; nop; nop; nop");
	return own_innermost(look);
}

FRAME int own_calls_tail(int (*look)(void))
{
	int own = own_tail(look);

	KEEP;
	return own;
}

/* ---- handlers ------------------------------------------------------------------- */

FRAME int own_handler(int number)
{
	puts(number == SIGUSR1 ? "SIGUSR1" : "another");
	print_own_frames();
	return 0;
}

static void on_signal(int number)
{
	own_handler(number);
}

static int send(void)
{
	raise(SIGUSR1);
	return 0;
}

/* As long as own_waits() and own_busy() are on the stack. */
static volatile int is_busy;
static volatile long interrupts, truncated;

static void on_alarm(int number)
{
	(void)number;
	if (!is_busy)
		return;
	interrupts = interrupts + 1;
	truncated = truncated + (own_frames() < 2);
}

FRAME long own_works(long turns)
{
	volatile long sum = 0;

	for (long i = 0; i < turns; i++)
		sum += i;
	return sum;
}

FRAME long own_busy(long turns)
{
	long sum = 0;

	is_busy = 1;
	while (interrupts < turns)
		sum += own_works(20) + own_works(1);
	is_busy = 0;
	return sum;
}

FRAME long own_waits(long turns)
{
	long sum = own_busy(turns);

	KEEP;
	return sum;
}

/* Nothing that is interrupted here has a lock that backtrace_symbols() wants. */
static void interrupted(void)
{
	const struct itimerval every = { { 0, 500 }, { 0, 500 } }, never = { { 0, 0 }, { 0, 0 } };
	const long times = scaled(5000);

	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &every, NULL);
	own_waits(times);
	setitimer(ITIMER_REAL, &never, NULL);
	printf("%ld interrupted stacks, %ld cut off\n", times, truncated);
	unwinds_failed |= truncated != 0;
}

static void *thread(void *arg)
{
	own_middle(2, look);
	return arg;
}

int main(void)
{
	pthread_t id;

	CHECK(own_innermost(look) == 1);
	CHECK(own_middle(0, look) == 2);
	CHECK(own_middle(15, look) == 17);
	CHECK(own_middle(400, own_frames) == 402);
	CHECK(own_calls_tail(look) == 2);
	signal(SIGUSR1, on_signal);
	own_middle(3, send);
	pthread_create(&id, NULL, thread, NULL);
	pthread_join(id, NULL);
	interrupted();
	return unwinds_failed;
}

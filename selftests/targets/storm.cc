// SPDX-License-Identifier: GPL-2.0
/*
 * 10,000 signals a second, as long as it takes: handlers that throw and catch, that interrupt
 * who does, and that look at their stack while another thread throws.
 *
 * None looks at a stack that is being unwound: as libgcc leaves it for the handler its own
 * tables are wrong for some instructions.
 */
#include <csignal>
#include <cstdio>
#include <execinfo.h>
#include <sys/time.h>
#include <thread>

#include "throws.h"
#include "unwinds.h"

static volatile long handled, wrong;

FRAME static long busy_frame(long frames, long value)
{
	long sum = frames ? busy_frame(frames - 1, value + 1) : value;

	KEEP;
	return sum + 1;
}

/* They allocate memory, so what they interrupt must not. */
static void on_alarm_throw(int)
{
	wrong = wrong | throws_through(handled % 20) | throws_in_cleanup(handled % 3);
	handled = handled + 1;
}

static void on_alarm_compute(int)
{
	wrong = wrong | (busy_frame(handled % 20, 0) != 2 * (handled % 20) + 1);
	handled = handled + 1;
}

static void on_alarm_look(int)
{
	void *frame[100];

	wrong = wrong | (backtrace(frame, 100) < 2);
	handled = handled + 1;
}

static void storm(void (*handler)(int), void (*work)(), long times)
{
	const itimerval every = { { 0, 100 }, { 0, 100 } }, never = {};

	handled = 0;
	std::signal(SIGALRM, handler);
	setitimer(ITIMER_REAL, &every, nullptr);
	while (handled < times)
		work();
	setitimer(ITIMER_REAL, &never, nullptr);
}

static void compute()
{
	for (long i = 0; i < 100; i++)
		CHECK(busy_frame(i % 20, i) == i + 2 * (i % 20) + 1);
}

static void throw_often()
{
	for (int i = 0; i < 20; i++)
		CHECK(!throws_through(i));
}

static volatile bool enough;

static void throw_until_enough()
{
	while (!enough)
		throw_often();
}

/* The signals are for the thread that computes. */
static std::thread start_throwing()
{
	sigset_t alarm, before;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarm, &before);
	std::thread thread(throw_until_enough);
	pthread_sigmask(SIG_SETMASK, &before, nullptr);
	return thread;
}

int main()
{
	const long times = scaled(20000);
	void *frame[1];

	/* They get ready where nobody is interrupted. */
	backtrace(frame, 1);
	throw_often();
	storm(on_alarm_throw, compute, times);
	storm(on_alarm_compute, throw_often, times);
	std::thread thrower = start_throwing();
	storm(on_alarm_look, compute, times);
	enough = true;
	thrower.join();
	CHECK(!wrong);
	std::printf("%ld of each handled\n", times);
	return unwinds_failed;
}

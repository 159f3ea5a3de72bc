// SPDX-License-Identifier: GPL-2.0
/*
 * Threads in C that are cancelled, or end themselves, in frames that have pushed cleanups:
 * these are reached by longjmp(), or with -fexceptions by unwinding.
 */
#include <pthread.h>
#include <stdint.h>

#include "unwinds.h"

static void (*volatile leave_thread)(void *) = pthread_exit;
static pthread_barrier_t there;
static __thread long cleaned;
static long cleaned_by_last;

static void count(void *frames)
{
	/* The innermost first. */
	CHECK((long)(intptr_t)frames == cleaned);
	cleaned++;
	cleaned_by_last = cleaned;
}

FRAME static void wait_until_cancelled(void)
{
	pthread_barrier_wait(&there);
	for (;;)
		usleep(1000);
}

FRAME static void end_itself(void)
{
	leave_thread((void *)7);
	KEEP;
}

static void (*volatile innermost)(void);

FRAME static int frame(long frames)
{
	volatile int value = 0;

	pthread_cleanup_push(count, (void *)(intptr_t)frames);
	if (frames)
		value = frame(frames - 1);
	else
		innermost();
	pthread_cleanup_pop(0);
	KEEP;
	return value + 1;
}

static void *run(void *frames)
{
	frame((long)(intptr_t)frames);
	return NULL;
}

static void *end_of(void (*how)(void), long frames, int cancel)
{
	pthread_t thread;
	void *result;

	innermost = how;
	cleaned_by_last = 0;
	pthread_create(&thread, NULL, run, (void *)(intptr_t)frames);
	if (cancel) {
		pthread_barrier_wait(&there);
		CHECK(!pthread_cancel(thread));
	}
	pthread_join(thread, &result);
	CHECK(cleaned_by_last == frames + 1);
	return result;
}

int main(void)
{
	const long times = scaled(1000);

	pthread_barrier_init(&there, NULL, 2);
	for (long i = 0; i < times; i++) {
		CHECK(end_of(wait_until_cancelled, i % 50, 1) == PTHREAD_CANCELED);
		CHECK(end_of(end_itself, i % 50, 0) == (void *)7);
	}
	CHECK(end_of(wait_until_cancelled, 1000, 1) == PTHREAD_CANCELED);
	CHECK(end_of(end_itself, 1000, 0) == (void *)7);
	printf("%ld threads of each kind ended\n", times);
	return unwinds_failed;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that are cancelled, wherever they are or where they look at it, and threads that
 * end themselves, in frames that have something to destroy, catch all, or push cleanups.
 */
#include <cstdio>
#include <pthread.h>
#include <string>

#include "unwinds.h"

static thread_local std::string *order;
static pthread_barrier_t there;
/* The compiler must not see that it doesn't come back. */
static void (*volatile leave_thread)(void *) = pthread_exit;
static volatile unsigned long counter;

struct numbered {
	int number;

	~numbered()
	{
		*order += std::to_string(number) + ' ';
	}
};

static void pushed(void *number)
{
	*order += '(' + std::to_string(reinterpret_cast<long>(number)) + ") ";
}

FRAME static void spin_a_little(unsigned long turns)
{
	for (unsigned long i = 0; i < turns; i++)
		counter = counter + i;
	KEEP;
}

/* It has nothing to destroy: who is cancelled in it may be anywhere. */
FRAME static void spin()
{
	for (;;)
		spin_a_little(counter % 7);
}

FRAME static void wait_until_cancelled()
{
	pthread_barrier_wait(&there);
	for (;;)
		usleep(1000);
}

FRAME static void wait_to_be_cancelled_anywhere()
{
	int before;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &before);
	pthread_barrier_wait(&there);
	spin();
}

FRAME static void end_itself()
{
	leave_thread(reinterpret_cast<void *>(7));
	KEEP;
}

static void (*volatile innermost)();

FRAME static int frame(int frames)
{
	numbered numbered = { frames };
	int value = 0;

	if (!frames) {
		innermost();
		return 0;
	}
	if (frames % 3 == 0) {
		try {
			value = frame(frames - 1);
		} catch (...) {
			*order += "all ";
			throw;
		}
	} else if (frames % 3 == 1) {
		pthread_cleanup_push(pushed, reinterpret_cast<void *>(frames));
		value = frame(frames - 1);
		pthread_cleanup_pop(0);
	} else {
		value = frame(frames - 1);
	}
	KEEP;
	return value + 1;
}

static std::string expected(int frames)
{
	std::string all;

	for (int i = 0; i <= frames; i++) {
		if (i && i % 3 == 0)
			all += "all ";
		if (i % 3 == 1)
			all += '(' + std::to_string(i) + ") ";
		all += std::to_string(i) + ' ';
	}
	return all;
}

struct job {
	int frames;
	std::string order;
};

static void *run(void *arg)
{
	auto *job = static_cast<struct job *>(arg);

	order = &job->order;
	frame(job->frames);
	*order += "returned";
	return nullptr;
}

static void *end_of(void (*how)(), int frames, bool cancel)
{
	job job = { frames, {} };
	pthread_t thread;
	void *result;

	innermost = how;
	pthread_create(&thread, nullptr, run, &job);
	if (cancel) {
		pthread_barrier_wait(&there);
		usleep(frames * 7 % 300);
		CHECK(!pthread_cancel(thread));
	}
	pthread_join(thread, &result);
	if (job.order != expected(frames))
		std::printf("%d frames: %s\n", frames, job.order.c_str());
	CHECK(job.order == expected(frames));
	return result;
}

int main()
{
	const int times = static_cast<int>(scaled(1000));

	pthread_barrier_init(&there, nullptr, 2);
	for (int i = 0; i < times; i++) {
		CHECK(end_of(wait_until_cancelled, i % 50, true) == PTHREAD_CANCELED);
		CHECK(end_of(wait_to_be_cancelled_anywhere, i % 50, true) == PTHREAD_CANCELED);
		CHECK(end_of(end_itself, i % 50, false) == reinterpret_cast<void *>(7));
	}
	CHECK(end_of(wait_until_cancelled, 1000, true) == PTHREAD_CANCELED);
	CHECK(end_of(end_itself, 1000, false) == reinterpret_cast<void *>(7));
	std::printf("%d threads of each kind ended\n", times);
	return unwinds_failed;
}

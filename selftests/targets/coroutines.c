// SPDX-License-Identifier: GPL-2.0
/*
 * Coroutines, on stacks from malloc(): each is resumed in the middle of its calls, those
 * with the higher stack by those with the lower one and the other way round, by other threads
 * than before, and many are freed before they end.
 */
#include <pthread.h>
#include <string.h>
#include <ucontext.h>

#include "unwinds.h"

#define STACK 32768

struct coroutine {
	ucontext_t self, resumer;
	long got, ended;
	int depth;
};

/* makecontext() has ints only to pass. */
static __thread struct coroutine *entering;

/* Another thread may go on here: nothing of the thread may be kept in a register. */
FRAME static void yield(struct coroutine *coroutine, long value)
{
	coroutine->got = value;
	swapcontext(&coroutine->self, &coroutine->resumer);
	KEEP;
}

FRAME static long resume(struct coroutine *coroutine)
{
	entering = coroutine;
	swapcontext(&coroutine->resumer, &coroutine->self);
	KEEP;
	return coroutine->got;
}

/* Yields at each depth, on the way down and on the way back. */
FRAME static long walk(struct coroutine *coroutine, int depth)
{
	long sum;

	yield(coroutine, depth);
	if (depth == coroutine->depth)
		return 1;
	sum = walk(coroutine, depth + 1);
	yield(coroutine, -depth);
	return sum + 1;
}

static void body(void)
{
	struct coroutine *coroutine = entering;

	CHECK(walk(coroutine, 0) == coroutine->depth + 1);
	coroutine->ended = 1;
	yield(coroutine, 1000);
}

static void begin(struct coroutine *coroutine, char *stack, int depth)
{
	memset(coroutine, 0, sizeof(*coroutine));
	coroutine->depth = depth;
	getcontext(&coroutine->self);
	coroutine->self.uc_stack.ss_sp = stack;
	coroutine->self.uc_stack.ss_size = STACK;
	makecontext(&coroutine->self, body, 0);
}

static long expected(const struct coroutine *coroutine, long turn)
{
	long depth = coroutine->depth;

	if (turn <= depth)
		return turn;
	return turn <= 2 * depth ? turn - 2 * depth : 1000;
}

/* ---- two, whose stacks lie both ways ------------------------------------------------ */

FRAME static void alternate(struct coroutine *one, struct coroutine *other)
{
	for (long turn = 0; turn <= 2 * one->depth + 1; turn++) {
		CHECK(resume(one) == expected(one, turn));
		CHECK(resume(other) == expected(other, turn));
	}
	CHECK(one->ended && other->ended);
}

static void both_ways(void)
{
	char *low = malloc(2 * STACK), *high = low + STACK;
	struct coroutine one, other;

	for (int i = 0; i < 20; i++) {
		begin(&one, i % 2 ? low : high, i);
		begin(&other, i % 2 ? high : low, i);
		alternate(&one, &other);
	}
	free(low);
	puts("both ways");
}

/* ---- one that resumes another --------------------------------------------------------- */

static struct coroutine outer, inner;

FRAME static void outer_frame(int frames)
{
	if (frames) {
		outer_frame(frames - 1);
	} else {
		for (long turn = 0; turn <= 2 * inner.depth + 1; turn++) {
			CHECK(resume(&inner) == expected(&inner, turn));
			yield(&outer, turn);
		}
	}
	KEEP;
}

static void outer_body(void)
{
	outer_frame(10);
	outer.ended = 1;
	yield(&outer, -1);
}

static void nested(void)
{
	char *low = malloc(2 * STACK), *high = low + STACK;

	for (int i = 0; i < 10; i++) {
		begin(&inner, i % 2 ? low : high, i);
		begin(&outer, i % 2 ? high : low, 0);
		makecontext(&outer.self, outer_body, 0);
		for (long turn = 0; turn <= 2 * inner.depth + 1; turn++)
			CHECK(resume(&outer) == turn);
		CHECK(resume(&outer) == -1 && outer.ended && inner.ended);
	}
	free(low);
	puts("nested");
}

/* ---- in other threads ------------------------------------------------------------------- */

#define MANY 16

static struct coroutine moving[MANY];
static long turn_of_all;

static void *resume_all(void *wrong)
{
	for (int i = 0; i < MANY; i++)
		*(long *)wrong += resume(&moving[i]) != expected(&moving[i], turn_of_all);
	return NULL;
}

static void moved(void)
{
	char *stacks = malloc(MANY * STACK);
	long wrong = 0;
	pthread_t id;

	for (int i = 0; i < MANY; i++)
		begin(&moving[i], stacks + i * STACK, 20);
	/* Each turn by a thread of its own, and some by this one. */
	for (turn_of_all = 0; turn_of_all <= 41; turn_of_all++) {
		if (turn_of_all % 5 == 0) {
			resume_all(&wrong);
			continue;
		}
		pthread_create(&id, NULL, resume_all, &wrong);
		pthread_join(id, NULL);
	}
	for (int i = 0; i < MANY; i++)
		CHECK(moving[i].ended);
	CHECK(!wrong);
	free(stacks);
	puts("moved");
}

/* ---- freed before they end ----------------------------------------------------------------- */

FRAME static void abandon(long number)
{
	struct coroutine coroutine;
	char *stack = malloc(STACK);

	begin(&coroutine, stack, 20);
	for (long turn = 0; turn < 3 + number % 30; turn++)
		CHECK(resume(&coroutine) == expected(&coroutine, turn));
	/* What comes next there is something else. */
	memset(stack, 0x5a, STACK);
	free(stack);
	KEEP;
}

static void abandoned(void)
{
	const long times = scaled(50000);
	long resident;

	for (long i = 0; i < 1000 && i < times; i++)
		abandon(i);
	resident = resident_kib();
	for (long i = 0; i < times; i++)
		abandon(i);
	CHECK(resident_kib() < resident + BOUND_KIB);
	printf("%ld abandoned\n", times);
}

int main(void)
{
	both_ways();
	nested();
	moved();
	abandoned();
	return unwinds_failed;
}

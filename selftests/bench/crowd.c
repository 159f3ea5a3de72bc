// SPDX-License-Identifier: GPL-2.0
/*
 * A program to attach to: 10,000 functions "crowd_NUMBER", and 100 threads
 * that call them in turn, and look at the clock before each turn. The longest time
 * between two looks is how long a thread was kept from running.
 *
 * Each line on stdin is answered: "reset" begins anew, "gap" tells the longest time
 * so far, in ns, all else the number of turns.
 */

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "series.h"

#define THREADS 100
#define CALLS_A_TURN 20

static volatile long crowd_words[64];

/* About as long as functions are in the middle: 100 bytes and more. */
#define FUNCTION(n)								\
	__attribute__((noinline, noclone)) static long crowd_##n(long x)	\
	{									\
		long y = crowd_words[x & 63] * (n + 3);				\
										\
		for (long i = x & 3; i >= 0; i--)				\
			y = (y ^ (y >> 7)) + crowd_words[(y + i) & 63];		\
		if (y == n)							\
			crowd_words[n & 63] = y + crowd_words[(x + 1) & 63];	\
		return y + x + n;						\
	}

#define TEN(do, n)								\
	do(n##0) do(n##1) do(n##2) do(n##3) do(n##4)				\
	do(n##5) do(n##6) do(n##7) do(n##8) do(n##9)
#define HUNDRED(do, n)								\
	TEN(do, n##0) TEN(do, n##1) TEN(do, n##2) TEN(do, n##3) TEN(do, n##4)	\
	TEN(do, n##5) TEN(do, n##6) TEN(do, n##7) TEN(do, n##8) TEN(do, n##9)
#define THOUSAND(do, n)								\
	HUNDRED(do, n##0) HUNDRED(do, n##1) HUNDRED(do, n##2) HUNDRED(do, n##3)	\
	HUNDRED(do, n##4) HUNDRED(do, n##5) HUNDRED(do, n##6) HUNDRED(do, n##7)	\
	HUNDRED(do, n##8) HUNDRED(do, n##9)
/* A number that began with 0 would be octal. */
#define ALL(do)									\
	THOUSAND(do, 1) THOUSAND(do, 2) THOUSAND(do, 3) THOUSAND(do, 4)		\
	THOUSAND(do, 5) THOUSAND(do, 6) THOUSAND(do, 7) THOUSAND(do, 8)		\
	THOUSAND(do, 9) THOUSAND(do, 10)

#define POINTER(n) crowd_##n,

ALL(FUNCTION)

static long (*const functions[])(long) = { ALL(POINTER) };

#define NR_FUNCTIONS (sizeof(functions) / sizeof(functions[0]))

/* ---- threads ---------------------------------------------------------------------- */

static atomic_long generation, turns;

struct member {
	pthread_t thread;
	size_t next;			/* function */
	long generation;
	double looked;
	_Atomic double gap;
};

static struct member members[THREADS];

static void look(struct member *member)
{
	double now = series_wall_ns();
	long current = atomic_load(&generation);

	if (member->generation != current)
		member->gap = 0;
	else if (now - member->looked > member->gap)
		member->gap = now - member->looked;
	member->generation = current;
	member->looked = now;
}

static void *run(void *arg)
{
	struct member *member = arg;

	for (;;) {
		look(member);
		for (int i = 0; i < CALLS_A_TURN; i++)
			functions[member->next++ % NR_FUNCTIONS](i);
		atomic_fetch_add(&turns, 1);
		sched_yield();
	}
	return NULL;
}

static double longest_gap(void)
{
	double gap = 0;

	for (int i = 0; i < THREADS; i++) {
		if (members[i].generation == generation && members[i].gap > gap)
			gap = members[i].gap;
	}
	return gap;
}

static void answer(const char *line)
{
	if (!strcmp(line, "reset\n"))
		generation++;
	if (!strcmp(line, "gap\n"))
		printf("%.0f\n", longest_gap());
	else
		printf("%ld\n", turns);
}

int main(void)
{
	char line[64];

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < THREADS; i++) {
		members[i].next = i * NR_FUNCTIONS / THREADS;
		pthread_create(&members[i].thread, NULL, run, &members[i]);
	}
	while (fgets(line, sizeof(line), stdin))
		answer(line);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz [-n SEQUENCES] [-t SECONDS] [-s SEED[:FIRST]] [FILE...]
 *
 * Sequences of instructions, at random and cut out of FILEs, are planned as the
 * product plans functions, and run as they are and patched, from the same states.
 * All must end alike. A difference says how to come to it again, with the same FILEs.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "batch.h"
#include "sandbox.h"
#include "show.h"

#define NR_SOURCES_MAX	64
/* With less than that, some class may have had no chance. */
#define COMPLETE_FROM	20000

struct options {
	uint64_t nr, first;
	double seconds;
	struct recipe recipe;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int usage(void)
{
	fprintf(stderr, "usage: fuzz [-n SEQUENCES] [-t SECONDS] [-s SEED[:FIRST]] [FILE...]\n");
	return 2;
}

static void parse_seed(struct options *options, const char *text)
{
	char *end;

	options->recipe.seed = strtoull(text, &end, 0);
	if (*end == ':')
		options->first = strtoull(end + 1, NULL, 0);
}

static bool parse_option(struct options *options, int option)
{
	switch (option) {
	case 'n':
		options->nr = strtoull(optarg, NULL, 0);
		return true;
	case 't':
		options->seconds = strtod(optarg, NULL);
		return true;
	case 's':
		parse_seed(options, optarg);
		return true;
	default:
		return false;
	}
}

static void open_sources(struct recipe *recipe, char **path)
{
	static struct source source[NR_SOURCES_MAX];
	struct instr_err err;

	recipe->source = source;
	for (; *path && recipe->nr_sources < NR_SOURCES_MAX; path++) {
		if (source_open(&source[recipe->nr_sources], *path, &err))
			printf("# %s\n", err.text);
		else
			recipe->nr_sources++;
	}
}

/* Batches begin at multiples of BATCH_MAX, so that each is the same in any run. */
static size_t batch_len(const struct options *options, uint64_t done)
{
	uint64_t left = options->nr - done;
	uint64_t room = BATCH_MAX - (options->first + done) % BATCH_MAX;

	return (size_t)(left < room ? left : room);
}

static bool check_batch(const struct options *options, uint64_t done, size_t nr,
			struct tally *tally)
{
	static struct difference difference;
	static struct batch batch;
	struct instr_err err;
	bool good = false;

	if (batch_create(&batch, &options->recipe, options->first + done, nr, &err)) {
		printf("# %s\n", err.text);
	} else {
		good = sandbox_check(&batch, tally, &difference);
		if (difference.what)
			show_difference(&batch, &difference);
	}
	batch_destroy(&batch);
	return good;
}

static bool check_all(const struct options *options, struct tally *tally, uint64_t *done)
{
	double end = now() + options->seconds;
	bool good = true;

	while (good && *done < options->nr && (!options->seconds || now() < end)) {
		size_t nr = batch_len(options, *done);

		good = check_batch(options, *done, nr, tally);
		*done += nr;
	}
	return good;
}

static void report(const struct options *options, const struct tally *tally, bool good,
		   double seconds)
{
	struct tally_class sum = tally_sum(tally);

	tally_print(tally);
	printf("%sok 1 - %llu sequences, %llu entered, %llu entered inside, %.0f a second, "
	       "seed %llu\n1..1\n",
	       good ? "" : "not ", (unsigned long long)sum.sequences,
	       (unsigned long long)sum.entries, (unsigned long long)sum.insides,
	       (double)sum.sequences / seconds, (unsigned long long)options->recipe.seed);
}

int main(int argc, char **argv)
{
	struct options options = { .nr = 200000, .recipe.seed = 1 };
	static struct tally tally;
	double start = now();
	uint64_t done = 0;
	int option;
	bool good;

	while ((option = getopt(argc, argv, "n:t:s:")) != -1) {
		if (!parse_option(&options, option))
			return usage();
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	open_sources(&options.recipe, argv + optind);
	good = check_all(&options, &tally, &done);
	if (good && done >= COMPLETE_FROM)
		good = tally_is_complete(&tally, options.recipe.nr_sources);
	report(&options, &tally, good, now() - start);
	return !good;
}

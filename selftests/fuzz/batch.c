// SPDX-License-Identifier: GPL-2.0
#include "batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "class.h"
#include "random.h"

#define PAGE		4096
#define INSIDE_EVERY	16
#define FIXED_EVERY	4
#define FAR_EVERY	5

int64_t space_away;

/* All that instr_distances() may list. */
static const struct instr_distance anywhere[] = {
	{ 0xcc, 0xe8 }, { 0xcc, 0 }, { 0xea, 0 }, { 0xd6, 0 }, { 0x06, 0 }, { 0x0e, 0 },
	{ 0x16, 0 }, { 0x1e, 0 }, { 0x3f, 0 }, { 0x60, 0 },
};
static const struct instr_distance fixed[] = {
	{ 0x61, 0 }, { 0x60, 0 }, { 0x3f, 0 }, { 0x37, 0 }, { 0x2f, 0 }, { 0x27, 0 }, { 0x1f, 0 },
};

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* What a batch is like depends on its number alone. */
static void batch_init(struct batch *batch, const struct recipe *recipe, uint64_t first)
{
	uint64_t turn = first / BATCH_MAX;

	memset(batch, 0, sizeof(*batch));
	batch->fd = -1;
	batch->seed = recipe->seed;
	batch->first = first;
	batch->inside = turn % INSIDE_EVERY == INSIDE_EVERY - 1;
	batch->fixed = turn % FIXED_EVERY == 1;
	batch->base = batch->fixed ? BASE_FIXED : BASE_ANYWHERE;
}

/* Half of the files that lie anywhere are as most are; each distance has a turn. */
static struct instr_distance batch_choose_distance(const struct batch *batch)
{
	uint64_t turn = batch->first / BATCH_MAX;

	if (batch->fixed)
		return fixed[turn / FIXED_EVERY % NR(fixed)];
	return turn % 2 ? anywhere[turn / 2 % NR(anywhere)] : anywhere[0];
}

/*
 * On the other side of the text than the slab, in two of five turns, so that it comes
 * to be with each distance. A program at its own address can't be so far from zero.
 */
static int64_t batch_choose_away(const struct batch *batch, uint8_t top)
{
	if (batch->fixed || batch->first / BATCH_MAX % FAR_EVERY < FAR_EVERY - 2)
		return 0;
	return top & 0x80 ? SPACE_AWAY : -SPACE_AWAY;
}

/* ---- making sequences ------------------------------------------------------- */

static bool generate_real(struct sequence *sequence, const struct recipe *recipe,
			  struct random *random)
{
	size_t n;

	if (!recipe->nr_sources || random_percent(random, 50))
		return false;
	n = random_below(random, (unsigned int)recipe->nr_sources);
	return cut_generate(sequence, &recipe->source[n], random);
}

/* Most functions are aligned; some stand close, and some across two pages. */
static size_t choose_gap(const struct batch *batch, const struct sequence *sequence,
			 struct random *random)
{
	size_t at = batch->text_len;

	if (random_percent(random, 1) && sequence->len > 5)
		return -(at + 1 + random_below(random, 6)) % PAGE;
	if (random_percent(random, 15))
		return random_below(random, 3);
	return -at % 16;
}

/* What linkers put between functions. */
static void fill_gap(uint8_t *bytes, size_t len, struct random *random)
{
	memset(bytes, random_percent(random, 50) ? 0x90 : 0xcc, len);
}

/* In a loop it would be counted more than once. */
static uint8_t choose_place(const struct batch *batch, const struct sequence *sequence,
			    struct random *random)
{
	if (!batch->inside || sequence->loops)
		return 0;
	return sequence->insn_at[random_below(random, sequence->nr_insns)];
}

static void batch_add(struct batch *batch, struct sequence *sequence, struct random *random)
{
	size_t gap = choose_gap(batch, sequence, random), at = batch->text_len + gap;
	int64_t position = SPACE_TEXT + (int64_t)at;

	fill_gap(batch->text + batch->text_len, gap, random);
	sequence_settle(sequence, position);
	memcpy(batch->text + at, sequence->bytes, sequence->len);
	batch->text_len = at + sequence->len;
	batch->class[batch->nr] = (uint8_t)sequence->class;
	batch->loops[batch->nr] = sequence->loops;
	batch->place[batch->nr] = choose_place(batch, sequence, random);
	batch->function[batch->nr++] = (struct elf_function){ (uint64_t)position, sequence->len };
}

static void batch_generate(struct batch *batch, const struct recipe *recipe, uint64_t n)
{
	struct random random = random_stream(recipe->seed, n);
	struct sequence sequence;

	if (!generate_real(&sequence, recipe, &random))
		class_generate(&sequence, CLASS_RANDOM + random_below(&random, nr_classes -
								      CLASS_RANDOM),
			       &random, batch->base);
	batch_add(batch, &sequence, &random);
}

/* ---- planning them ---------------------------------------------------------- */

static int batch_open(struct batch *batch, struct instr_err *err)
{
	char path[64];

	batch->fd = elf_create(batch->text, batch->text_len, batch->function, batch->nr,
			       batch->fixed);
	if (batch->fd < 0)
		return instr_fail(err, -ENOMEM, "no memory for a file");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", batch->fd);
	return instr_file_open(path, &batch->file, err);
}

int batch_plan(struct batch *batch, struct instr_distance distance, struct instr_err *err)
{
	static struct instr_place place[BATCH_MAX];
	int code = batch_open(batch, err);

	if (code)
		return code;
	for (size_t i = 0; i < batch->nr; i++)
		place[i] = (struct instr_place){ .func = i, .at = batch->place[i] };
	return instr_plan_create(batch->file, place, batch->nr, distance, &batch->plan, err);
}

int batch_create(struct batch *batch, const struct recipe *recipe, uint64_t first, size_t nr,
		 struct instr_err *err)
{
	struct instr_distance distance;

	batch_init(batch, recipe, first);
	distance = batch_choose_distance(batch);
	space_away = batch_choose_away(batch, distance.top);
	batch->text = malloc(SPACE_TEXT_MAX);
	if (!batch->text)
		return instr_fail(err, -ENOMEM, "no memory for the text");
	for (uint64_t n = first; batch->nr < nr; n++)
		batch_generate(batch, recipe, n);
	return batch_plan(batch, distance, err);
}

void batch_destroy(struct batch *batch)
{
	instr_plan_destroy(batch->plan);
	instr_file_close(batch->file);
	if (batch->fd >= 0)
		close(batch->fd);
	free(batch->text);
}

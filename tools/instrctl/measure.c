// SPDX-License-Identifier: GPL-2.0
/*
 * Measurements: the times of each slab, and what became of the calls with no exit.
 *
 * Times may be gigabytes, nearly all of which was never written to: what is zero gets
 * no memory here either.
 */

#include "measure.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "inside.h"
#include "libinstr/array.h"
#include "libinstr/timing.h"
#include "say.h"

#define PAGE		4096
#define PIECE_LEN	(4UL << 20)	/* of what is read at once */
#define PIECE_BLOCKS	(PIECE_LEN / TIMING_BLOCK_LEN)

struct measure {
	struct count *count;
	const struct targets *targets;
	struct result_space *space;
	bool execed;
	uint8_t *piece;		/* of PIECE_LEN */
	uint8_t *frames;	/* TIMING_FRAMES bytes: what lies before the blocks */
	size_t nr_slabs;
	struct inside_slab *slab;
	uint64_t *ended;	/* by function: see struct inside_slab */
	uint32_t *record;	/* the same */
};

static uint8_t *map_sparse(size_t len)
{
	void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		out_of_memory();
	return memory;
}

/* ---- what is read ---------------------------------------------------------- */

/* Of the times of a slab or, with no overlay, the frames. */
struct region {
	uint32_t overlay_id;
	uint32_t slab;
	uint64_t address;	/* in the process */
	uint8_t *bytes;
};

static bool is_zero(const uint8_t *bytes, size_t len)
{
	return !bytes[0] && !memcmp(bytes, bytes + 1, len - 1);
}

static void copy_pages(uint8_t *to, const uint8_t *from, size_t len)
{
	for (size_t at = 0; at < len; at += PAGE) {
		size_t part = len - at < PAGE ? len - at : PAGE;

		if (!is_zero(from + at, part))
			memcpy(to + at, from + at, part);
	}
}

static int read_range(const struct measure *measure, struct region *region,
		      uint64_t offset, uint64_t len, struct instr_err *err)
{
	uint64_t part;
	int code = 0;

	for (; len && !code; offset += part, len -= part) {
		part = len < PIECE_LEN ? len : PIECE_LEN;
		code = instr_dev_times_read(measure->count->dev, measure->space->id,
					    region->overlay_id, region->slab, offset, part,
					    measure->piece, &region->address, err);
		if (!code)
			copy_pages(region->bytes + offset, measure->piece, part);
	}
	return code;
}

static struct timing_head head_of(const struct measure *measure)
{
	struct timing_head head;

	memcpy(&head, measure->frames + TIMING_HEAD, sizeof(head));
	return head;
}

static struct instr_unwinds unwinds_of(const struct measure *measure)
{
	struct instr_unwinds unwinds;

	memcpy(&unwinds, measure->frames + INSTR_UNWINDS_AT, sizeof(unwinds));
	return unwinds;
}

/*
 * Threads, head, and as many groups of buckets as were given; the number says the process.
 * -ENXIO: there are none.
 */
static int read_frames(struct measure *measure, struct instr_err *err)
{
	struct region frames = { .bytes = measure->frames };
	uint64_t given;
	int code = read_range(measure, &frames, 0, TIMING_PAGES, err);

	if (code)
		return code;
	given = head_of(measure).nr_groups;
	if (given > TIMING_GROUPS_MAX)
		given = TIMING_GROUPS_MAX;
	measure->space->missed = head_of(measure).missed;
	measure->space->missed_known = true;
	measure->space->unwinds = unwinds_of(measure);
	/* One begins at the last of all. */
	return read_range(measure, &frames, TIMING_GROUPS_AT, (given + 1) * TIMING_GROUP_LEN, err);
}

/* ---- the times of a slab --------------------------------------------------- */

static void add_function(const struct measure *measure, const struct instr_plan *plan,
			 const struct instr_plan_site *site, size_t number,
			 const uint8_t *bytes)
{
	struct result_times **at = &measure->space->times[number];
	struct result_times *times;

	if (site->how == INSTR_HOW_REFUSED)
		return;
	times = *at ?: allocate(1, sizeof(*times));
	instr_times_add(&times->times, plan, site, bytes, measure->frames);
	if (!*at && !times->times.calls)
		free(times);
	else
		*at = times;
}

static void add_slab(struct measure *measure, const struct target *target,
		     const struct instr_plan *plan, const struct region *times)
{
	const struct inside_slab slab = {
		.start = times->address,
		.record = measure->record + target->first,
		.nr = target->nr,
		.ended = measure->ended + target->first,
	};

	if (!ARRAY_PUSH(measure->slab, measure->nr_slabs, slab))
		out_of_memory();
	for (size_t i = 0; i < target->nr; i++)
		add_function(measure, plan, instr_plan_place(plan, i), target->first + i,
			     times->bytes);
}

/* -ENXIO: there is no such slab. */
static int measure_slab(struct measure *measure, const struct target *target, size_t alternative,
			uint32_t number, struct instr_err *err)
{
	const struct instr_plan *plan = target->plan[alternative];
	struct region times = {
		.overlay_id = target->overlay_id[alternative],
		.slab = number,
	};
	int code;

	times.bytes = map_sparse(plan->times_len);
	code = read_range(measure, &times, 0, plan->times_len, err);
	if (!code)
		add_slab(measure, target, plan, &times);
	munmap(times.bytes, plan->times_len);
	return code;
}

static int measure_target(struct measure *measure, const struct target *target,
			  struct instr_err *err)
{
	int code = 0;

	for (size_t i = 0; i < target->nr; i++)
		measure->record[target->first + i] = target_site(target, i)->record;
	for (size_t i = 0; i < target->nr_plans && target->nr; i++) {
		for (uint32_t slab = 0; !code; slab++)
			code = measure_slab(measure, target, i, slab, err);
		if (code != -ENXIO)
			return code;
		code = 0;
	}
	return 0;
}

/* ---- what became of the others --------------------------------------------- */

static struct result_times *next_times(const struct measure *measure, size_t *number)
{
	while (*number < measure->targets->nr_sites) {
		struct result_times *times = measure->space->times[(*number)++];

		if (times)
			return times;
	}
	return NULL;
}

/* What is left over, of all functions. */
static uint64_t finish_times(const struct measure *measure)
{
	struct result_times *times;
	uint64_t left = 0;

	for (size_t i = 0; (times = next_times(measure, &i));) {
		inside_check(&times->times);
		times->finished = times->times.calls - times->times.exits[INSTR_EXIT_INSIDE];
		if (times->times.self > times->times.total)
			times->times.self = 0;
		left += times->times.exits[INSTR_EXIT_INSIDE];
	}
	return left;
}

static void settle_gone(const struct measure *measure)
{
	enum instr_exit exit = measure->execed ? INSTR_EXIT_EXEC : INSTR_EXIT_THREAD;
	struct result_times *times;

	for (size_t i = 0; (times = next_times(measure, &i));)
		inside_settle(&times->times, exit, UINT64_MAX);
}

static void settle_live(const struct measure *measure)
{
	struct result_times *times;

	for (size_t i = 0; (times = next_times(measure, &i));)
		inside_settle(&times->times, INSTR_EXIT_THREAD, measure->ended[i - 1]);
}

static int add_blocks(const struct measure *measure, struct inside *inside, uint64_t nr,
		      struct instr_err *err)
{
	uint64_t part, address;
	int code = 0;

	if (nr > TIMING_BLOCKS)
		nr = TIMING_BLOCKS;
	for (uint64_t at = 0; at < nr && !code; at += part) {
		part = nr - at < PIECE_BLOCKS ? nr - at : PIECE_BLOCKS;
		code = instr_dev_times_read(measure->count->dev, measure->space->id, 0, 0,
					    TIMING_FRAMES + at * TIMING_BLOCK_LEN,
					    part * TIMING_BLOCK_LEN, measure->piece, &address,
					    err);
		if (!code)
			inside_add(inside, measure->piece, part * TIMING_BLOCK_LEN);
	}
	return code;
}

/* -ENXIO: there is no thread any more. */
static int search_frames(struct measure *measure, struct instr_err *err)
{
	struct inside *inside = allocate(1, sizeof(*inside));
	uint64_t *fs_base = NULL;
	size_t nr = 0;
	int code = instr_dev_threads_read(measure->count->dev, measure->space->id, &fs_base,
					  &nr, err);

	if (!code && !nr)
		code = -ENXIO;
	if (!code) {
		inside_init(inside, measure->slab, measure->nr_slabs,
			    (const struct instr_thread *)measure->frames, fs_base, nr);
		code = add_blocks(measure, inside, head_of(measure).nr_blocks, err);
	}
	free(fs_base);
	free(inside);
	return code;
}

/*
 * Threads tell whether the process is still there: a space that was detached is called
 * gone, but they are not. Of one that is sampled the last word is not spoken.
 */
static int settle(struct measure *measure, uint64_t left, struct instr_err *err)
{
	int code = left ? search_frames(measure, err) : 0;

	if (code == -ENXIO && !measure->space->sampled)
		settle_gone(measure);
	else if (!code)
		settle_live(measure);
	return code == -ENXIO ? 0 : code;
}

int measure_read(struct count *count, const struct targets *targets,
		 struct result_space *space, bool execed, struct instr_err *err)
{
	struct measure measure = {
		.count = count,
		.targets = targets,
		.space = space,
		.execed = execed,
		.piece = allocate(PIECE_LEN, 1),
		.ended = allocate(targets->nr_sites, sizeof(uint64_t)),
		.record = allocate(targets->nr_sites, sizeof(uint32_t)),
	};
	int code;

	space->times = allocate(targets->nr_sites, sizeof(*space->times));
	measure.frames = map_sparse(TIMING_FRAMES);
	code = read_frames(&measure, err);
	if (code == -ENXIO)
		code = 0;
	for (size_t i = 0; i < targets->nr && !code; i++)
		code = measure_target(&measure, &targets->target[i], err);
	if (!code)
		code = settle(&measure, finish_times(&measure), err);
	free(measure.slab);
	free(measure.ended);
	free(measure.record);
	free(measure.piece);
	munmap(measure.frames, TIMING_FRAMES);
	return code;
}

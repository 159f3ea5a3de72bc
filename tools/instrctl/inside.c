// SPDX-License-Identifier: GPL-2.0
/*
 * Inside: see inside.h.
 */

#include "inside.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "libinstr/array.h"
#include "libinstr/timing.h"

/* Of a function: one for each lane. */
#define RECORDS_LEN (INSTR_LANES * sizeof(struct timing_record))

/* ---- whose stacks there are ------------------------------------------------ */

static int compare_numbers(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int compare_stacks(const void *a, const void *b)
{
	const struct inside_stack *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static int compare_slabs(const void *a, const void *b)
{
	const struct inside_slab *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static void sort(void *array, size_t nr, size_t size, int (*compare)(const void *, const void *))
{
	if (nr)
		qsort(array, nr, size, compare);
}

static bool is_live(const struct instr_thread *thread, const uint64_t *fs_base, size_t nr)
{
	size_t at = ARRAY_LOWER(fs_base, nr, , thread->fs_base);

	return at < nr && fs_base[at] == thread->fs_base;
}

static void add_stack(struct inside *inside, const struct instr_thread *thread, bool live)
{
	struct inside_stack *stack = live ? &inside->live[inside->nr_live++] :
					    &inside->gone[inside->nr_gone++];

	*stack = (struct inside_stack){ thread->stack_start, thread->stack_end, thread->born };
}

/* The stack of one that is gone may lie across others: what reaches furthest counts. */
static void reach_far(struct inside_stack *stack, size_t nr)
{
	for (size_t i = 1; i < nr; i++)
		if (stack[i].end < stack[i - 1].end)
			stack[i].end = stack[i - 1].end;
}

void inside_init(struct inside *inside, struct inside_slab *slab, size_t nr_slabs,
		 const struct instr_thread *thread, uint64_t *fs_base, size_t nr_fs_bases)
{
	inside->slab = slab;
	inside->nr_slabs = nr_slabs;
	inside->nr_live = inside->nr_gone = 0;
	sort(slab, nr_slabs, sizeof(*slab), compare_slabs);
	sort(fs_base, nr_fs_bases, sizeof(*fs_base), compare_numbers);
	for (size_t i = 0; i < INSTR_THREADS; i++) {
		if (thread[i].fs_base != INSTR_THREAD_FREE &&
		    thread[i].stack_start < thread[i].stack_end)
			add_stack(inside, &thread[i], is_live(&thread[i], fs_base, nr_fs_bases));
	}
	sort(inside->live, inside->nr_live, sizeof(*inside->live), compare_stacks);
	sort(inside->gone, inside->nr_gone, sizeof(*inside->gone), compare_stacks);
	reach_far(inside->gone, inside->nr_gone);
}

/* ---- frames ---------------------------------------------------------------- */

static const struct inside_stack *find_stack(const struct inside_stack *stack, size_t nr,
					     uint64_t address)
{
	size_t behind = ARRAY_LOWER(stack, nr, .start, address + 1);

	return behind && address < stack[behind - 1].end ? &stack[behind - 1] : NULL;
}

/* As timing.S has it: what was entered before a thread began is not that thread's. */
static bool frame_ended(const struct inside *inside, const struct timing_frame *frame)
{
	const struct inside_stack *live = find_stack(inside->live, inside->nr_live,
						     frame->address);

	if (live)
		return frame->time < live->born;
	return find_stack(inside->gone, inside->nr_gone, frame->address);
}

/* Where frames of the function with that record are counted, or NULL. */
static uint64_t *find_function(const struct inside *inside, uint64_t record)
{
	size_t at = ARRAY_LOWER(inside->slab, inside->nr_slabs, .start, record + 1);
	const struct inside_slab *slab;
	uint64_t number;

	if (!at)
		return NULL;
	slab = &inside->slab[at - 1];
	/* Frames have the record of lane 0. */
	number = (record - slab->start) / RECORDS_LEN;
	if ((record - slab->start) % RECORDS_LEN)
		return NULL;
	at = ARRAY_LOWER(slab->record, slab->nr, , number);
	return at < slab->nr && slab->record[at] == number ? &slab->ended[at] : NULL;
}

static void add_frame(struct inside *inside, const struct timing_frame *frame)
{
	uint64_t *ended = find_function(inside, frame->record);

	if (ended && frame_ended(inside, frame))
		(*ended)++;
}

void inside_add(struct inside *inside, const void *blocks, size_t len)
{
	struct timing_frame frame;

	for (size_t at = 0; at + sizeof(frame) <= len; at += sizeof(frame)) {
		memcpy(&frame, (const uint8_t *)blocks + at, sizeof(frame));
		/* Without a time it is not counted yet. */
		if (frame.record && frame.time)
			add_frame(inside, &frame);
	}
}

/* ---- what is left over ----------------------------------------------------- */

void inside_check(struct instr_times *times)
{
	uint64_t left = times->exits[INSTR_EXIT_INSIDE];

	if ((int64_t)left >= 0)
		return;
	times->calls -= left;
	times->exits[INSTR_EXIT_INSIDE] = 0;
}

void inside_settle(struct instr_times *times, enum instr_exit exit, uint64_t nr)
{
	uint64_t *left = &times->exits[INSTR_EXIT_INSIDE];

	if (nr > *left)
		nr = *left;
	*left -= nr;
	times->exits[exit] += nr;
}

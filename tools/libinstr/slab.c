// SPDX-License-Identifier: GPL-2.0
/*
 * Slabs:
 *
 *	| descriptor, gate |  slots: the image of the text  | overflow | cells | data | kept
 *	0                  one page or more                                   code_len
 *
 * A jump site's slot lies where its jump leads, so the slots are as far from each
 * other as the sites are. A block that does not fit before the next slot goes to
 * the overflow, and the slot jumps there; 5 bytes always fit, as a jump is no
 * shorter. An int3 site leads to the overflow directly.
 *
 * Every function of the file has its place, whichever are asked for: two plans of
 * one file agree, and a slab that a process still has from an earlier one can
 * serve the next. Other places of the text are too many for that: each takes the
 * next free cell, of which there is a number that hardly varies.
 *
 * The data is the control block and, in shards, the counters. The first shard is
 * for the only thread of a process, the others for one processor each.
 *
 * The annex, where there is one, is another region with a descriptor of its own:
 *
 *	| descriptor |  slots of some sites: the text's image at another distance |
 *	code_len                                             code_len + annex_len
 *
 * Where functions are timed, only what is asked for has a place: each site has a cell, to
 * which its slot leads, and there are times behind the data instead of counters:
 *
 *	| descriptor, gate, timing |  slots  | unwinding | index of that | return slots |
 *	  cells | control | table of return slots | times
 *
 * What is in use is listed as chunks, in the order in which it is laid out:
 * descriptor, slots, overflow, cells, annex. Between them the code is zero.
 */

#include "slab.h"

#include <errno.h>

#include "array.h"
#include "block.h"
#include "clean.h"
#include "err.h"
#include "file.h"
#include "gate.h"
#include "hash.h"
#include "returns.h"
#include "site.h"
#include "timing.h"
#include "unwinding.h"

#define PAGE 4096ULL
#define CACHE_LINES 128ULL	/* processors fetch two */
#define JUMP_LEN 5

/* Where in a cell the block lies, and what it does when there are more threads. */
#define CELL_LEN	((int64_t)sizeof(struct instr_cell))
#define CELL_BLOCK	((int64_t)offsetof(struct instr_cell, code))
#define CELL_SLOW	(CELL_LEN - BLOCK_SLOW_MAX)

#define CELL_POINTER	(1ULL << 63)

/* All of the slab must be in reach of 32 bits, and its text too. */
#define TIMES_MAX	(512ULL << 20)

/* Room for cells: few sizes, so that few layouts of a file come to be. */
#define CELLS_MIN	512
#define CELLS_STEP	16

#define GATE_AT		SLAB_GATE_AT
#define TIMING_AT	SLAB_TIMING_AT
#define GATE_END	TIMING_AT

static const uint8_t descriptor_magic[8] = "\x7finstr\0\1";

static uint64_t round_up(uint64_t len, uint64_t to)
{
	return (len + to - 1) & ~(to - 1);
}

static uint64_t page_up(uint64_t len)
{
	return round_up(len, PAGE);
}

/* From a site to its slot, prefixes aside. */
static int64_t slab_distance(uint8_t top)
{
	return JUMP_LEN + (int64_t)top_rel32(top);
}

int64_t slab_start(uint8_t top, uint64_t offset)
{
	int64_t slot = (int64_t)offset + slab_distance(top);

	return (slot & ~(int64_t)(PAGE - 1)) - (int64_t)PAGE;
}

/* ---- chunks ----------------------------------------------------------------- */

static uint64_t code_offset(const struct instr_plan *plan, int64_t position)
{
	uint64_t in_annex = (uint64_t)(position - plan->annex_start);

	return in_annex < plan->annex_len ? plan->code_len + in_annex :
					    (uint64_t)(position - plan->slab_start);
}

/*
 * Nothing is laid out before what was already, so only the last can grow, but not into
 * the annex.
 */
static int chunk_cover(struct instr_plan *plan, int64_t position, uint64_t len,
		       struct instr_err *err)
{
	uint64_t offset = code_offset(plan, position);
	struct instr_chunk *last = plan->nr_chunks ? &plan->chunk[plan->nr_chunks - 1] : NULL;

	if (last && offset <= page_up(last->offset + last->len) && offset != plan->code_len) {
		last->len = offset + len - last->offset;
		return 0;
	}

	struct instr_chunk new = { .offset = offset, .len = len };

	return ARRAY_PUSH(plan->chunk, plan->nr_chunks, new) ? 0 : err_memory(err);
}

/* The chunk with what lies at @position. */
static const struct instr_chunk *chunk_find(const struct instr_plan *plan, int64_t position)
{
	uint64_t offset = code_offset(plan, position);
	size_t behind = ARRAY_LOWER(plan->chunk, plan->nr_chunks, .offset, offset + 1);

	return &plan->chunk[behind - 1];
}

const uint8_t *slab_bytes(const struct instr_plan *plan, int64_t position)
{
	const struct instr_chunk *chunk = chunk_find(plan, position);

	return chunk->bytes + (code_offset(plan, position) - chunk->offset);
}

const uint8_t *instr_plan_block(const struct instr_plan *plan,
				const struct instr_plan_site *site)
{
	return site->how == INSTR_HOW_REFUSED ? NULL : slab_bytes(plan, site->block);
}

/* ---- places ----------------------------------------------------------------- */

/* The next jump site behind @site that has its slot in the same image; NULL: none. */
static const struct instr_plan_site *next_jump(const struct instr_plan *plan,
					       const struct instr_plan_site *site)
{
	const struct instr_plan_site *end = plan->site + plan->nr;
	bool annex = site->annex;

	for (site++; site < end; site++) {
		if (site->how == INSTR_HOW_JUMP && site->annex == annex)
			return site;
	}
	return NULL;
}

static int64_t site_slot(const struct instr_plan *plan, const struct instr_plan_site *site)
{
	if (site->annex)
		return (int64_t)site->offset + slab_distance(plan->distance.annex);
	return (int64_t)site->offset + site->patch_len + distance_rel32(plan->distance);
}

static bool block_fits(const struct instr_plan *plan, const struct instr_plan_site *site)
{
	const struct instr_plan_site *next = next_jump(plan, site);

	return !next || site_slot(plan, next) - site_slot(plan, site) >= site->block_len;
}

static uint64_t slot_len(const struct instr_plan_site *site)
{
	return site->block == site->slot ? site->block_len : JUMP_LEN;
}

/* All slots, of the annex or not; *@end becomes the position behind the last. */
static void lay_out_slots(struct instr_plan *plan, bool annex, int64_t *end)
{
	for (size_t i = 0; i < plan->nr; i++) {
		struct instr_plan_site *site = &plan->site[i];

		if (site->how != INSTR_HOW_JUMP || site->annex != annex)
			continue;
		site->slot = site_slot(plan, site);
		if (block_fits(plan, site))
			site->block = site->slot;
		*end = site->slot + (int64_t)slot_len(site);
	}
}

/* All other blocks, from *@end on, and where blocks go while the gate is not open. */
static void lay_out_overflow(struct instr_plan *plan, int64_t *end)
{
	for (size_t i = 0; i < plan->nr; i++) {
		struct instr_plan_site *site = &plan->site[i];

		if (site->how == INSTR_HOW_REFUSED)
			continue;
		site->slow = *end;
		*end += BLOCK_SLOW_MAX;
		if (site->block)
			continue;
		site->block = *end;
		if (site->how == INSTR_HOW_TRAP)
			site->slot = site->block;
		*end += site->block_len;
	}
}

static void lay_out_annex(struct instr_plan *plan)
{
	const struct instr_plan_site *first = plan->site, *last = first + plan->nr;
	int64_t end;

	while (first < last && !first->annex)
		first++;
	if (first == last)
		return;
	plan->annex_start = slab_start(plan->distance.annex, first->offset);
	lay_out_slots(plan, true, &end);
	plan->annex_len = page_up((uint64_t)(end - plan->annex_start));
}

static uint64_t counter_offset(size_t counter)
{
	return sizeof(struct instr_control) + counter * sizeof(uint64_t);
}

static void lay_out_data(struct instr_plan *plan)
{
	plan->nr_counters = 0;
	for (size_t i = 0; i < plan->nr; i++) {
		if (plan->site[i].how != INSTR_HOW_REFUSED)
			plan->site[i].counter = counter_offset(plan->nr_counters++);
	}
	plan->nr_counters += plan->nr_cells;
	plan->nr_shards = 1 + machine_here()->shards;
	plan->shard_len = (uint32_t)round_up(plan->nr_counters * sizeof(uint64_t),
					     CACHE_LINES);
	plan->data_len = page_up(counter_offset(0) +
				 (uint64_t)plan->nr_shards * plan->shard_len);
}

uint64_t slab_kept_len(uint32_t nr_cells)
{
	return page_up(nr_cells * sizeof(uint64_t));
}

uint32_t slab_cells(size_t inside)
{
	uint32_t nr = CELLS_MIN;

	/* As many entries may want one too, and another session is to find some. */
	while (nr < 4 * inside)
		nr *= CELLS_STEP;
	return inside ? nr : 0;
}

static void lay_out_cells(struct instr_plan *plan, int64_t *end)
{
	if (!plan->nr_cells)
		return;
	plan->cells = page_up((uint64_t)(*end - plan->slab_start));
	*end = plan->slab_start + (int64_t)plan->cells + plan->nr_cells * CELL_LEN;
}

void slab_take_cell(const struct instr_plan *plan, struct instr_plan_site *site,
		    uint32_t cell)
{
	int64_t at = plan->slab_start + (int64_t)plan->cells + (cell - 1) * CELL_LEN;

	site->cell = cell;
	site->slot = site->block = at + CELL_BLOCK;
	if (plan->measure != INSTR_CALLS) {
		if (site->how == INSTR_HOW_JUMP)
			site->slot = site_slot(plan, site);
		return;
	}
	site->slow = at + CELL_SLOW;
	site->counter = counter_offset(plan->nr_counters - plan->nr_cells + cell - 1);
	site->kept = (cell - 1) * sizeof(uint64_t);
}

uint64_t slab_cell_owner(const struct instr_plan_site *site)
{
	return (site->offset + 1) | (site->how == INSTR_HOW_POINTER ? CELL_POINTER : 0);
}

static int slab_check_limits(const struct instr_plan *plan, struct instr_err *err)
{
	if (plan->code_len + plan->annex_len > INSTR_CODE_MAX ||
	    plan->data_len > INSTR_DATA_MAX || plan->times_len > TIMES_MAX)
		return instr_fail(err, -E2BIG, "%s: too much code to instrument at once",
				  plan->file->path);
	return 0;
}

int slab_lay_out(struct instr_plan *plan, struct instr_err *err)
{
	int64_t end = plan->slab_start + (int64_t)PAGE;

	lay_out_slots(plan, false, &end);
	lay_out_annex(plan);
	lay_out_overflow(plan, &end);
	lay_out_cells(plan, &end);
	lay_out_data(plan);
	plan->code_len = page_up((uint64_t)(end - plan->slab_start));
	return slab_check_limits(plan, err);
}

static void lay_out_times(struct instr_plan *plan)
{
	plan->data_len = page_up(counter_offset(0));
	plan->kept_len = page_up(plan->nr_slots * sizeof(struct instr_return));
	plan->times_len = page_up(plan->nr_records * INSTR_LANES * sizeof(struct timing_record)) +
			  unwind_asked_len(plan);
	plan->frames_len = TIMING_FRAMES_LEN;
}

uint64_t slab_table(const struct instr_plan *plan)
{
	return plan->code_len + plan->data_len;
}

int slab_lay_out_timed(struct instr_plan *plan, size_t nr_records, struct instr_err *err)
{
	const Elf64_Phdr *text = plan->file->text;
	int64_t end = (int64_t)(text->p_offset + plan->file->text_len) + INSTR_SITE_MAX +
		      slab_distance(plan->distance.top);

	plan->nr_records = nr_records;
	plan->slab_start = slab_start(plan->distance.top, text->p_offset);
	plan->unwind = page_up((uint64_t)(end - plan->slab_start));
	plan->slots = page_up(plan->unwind + UNWIND_LEN + unwind_index_len(plan));
	plan->nr_slots = 1 << TIMING_SLOT_BITS;
	end = plan->slab_start + (int64_t)(plan->slots + SLAB_SLOTS_LEN);
	lay_out_cells(plan, &end);
	lay_out_times(plan);
	plan->code_len = page_up((uint64_t)(end - plan->slab_start));
	return slab_check_limits(plan, err);
}

/* What unwinds stacks is often only told of it; but is it measured as others are? */
static bool measures_unwinders(const struct instr_plan *plan)
{
	for (size_t i = 0; i < plan->nr; i++) {
		if (plan->site[i].unwinds && plan->site[i].enters)
			return true;
	}
	return false;
}

/*
 * What is in the cells is not known in advance: who takes one reads them first. But each
 * place has one kind of block in one slab: a function returns to a slot in all that are
 * planned so, or in none.
 */
uint64_t slab_layout_timed(const struct instr_plan *plan)
{
	const uint64_t common[] = { SLAB_LAYOUT_VERSION, plan->distance.top, plan->nr_cells,
				    plan->times_len, plan->measure,
				    plan->way == INSTR_WAY_SLOT, measures_unwinders(plan) };

	return hash_bytes(HASH_INIT, common, sizeof(common)) | 1;
}

/* All that blocks are made of. */
uint64_t slab_layout(const struct instr_plan *plan)
{
	const uint64_t common[] = { SLAB_LAYOUT_VERSION, plan->distance.top,
				    plan->distance.annex, plan->nr_shards, plan->nr_cells,
				    machine_here()->has_rdpid };
	uint64_t layout = hash_bytes(HASH_INIT, common, sizeof(common));

	for (size_t i = 0; i < plan->nr; i++) {
		const struct instr_plan_site *site = &plan->site[i];
		const uint8_t kind[] = { site->how, site->flags_live, site->callee_flags_dead,
					 site->returns, site->window_len, site->nr_moved,
					 site->patch_len, site->calls, site->annex, (uint8_t)site->far };
		const int64_t place[] = { site->slot, site->block, site->slow,
					  (int64_t)site->counter, (int64_t)site->offset };

		layout = hash_bytes(layout, kind, sizeof(kind));
		layout = hash_bytes(layout, place, sizeof(place));
		layout = hash_bytes(layout, site->old, site->window_len);
	}
	return layout ? layout : 1;
}

static int cover_slots(struct instr_plan *plan, bool annex, struct instr_err *err)
{
	int code = 0;

	for (size_t i = 0; i < plan->nr && !code; i++) {
		const struct instr_plan_site *site = &plan->site[i];

		if ((site->how == INSTR_HOW_JUMP || site->annex) && site->annex == annex)
			code = chunk_cover(plan, site->slot, slot_len(site), err);
	}
	return code;
}

static int cover_overflow(struct instr_plan *plan, struct instr_err *err)
{
	int code = 0;

	for (size_t i = 0; i < plan->nr && !code; i++) {
		const struct instr_plan_site *site = &plan->site[i];

		if (site->how == INSTR_HOW_REFUSED || site->cell)
			continue;
		code = chunk_cover(plan, site->slow, BLOCK_SLOW_MAX, err);
		if (!code && (site->block != site->slot ||
			      (site->how == INSTR_HOW_TRAP && !site->annex)))
			code = chunk_cover(plan, site->block, site->block_len, err);
	}
	return code;
}

static bool takes_slots(const struct instr_plan *plan)
{
	for (size_t i = 0; i < plan->nr; i++) {
		if (plan->site[i].by_slot)
			return true;
	}
	return false;
}

static int cover_cells(struct instr_plan *plan, struct instr_err *err)
{
	CLEAN(free) bool *taken = calloc(plan->nr_cells + 1, sizeof(*taken));
	int64_t at = plan->slab_start + (int64_t)plan->cells;
	int code = 0;

	if (!plan->nr_cells)
		return 0;
	if (!taken)
		return err_memory(err);
	for (size_t i = 0; i < plan->nr; i++)
		taken[plan->site[i].cell] = true;
	for (uint32_t cell = 1; cell <= plan->nr_cells && !code; cell++, at += CELL_LEN) {
		if (taken[cell])
			code = chunk_cover(plan, at, (uint64_t)CELL_LEN, err);
	}
	return code;
}

/* What all plans that time have. */
static int cover_timed(struct instr_plan *plan, struct instr_err *err)
{
	int code = 0;

	if (plan->measure == INSTR_CALLS)
		return 0;
	code = chunk_cover(plan, plan->slab_start + (int64_t)plan->unwind,
			   UNWIND_LEN + unwind_index_len(plan), err);
	if (!code && takes_slots(plan))
		code = chunk_cover(plan, plan->slab_start + (int64_t)plan->slots, SLAB_SLOTS_LEN,
				   err);
	return code;
}

int slab_cover(struct instr_plan *plan, uint64_t *total, struct instr_err *err)
{
	int code = chunk_cover(plan, plan->slab_start,
			       plan->measure != INSTR_CALLS ? PAGE : GATE_END, err);

	if (!code)
		code = cover_slots(plan, false, err);
	if (!code)
		code = cover_overflow(plan, err);
	if (!code)
		code = cover_timed(plan, err);
	if (!code)
		code = cover_cells(plan, err);
	if (!code && plan->annex_len)
		code = chunk_cover(plan, plan->annex_start, sizeof(struct instr_descriptor), err);
	if (!code)
		code = cover_slots(plan, true, err);
	*total = 0;
	for (size_t i = 0; i < plan->nr_chunks; i++)
		*total += plan->chunk[i].len;
	return code;
}

/* ---- bytes ------------------------------------------------------------------ */

/* Of the code, or of the annex. */
static void fill_descriptor(const struct instr_plan *plan, int64_t start, uint64_t len,
			    uint8_t top, uint8_t *bytes)
{
	struct instr_descriptor descriptor = {
		.start = start,
		.length = len,
		.distance = slab_distance(top),
		.reference = sizeof(struct instr_control),
		.nr = plan->nr_counters,
		.nr_shards = plan->nr_shards,
		.shard_len = plan->shard_len,
		.unwind = plan->unwind,
	};

	memcpy(descriptor.magic, descriptor_magic, sizeof(descriptor.magic));
	memcpy(bytes, &descriptor, sizeof(descriptor));
}

static void fill_gate(const struct instr_plan *plan, uint8_t *bytes)
{
	struct emit gate = {
		.bytes = bytes + GATE_AT,
		.position = plan->slab_start + GATE_AT,
	};

	gate_emit(&gate, plan->slab_start + (int64_t)plan->code_len);
}

static void fill_holes(const struct instr_plan *plan, uint8_t *bytes, const uint16_t *hole,
		       const uint16_t *end, uint64_t target, size_t tail)
{
	for (; hole < end; hole++) {
		struct emit emit = {
			.bytes = bytes + TIMING_AT + *hole,
			.position = plan->slab_start + TIMING_AT + *hole,
		};

		emit_relative(&emit, plan->slab_start + (int64_t)target, tail);
	}
}

static void fill_distances(uint8_t *bytes, const uint16_t *hole, const uint16_t *end,
			   uint64_t from, uint64_t to)
{
	const int32_t distance = (int32_t)(to - from);

	for (; hole < end; hole++)
		memcpy(bytes + TIMING_AT + *hole, &distance, sizeof(distance));
}

static void fill_timing(const struct instr_plan *plan, uint8_t *bytes)
{
	memcpy(bytes + TIMING_AT, timing_code, (size_t)(timing_code_end - timing_code));
	fill_holes(plan, bytes, timing_frames_holes, timing_frames_holes_end,
		   plan->code_len + offsetof(struct instr_control, frames), 0);
	fill_holes(plan, bytes, timing_gate_holes, timing_gate_holes_end,
		   plan->code_len + offsetof(struct instr_control, gate), sizeof(uint8_t));
	fill_holes(plan, bytes, timing_table_holes, timing_table_holes_end, slab_table(plan), 0);
	fill_distances(bytes, timing_slot_holes, timing_slot_holes_end,
		       slab_table(plan), plan->slots);
	fill_distances(bytes, timing_entry_holes, timing_entry_holes_end,
		       plan->slots + TIMING_SLOT_LEFT, slab_table(plan) + TIMING_RETURN_RECORD);
}

static void fill_slots(const struct instr_plan *plan, uint8_t *bytes)
{
	const uint8_t *routine = plan->measure == INSTR_EXITS ? timing_return_counted :
								timing_return;
	int64_t returns = plan->slab_start + TIMING_AT + (routine - timing_code);
	int64_t start = plan->slab_start + (int64_t)plan->slots;
	struct emit emit = {
		.bytes = bytes + (slab_bytes(plan, start) - plan->chunk[0].bytes),
		.position = start,
	};

	for (uint64_t nr = 0; nr < plan->nr_slots; nr++)
		returns_emit(&emit, nr, returns, plan->slab_start + (int64_t)slab_table(plan));
}

static void fill_cell_head(const struct instr_plan_site *site, uint8_t *bytes)
{
	uint64_t owner = slab_cell_owner(site);

	memcpy(bytes + offsetof(struct instr_cell, site), &owner, sizeof(owner));
}

static void fill_site(const struct instr_plan *plan, const struct instr_plan_site *site,
		      uint8_t *bytes)
{
	int64_t data = plan->slab_start + (int64_t)plan->code_len;
	struct block_places places = {
		.counter = data + (int64_t)site->counter,
		.control = data,
		.gate = plan->slab_start + GATE_AT,
		.kept = data + (int64_t)(plan->data_len + site->kept),
		.timing = plan->slab_start + TIMING_AT,
		.find = plan->slab_start + (int64_t)plan->unwind + UNWIND_FIND_AT,
		.iterate = plan->slab_start + (int64_t)plan->unwind + unwind_iterate_at(),
		.record = data + (int64_t)(plan->data_len + plan->kept_len +
					   site->record * INSTR_LANES *
					   sizeof(struct timing_record)),
		.machine = machine_here(),
		.shard_len = plan->shard_len,
	};
	const uint8_t *slab = plan->chunk[0].bytes;
	struct emit slot = {
		.bytes = bytes + (slab_bytes(plan, site->slot) - slab),
		.position = site->slot,
	};
	struct emit block = {
		.bytes = bytes + (slab_bytes(plan, site->block) - slab),
		.position = site->block,
	};

	if (site->cell)
		fill_cell_head(site, block.bytes - CELL_BLOCK);
	if (site->slot != site->block)
		emit_jump(&slot, site->block);
	block_emit(&block, site, &places);
	if (plan->measure != INSTR_CALLS) {
		unwind_fill_cell(plan, site, block.bytes - CELL_BLOCK);
		return;
	}

	struct emit slow = {
		.bytes = bytes + (slab_bytes(plan, site->slow) - slab),
		.position = site->slow,
	};

	block_emit_slow(&slow, site, &places);
}

static int fill_unwind(const struct instr_plan *plan, uint8_t *bytes, struct instr_err *err)
{
	const uint8_t *at = slab_bytes(plan, plan->slab_start + (int64_t)plan->unwind);
	uint8_t *part = bytes + (at - bytes);
	int code = unwind_fill(plan, bytes, part, err);

	if (!code)
		unwind_fill_index(plan, part, part + UNWIND_LEN);
	return code;
}

int slab_fill(struct instr_plan *plan, uint8_t *bytes, struct instr_err *err)
{
	uint8_t *next = bytes;

	for (size_t i = 0; i < plan->nr_chunks; i++) {
		plan->chunk[i].bytes = next;
		next += plan->chunk[i].len;
	}
	fill_descriptor(plan, plan->slab_start, plan->code_len, plan->distance.top, bytes);
	fill_gate(plan, bytes);
	if (plan->measure != INSTR_CALLS)
		fill_timing(plan, bytes);
	if (plan->annex_len)
		fill_descriptor(plan, plan->annex_start, plan->annex_len, plan->distance.annex,
				bytes + (slab_bytes(plan, plan->annex_start) -
					 plan->chunk[0].bytes));
	for (size_t i = 0; i < plan->nr; i++) {
		if (plan->site[i].how != INSTR_HOW_REFUSED)
			fill_site(plan, &plan->site[i], bytes);
	}
	if (takes_slots(plan))
		fill_slots(plan, bytes);
	return plan->unwind ? fill_unwind(plan, bytes, err) : 0;
}

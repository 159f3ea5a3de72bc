// SPDX-License-Identifier: GPL-2.0
/*
 * Slabs:
 *
 *	| descriptor, gate |  slots: the image of the text  | overflow | control, counters
 *	0                  one page or more                            code_len
 *
 * A jump site's slot lies where its jump leads, so the slots are as far from each
 * other as the sites are. A block that does not fit before the next slot goes to
 * the overflow, and the slot jumps there; 5 bytes always fit, as a jump is no
 * shorter. An int3 site leads to the overflow directly.
 *
 * What is in use is listed as chunks, in the order in which it is laid out:
 * descriptor, slots, overflow. Between them the code is zero.
 */

#include "slab.h"

#include <errno.h>

#include "array.h"
#include "block.h"
#include "err.h"
#include "file.h"
#include "gate.h"
#include "site.h"

#define PAGE 4096ULL
#define JUMP_LEN 5

/* In the slab's first page: the gate, behind the descriptor. */
#define GATE_AT		64
#define GATE_END	192

static const uint8_t descriptor_magic[8] = "\x7finstr\0\1";

static uint64_t page_up(uint64_t len)
{
	return (len + PAGE - 1) & ~(PAGE - 1);
}

/* From a site to its slot, prefixes aside. */
static int64_t slab_distance(struct instr_distance distance)
{
	return JUMP_LEN + (int64_t)distance_rel32(distance);
}

int64_t slab_start(struct instr_distance distance, uint64_t offset)
{
	int64_t slot = (int64_t)offset + slab_distance(distance);

	return (slot & ~(int64_t)(PAGE - 1)) - (int64_t)PAGE;
}

/* ---- chunks ----------------------------------------------------------------- */

/* Nothing is laid out before what was already, so only the last can grow. */
static int chunk_cover(struct instr_plan *plan, int64_t position, uint64_t len,
		       struct instr_err *err)
{
	uint64_t offset = (uint64_t)(position - plan->slab_start);
	struct instr_chunk *last = plan->nr_chunks ? &plan->chunk[plan->nr_chunks - 1] : NULL;

	if (last && offset <= page_up(last->offset + last->len)) {
		last->len = offset + len - last->offset;
		return 0;
	}

	struct instr_chunk new = { .offset = offset, .len = len };

	return ARRAY_PUSH(plan->chunk, plan->nr_chunks, new) ? 0 : err_memory(err);
}

/* The chunk with what lies at @position. */
static const struct instr_chunk *chunk_find(const struct instr_plan *plan, int64_t position)
{
	uint64_t offset = (uint64_t)(position - plan->slab_start);
	size_t first = 0, end = plan->nr_chunks;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (plan->chunk[middle].offset <= offset)
			first = middle + 1;
		else
			end = middle;
	}
	return &plan->chunk[first - 1];
}

static const uint8_t *slab_bytes(const struct instr_plan *plan, int64_t position)
{
	const struct instr_chunk *chunk = chunk_find(plan, position);

	return chunk->bytes + ((uint64_t)(position - plan->slab_start) - chunk->offset);
}

const uint8_t *instr_plan_block(const struct instr_plan *plan,
				const struct instr_plan_site *site)
{
	return site->how == INSTR_HOW_REFUSED ? NULL : slab_bytes(plan, site->block);
}

/* ---- places ----------------------------------------------------------------- */

/* The next jump site behind @site; NULL: it is the last. */
static const struct instr_plan_site *next_jump(const struct instr_plan *plan,
					       const struct instr_plan_site *site)
{
	const struct instr_plan_site *end = plan->site + plan->nr;

	for (site++; site < end; site++) {
		if (site->how == INSTR_HOW_JUMP)
			return site;
	}
	return NULL;
}

static int64_t site_slot(const struct instr_plan *plan, const struct instr_plan_site *site)
{
	return (int64_t)site->offset + site->patch_len + distance_rel32(plan->distance);
}

static bool block_fits(const struct instr_plan *plan, const struct instr_plan_site *site)
{
	const struct instr_plan_site *next = next_jump(plan, site);

	return !next || site_slot(plan, next) - site_slot(plan, site) >= site->block_len;
}

/* All slots; *@end becomes the position behind the last. */
static int lay_out_slots(struct instr_plan *plan, int64_t *end, struct instr_err *err)
{
	for (size_t i = 0; i < plan->nr; i++) {
		struct instr_plan_site *site = &plan->site[i];
		uint64_t len;
		int code;

		if (site->how != INSTR_HOW_JUMP)
			continue;
		site->slot = site_slot(plan, site);
		len = JUMP_LEN;
		if (block_fits(plan, site)) {
			site->block = site->slot;
			len = site->block_len;
		}
		*end = site->slot + (int64_t)len;
		code = chunk_cover(plan, site->slot, len, err);
		if (code)
			return code;
	}
	return 0;
}

/* All other blocks, from *@end on, and where blocks go while the gate is not open. */
static int lay_out_overflow(struct instr_plan *plan, int64_t *end, struct instr_err *err)
{
	for (size_t i = 0; i < plan->nr; i++) {
		struct instr_plan_site *site = &plan->site[i];
		int code;

		if (site->how == INSTR_HOW_REFUSED)
			continue;
		site->slow = *end;
		*end += BLOCK_SLOW_MAX;
		code = chunk_cover(plan, site->slow, BLOCK_SLOW_MAX, err);
		if (code)
			return code;
		if (site->block)
			continue;
		site->block = *end;
		if (site->how == INSTR_HOW_TRAP)
			site->slot = site->block;
		*end += site->block_len;
		code = chunk_cover(plan, site->block, site->block_len, err);
		if (code)
			return code;
	}
	return 0;
}

static void number_counters(struct instr_plan *plan)
{
	uint64_t counter = sizeof(struct instr_control);

	for (size_t i = 0; i < plan->nr; i++) {
		if (plan->site[i].how == INSTR_HOW_REFUSED)
			continue;
		plan->site[i].counter = counter;
		counter += sizeof(uint64_t);
	}
	plan->data_len = page_up(counter);
}

static int slab_check_limits(const struct instr_plan *plan, struct instr_err *err)
{
	if (plan->code_len > INSTR_CODE_MAX || plan->data_len > INSTR_DATA_MAX)
		return instr_fail(err, -E2BIG, "%s: too much code to instrument at once",
				  plan->file->path);
	return 0;
}

int slab_lay_out(struct instr_plan *plan, uint64_t *total, struct instr_err *err)
{
	int64_t end = plan->slab_start + (int64_t)PAGE;
	int code;

	number_counters(plan);
	code = chunk_cover(plan, plan->slab_start, GATE_END, err);
	if (code)
		return code;
	code = lay_out_slots(plan, &end, err);
	if (code)
		return code;
	code = lay_out_overflow(plan, &end, err);
	if (code)
		return code;

	plan->code_len = page_up((uint64_t)(end - plan->slab_start));
	*total = 0;
	for (size_t i = 0; i < plan->nr_chunks; i++)
		*total += plan->chunk[i].len;
	return slab_check_limits(plan, err);
}

/* ---- bytes ------------------------------------------------------------------ */

static void fill_descriptor(const struct instr_plan *plan, uint8_t *bytes)
{
	struct instr_descriptor descriptor = {
		.start = plan->slab_start,
		.length = plan->code_len,
		.distance = slab_distance(plan->distance),
		.reference = sizeof(struct instr_control),
		.nr = plan->nr_sites,
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

static void fill_site(const struct instr_plan *plan, struct instr_plan_site *site,
		      uint8_t *bytes)
{
	int64_t data = plan->slab_start + (int64_t)plan->code_len;
	struct block_places places = {
		.counter = data + (int64_t)site->counter,
		.control = data,
		.gate = plan->slab_start + GATE_AT,
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

	struct emit slow = {
		.bytes = bytes + (slab_bytes(plan, site->slow) - slab),
		.position = site->slow,
	};

	if (site->slot != site->block)
		emit_jump(&slot, site->block);
	block_emit(&block, site, &places);
	block_emit_slow(&slow, site, &places);
}

void slab_fill(struct instr_plan *plan, uint8_t *bytes)
{
	uint8_t *next = bytes;

	for (size_t i = 0; i < plan->nr_chunks; i++) {
		plan->chunk[i].bytes = next;
		next += plan->chunk[i].len;
	}
	fill_descriptor(plan, bytes);
	fill_gate(plan, bytes);
	for (size_t i = 0; i < plan->nr; i++) {
		if (plan->site[i].how != INSTR_HOW_REFUSED)
			fill_site(plan, &plan->site[i], bytes);
	}
}

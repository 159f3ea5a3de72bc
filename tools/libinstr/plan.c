// SPDX-License-Identifier: GPL-2.0
/*
 * Plans: what is to be changed in a file, and the code that goes with it. A plan
 * is made of a file, a list of places and the kind of machine: with no privilege, and
 * nothing is changed but the cache.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "array.h"
#include "block.h"
#include "cache.h"
#include "cell.h"
#include "clean.h"
#include "err.h"
#include "file.h"
#include "func.h"
#include "go.h"
#include "insn.h"
#include "pointer.h"
#include "rewind.h"
#include "rseq.h"
#include "site.h"
#include "slab.h"
#include "timed.h"
#include "unwinding.h"

#define PAGE 4096

/*
 * Cells of plans that time: for so many sites a function, and for as many of another
 * session; few sizes, so that few layouts of a file come to be.
 */
#define TIMED_CELLS_MIN		4096
#define TIMED_SITES_EACH	4

/* A plan and what is behind it. */
struct plan {
	struct instr_plan plan;
	uint8_t *code;		/* the bytes of all chunks */
	struct cache cache;	/* that the sites are in, if they are not the plan's own */
};

static struct plan *plan_of(struct instr_plan *plan)
{
	return (struct plan *)plan;
}

/* ---- sites ------------------------------------------------------------------ */

static int check_place(const struct instr_file *file, const struct func_table *funcs,
		       struct instr_place place, struct instr_err *err)
{
	if (place.func == INSTR_POINTER) {
		if (!pointer_find(file, place.at))
			return instr_fail(err, -EINVAL, "%s: 0x%" PRIx64 " is no pointer",
					  file->path, place.at);
		return 0;
	}
	if (place.func >= funcs->nr)
		return instr_fail(err, -EINVAL, "%s: there is no function %zu", file->path,
				  place.func);
	if (place.at >= funcs->func[place.func].size)
		return instr_fail(err, -EINVAL, "%s: %s ends before byte %" PRIu64,
				  file->path, funcs->func[place.func].name, place.at);
	return 0;
}

/* Functions first; each of both ascending. */
static bool places_ascend(const struct func_table *funcs, const struct instr_place *place)
{
	bool pointer = place[1].func == INSTR_POINTER;

	if (pointer != (place[0].func == INSTR_POINTER))
		return pointer;
	return func_place_vaddr(funcs, place[0]) < func_place_vaddr(funcs, place[1]);
}

static int check_places(const struct instr_file *file, const struct func_table *funcs,
			const struct instr_place *place, size_t nr, struct instr_err *err)
{
	for (size_t i = 0; i < nr; i++) {
		int code = check_place(file, funcs, place[i], err);

		if (code)
			return code;
		if (i && !places_ascend(funcs, &place[i - 1]))
			return instr_fail(err, -EINVAL,
					  "%s: places asked for twice, or in no order",
					  file->path);
	}
	return 0;
}

/* Another top byte might not trap. */
static int check_distance(const struct instr_file *file, struct instr_distance distance,
			  struct instr_err *err)
{
	for (const struct instr_distance *known = file->distance; known->top; known++) {
		if (known->top == distance.top && known->annex == distance.annex)
			return 0;
	}
	return instr_fail(err, -EINVAL, "%s: a slab can't lie at distance %02x", file->path,
			  distance.top);
}

/*
 * Blocks lie from the slab's start to the end of the text's image and, if none
 * of them fits there, as much behind it as all of them need.
 */
static void text_set_bounds(struct site_text *text, const struct instr_file *file,
			    uint32_t nr_cells)
{
	uint64_t end = file->text->p_offset + text->len;
	uint64_t overflow = text->funcs->nr * (INSTR_BLOCK_MAX + BLOCK_SLOW_MAX);

	text->lowest = slab_start(text->distance.top, file->text->p_offset);
	text->highest = slab_start(text->distance.top, end) +
			(int64_t)(5 * PAGE + UNWIND_LEN + SLAB_SLOTS_LEN + overflow) +
			nr_cells * (int64_t)(sizeof(struct instr_cell) + sizeof(uint64_t));
}

static int text_init(struct site_text *text, const struct instr_plan *plan,
		     const struct func_table *funcs, struct instr_err *err)
{
	const struct instr_file *file = plan->file;

	*text = (struct site_text){
		.funcs = funcs,
		.bytes = file_text(file),
		.len = file->text_len,
		.vaddr = file->text->p_vaddr,
		.distance = plan->distance,
		.go = go_made(file),
	};
	if (!text->bytes)
		return instr_fail(err, -EIO, "%s: its text can't be read", file->path);
	text_set_bounds(text, file, plan->nr_cells);
	selfread_init(&text->selfread, plan->file, funcs);
	return rseq_read(file, &text->rseq, &text->nr_rseq, err);
}

static void text_exit(struct site_text *text)
{
	selfread_exit(&text->selfread);
	free(text->rseq);
}

/* The first site that there will be; NULL: none. */
static const struct instr_plan_site *first_site(const struct instr_plan *plan)
{
	for (size_t i = 0; i < plan->nr; i++) {
		if (plan->site[i].how != INSTR_HOW_REFUSED)
			return &plan->site[i];
	}
	return NULL;
}

/* ---- what the kernel takes -------------------------------------------------- */

static void site_for_kernel(const struct instr_plan_site *site, struct instr_site *ret)
{
	*ret = (struct instr_site){
		.offset = site->offset,
		.len = site->patch_len,
		.flags = site->fragile ? INSTR_SITE_FRAGILE : 0,
	};
	memcpy(ret->old, site->old, site->patch_len);
	memcpy(ret->new, site->new, site->patch_len);
}

static bool site_is_text(const struct instr_plan_site *site)
{
	return site->how == INSTR_HOW_JUMP || site->how == INSTR_HOW_TRAP;
}

static bool site_traps_itself(const struct instr_plan_site *site)
{
	return site->how == INSTR_HOW_TRAP || site->fragile;
}

/*
 * Writes the traps of @site to @trap, unless that is NULL, and returns how many:
 * the site itself if it traps, and each old boundary within the patch.
 */
static size_t site_traps(const struct instr_plan_site *site, struct instr_trap *trap)
{
	size_t nr = 0;

	if (!site_is_text(site))
		return 0;
	if (site_traps_itself(site)) {
		if (trap)
			trap[nr] = (struct instr_trap){ site->offset, (uint64_t)site->slot };
		nr++;
	}
	for (size_t i = 1; i < site->nr_moved; i++) {
		const struct instr_moved *moved = &site->moved[i];

		/* Behind the patch is the old text. */
		if (moved->old_at >= site->patch_len)
			break;
		if (trap)
			trap[nr] = (struct instr_trap){
				.offset = site->offset + moved->old_at,
				.target = (uint64_t)(site->block + moved->new_at),
			};
		nr++;
	}
	return nr;
}

static bool moved_is_one(const struct instr_plan *plan, const struct instr_plan_site *site,
			 const struct instr_moved *moved)
{
	const uint8_t *bytes = instr_plan_block(plan, site) + moved->new_at;
	struct insn insn;

	return insn_decode_flow(bytes, moved->new_len, &insn) && insn.len == moved->new_len;
}

/* Appends to @origin, unless that is NULL, and returns the new number. */
static size_t add_origin(struct instr_origin *origin, size_t nr, int64_t code, uint64_t offset,
			 uint64_t any)
{
	if (origin)
		origin[nr] = (struct instr_origin){ (uint64_t)code, offset | any };
	return nr + 1;
}

/*
 * Where only calls are counted nothing says how to unwind: any signal is told that it is the
 * text. In front of the first instruction a call is counted already (rewind.c).
 */
static uint64_t moved_any(const struct instr_plan *plan, const struct instr_moved *moved)
{
	return plan->measure == INSTR_CALLS && moved->old_at ? INSTR_ORIGIN_ANY : 0;
}

/*
 * Writes what the instructions of the block of @site stand for to @origin, unless that is
 * NULL, and returns how many. Where one became several they do what it did together: only
 * in front of the first it isn't begun.
 */
static size_t site_origins(const struct instr_plan *plan, const struct instr_plan_site *site,
			   struct instr_origin *origin)
{
	size_t nr = 0;

	for (size_t i = 0; site_is_text(site) && i < site->nr_moved; i++) {
		const struct instr_moved *moved = &site->moved[i];
		uint64_t any = moved_any(plan, moved);

		if (any || moved_is_one(plan, site, moved))
			nr = add_origin(origin, nr, site->block + moved->new_at,
					site->offset + moved->old_at, any);
	}
	if (plan->measure == INSTR_CALLS && site->returns)
		nr = add_origin(origin, nr, site->block + site->block_len - BLOCK_JUMP_LEN,
				site->offset + site->window_len, INSTR_ORIGIN_ANY);
	return nr;
}

static int origin_compare(const void *a, const void *b)
{
	const struct instr_origin *x = a, *y = b;
	int64_t from = (int64_t)x->code, to = (int64_t)y->code;

	return (from > to) - (from < to);
}

static int origins_for_kernel(struct instr_plan *plan, struct instr_err *err)
{
	size_t nr = 0;

	for (size_t i = 0; i < plan->nr; i++)
		nr += site_origins(plan, &plan->site[i], NULL);
	free(plan->origins);
	plan->nr_origins = 0;
	plan->origins = calloc(nr + 1, sizeof(*plan->origins));
	if (!plan->origins)
		return err_memory(err);
	for (size_t i = 0; i < plan->nr; i++)
		plan->nr_origins += site_origins(plan, &plan->site[i],
						 plan->origins + plan->nr_origins);
	qsort(plan->origins, nr, sizeof(*plan->origins), origin_compare);
	return 0;
}

static void pointer_for_kernel(const struct instr_plan *plan,
			       const struct instr_plan_site *site, struct instr_pointer *ret)
{
	const struct pointer *pointer = pointer_find(plan->file, site->place.at);
	uint64_t lazy = pointer->lazy - plan->file->skew;

	*ret = (struct instr_pointer){
		.position = site->offset,
		.target = (uint64_t)site->block,
		.kept = site->kept,
		.lazy_start = lazy,
		.lazy_end = lazy + pointer->is_lazy,
	};
}

static int pointers_for_kernel(struct instr_plan *plan, struct instr_err *err)
{
	struct instr_pointer *pointer;
	uint64_t ready = 0;

	free(plan->pointers);
	plan->pointers = pointer = calloc(plan->nr_pointers + 1, sizeof(*pointer));
	if (!pointer)
		return err_memory(err);
	for (size_t i = 0; i < plan->nr; i++) {
		if (plan->site[i].how == INSTR_HOW_POINTER)
			pointer_for_kernel(plan, &plan->site[i], pointer++);
	}
	pointers_ready(plan->file, &ready);
	plan->ready = ready ? ready - plan->file->skew : 0;
	return 0;
}

static int plan_for_kernel(struct instr_plan *plan, struct instr_err *err)
{
	size_t nr_traps = 0, at = 0;
	struct instr_site *site;
	int code;

	for (size_t i = 0; i < plan->nr; i++)
		nr_traps += site_traps(&plan->site[i], NULL);
	if (plan->nr_sites > INSTR_SITES_MAX || nr_traps > INSTR_TRAPS_MAX)
		return instr_fail(err, -E2BIG, "%s: too many functions to instrument at once",
				  plan->file->path);

	free(plan->sites);
	free(plan->traps);
	plan->sites = site = calloc(plan->nr_sites + 1, sizeof(*plan->sites));
	plan->traps = calloc(nr_traps + 1, sizeof(*plan->traps));
	if (!plan->sites || !plan->traps)
		return err_memory(err);
	for (size_t i = 0; i < plan->nr; i++) {
		if (site_is_text(&plan->site[i]))
			site_for_kernel(&plan->site[i], site++);
		at += site_traps(&plan->site[i], plan->traps + at);
	}
	plan->nr_traps = nr_traps;
	code = origins_for_kernel(plan, err);
	if (!code)
		code = rewinds_find(plan, err);
	return code ? code : pointers_for_kernel(plan, err);
}

/* ---- making a plan ---------------------------------------------------------- */

static bool is_entry(struct instr_place place)
{
	return place.func != INSTR_POINTER && !place.at;
}

static bool segment_overlaps(const struct instr_file *file, int64_t start, int64_t end)
{
	for (size_t i = 0; i < file->nr_segments; i++) {
		const Elf64_Phdr *segment = &file->segment[i];
		int64_t first = (int64_t)(segment->p_vaddr - file->skew);

		if (segment->p_type == PT_LOAD && start < end && first < end &&
		    start < first + (int64_t)segment->p_memsz)
			return true;
	}
	return false;
}

static int check_room(const struct instr_plan *plan, struct instr_err *err)
{
	int64_t end = plan->slab_start + (int64_t)instr_plan_len(plan);

	int64_t annex_end = plan->annex_start + (int64_t)plan->annex_len;

	if (segment_overlaps(plan->file, plan->slab_start, end) ||
	    segment_overlaps(plan->file, plan->annex_start, annex_end) ||
	    (plan->annex_len && plan->annex_start < end && plan->slab_start < annex_end))
		return instr_fail(err, -ENOSPC, "%s: the slab would lie in the file's own image",
				  plan->file->path);
	return 0;
}

static int fail_none(const struct instr_plan *plan, struct instr_err *err)
{
	return instr_fail(err, -ENOSPC, "%s: none of the functions can be probed",
			  plan->file->path);
}

/* The entries of all functions, each address once: they decide on the layout. */
static int plan_entries(struct instr_plan *plan, const struct site_text *text,
			struct instr_err *err)
{
	const struct func_table *funcs = text->funcs;

	plan->site = calloc(funcs->nr + 1, sizeof(*plan->site));
	if (!plan->site)
		return err_memory(err);
	for (size_t i = 0; i < funcs->nr; i++) {
		if (!funcs->func[i].is_alias)
			site_plan(text, i, &plan->site[plan->nr++]);
	}
	return 0;
}

static int plan_layout(struct instr_plan *plan, struct instr_err *err)
{
	const struct instr_plan_site *first = first_site(plan);
	int code;

	if (!first)
		return fail_none(plan, err);
	plan->slab_start = slab_start(plan->distance.top, first->offset);
	code = slab_lay_out(plan, err);
	if (code)
		return code;
	plan->layout = slab_layout(plan);
	return check_room(plan, err);
}

static int plan_anew(struct instr_plan *plan, struct site_text *text, struct instr_err *err)
{
	int code = selfread_find_loads(&text->selfread, err);

	if (!code)
		code = plan_entries(plan, text, err);
	if (!code)
		code = plan_layout(plan, err);
	if (!code)
		cache_store(plan, text);
	return code;
}

/* What is not planned with all entries. False: @place is an entry. */
static bool plan_other(const struct instr_plan *plan, const struct site_text *text,
		       struct instr_place place, struct instr_plan_site *site)
{
	if (place.func == INSTR_POINTER)
		site_plan_pointer(place, place.at - plan->file->skew, site);
	else if (place.at)
		site_plan_trap(text, place, INSTR_REASON_INSIDE, site);
	return !is_entry(place);
}

static size_t count_inside(const struct instr_place *place, size_t nr)
{
	size_t inside = 0;

	for (size_t i = 0; i < nr; i++)
		inside += !is_entry(place[i]);
	return inside;
}

static void plan_drop_sites(struct instr_plan *plan)
{
	struct cache *cache = &plan_of(plan)->cache;

	if (cache->map)
		cache_unload(cache);
	else
		free(plan->site);
}

/*
 * Of the sites of all entries those that were asked for stay, and other places come
 * between them.
 */
static int pick_sites(struct instr_plan *plan, const struct site_text *text,
		      const struct instr_place *place, size_t nr, struct instr_err *err)
{
	const struct instr_func *func = text->funcs->func;
	const struct instr_plan_site *entry = plan->site;
	struct instr_plan_site *site = calloc(nr + 1, sizeof(*site));

	if (!site)
		return err_memory(err);
	for (size_t i = 0; i < nr; i++) {
		if (plan_other(plan, text, place[i], &site[i]))
			continue;
		/* Each of the file's entries is there. */
		while (func[entry->place.func].offset != func[place[i].func].offset)
			entry++;
		site[i] = *entry;
	}
	plan_drop_sites(plan);
	plan->site = site;
	plan->nr = nr;
	return 0;
}

/* Under the names that they were asked for by. */
static int choose_sites(struct instr_plan *plan, const struct site_text *text,
			const struct instr_place *place, size_t nr, struct instr_err *err)
{
	bool all = nr == plan->nr && !count_inside(place, nr);
	int code = all ? 0 : pick_sites(plan, text, place, nr, err);

	for (size_t i = 0; i < nr && !code; i++) {
		if (plan->site[i].place.func != place[i].func)
			plan->site[i].place.func = place[i].func;
	}
	return code;
}

/*
 * A jump displaces all of its window, so that a probe in it would not be passed. What
 * lies in the one instruction that a trap displaces is not passed without it either.
 * The byte that ends a jump into the annex is not displaced, but must stay.
 */
static void keep_windows_apart(struct instr_plan *plan, const struct site_text *text)
{
	struct instr_plan_site *site = NULL;

	for (size_t i = 0; i < plan->nr; i++) {
		struct instr_plan_site *next = &plan->site[i];

		if (!site_is_text(next))
			continue;
		if (site && site->offset == next->offset) {
			site_refuse(next, INSTR_REASON_PROBE);
			continue;
		}
		if (site && site->how == INSTR_HOW_JUMP) {
			if (site->offset + site->window_len > next->offset)
				site_plan_trap(text, site->place, INSTR_REASON_PROBE, site);
			else if (site->annex && site->offset + site->window_len == next->offset)
				site_trap_annex(site, INSTR_REASON_PROBE);
		}
		site = next;
	}
}

/* The sites' bytes, once each has its place. */
static int plan_write(struct instr_plan *plan, struct instr_err *err)
{
	uint64_t total;
	int code;

	free(plan->chunk);
	plan->chunk = NULL;
	plan->nr_chunks = 0;
	free(plan_of(plan)->code);
	plan_of(plan)->code = NULL;
	code = slab_cover(plan, &total, err);
	if (code)
		return code;
	plan_of(plan)->code = calloc(total, 1);
	if (!plan_of(plan)->code)
		return err_memory(err);
	code = slab_fill(plan, plan_of(plan)->code, err);
	return code ? code : plan_for_kernel(plan, err);
}

int instr_plan_settle(struct instr_plan *plan, const struct instr_cell *cells,
		      struct instr_err *err)
{
	int code = cells_take(plan, cells, err);

	return code ? code : plan_write(plan, err);
}

static int plan_finish(struct instr_plan *plan, struct instr_err *err)
{
	for (size_t i = 0; i < plan->nr; i++) {
		plan->nr_sites += site_is_text(&plan->site[i]);
		plan->nr_pointers += plan->site[i].how == INSTR_HOW_POINTER;
	}
	if (!plan->nr_sites && !plan->nr_pointers)
		return fail_none(plan, err);
	return instr_plan_settle(plan, NULL, err);
}

static int plan_make(struct instr_plan *plan, struct site_text *text,
		     const struct instr_place *place, size_t nr, struct instr_err *err)
{
	int code = cache_load(&plan_of(plan)->cache, plan, text) ? 0 : plan_anew(plan, text, err);

	if (!code && count_inside(place, nr))
		code = selfread_find_loads(&text->selfread, err);
	if (!code)
		code = choose_sites(plan, text, place, nr, err);
	if (code)
		return code;
	keep_windows_apart(plan, text);
	plan->nr_places = plan->nr;
	return plan_finish(plan, err);
}

/* ---- plans that time ---------------------------------------------------------- */

/* The sites become the plan's in any case. */
static int time_functions(struct instr_plan *plan, const struct site_text *text,
			  const struct instr_place *place, size_t nr, struct instr_err *err)
{
	struct timed timed;
	int code = timed_init(&timed, text, plan->file, plan->way, err);

	for (size_t i = 0; i < nr && !code; i++)
		code = timed_add(&timed, place[i].func, err);
	if (!code)
		code = timed_finish(&timed, err);
	plan->site = timed.site;
	plan->nr = timed.nr;
	timed_exit(&timed);
	return code;
}

/* Which site is the entry of each place. */
static int find_places(struct instr_plan *plan, const struct site_text *text,
		       const struct instr_place *place, size_t nr, struct instr_err *err)
{
	CLEAN(free) uint32_t *site_of = calloc(text->funcs->nr + 1, sizeof(*site_of));

	plan->place_site = calloc(nr + 1, sizeof(*plan->place_site));
	if (!site_of || !plan->place_site)
		return err_memory(err);
	for (size_t i = 0; i < plan->nr; i++) {
		if (plan->site[i].enters || plan->site[i].how == INSTR_HOW_REFUSED)
			site_of[func_first(text->funcs, plan->site[i].record)] = (uint32_t)i;
	}
	for (size_t i = 0; i < nr; i++)
		plan->place_site[i] = site_of[func_first(text->funcs, place[i].func)];
	plan->nr_places = nr;
	return 0;
}

static int check_entries(const struct instr_file *file, const struct instr_place *place,
			 size_t nr, struct instr_err *err)
{
	for (size_t i = 0; i < nr; i++) {
		if (!is_entry(place[i]))
			return instr_fail(err, -EINVAL, "%s: only whole functions have exits",
					  file->path);
	}
	return 0;
}

static uint32_t cells_for(size_t nr)
{
	uint32_t cells = TIMED_CELLS_MIN;

	while (cells < 2 * nr)
		cells *= 4;
	return cells;
}

static int plan_make_timed(struct instr_plan *plan, struct site_text *text,
			   const struct instr_place *place, size_t nr, struct instr_err *err)
{
	int code = selfread_find_loads(&text->selfread, err);

	if (!code)
		code = time_functions(plan, text, place, nr, err);
	if (!code)
		code = find_places(plan, text, place, nr, err);
	if (code)
		return code;
	code = slab_lay_out_timed(plan, text->funcs->nr, err);
	if (!code)
		code = check_room(plan, err);
	plan->layout = slab_layout_timed(plan);
	return code ? code : plan_finish(plan, err);
}

static int plan_begin(struct instr_file *file, const struct instr_place *places, size_t nr,
		      struct instr_distance distance, const struct func_table **funcs,
		      struct instr_plan **ret, struct instr_err *err)
{
	int code = func_table_get(file, funcs, err);

	if (!code)
		code = check_places(file, *funcs, places, nr, err);
	if (!code)
		code = check_distance(file, distance, err);
	if (code)
		return code;

	struct plan *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return err_memory(err);
	plan->plan.file = file;
	plan->plan.distance = distance;
	*ret = &plan->plan;
	return 0;
}

int instr_plan_create(struct instr_file *file, const struct instr_place *places,
		      size_t nr, struct instr_distance distance,
		      struct instr_plan **ret, struct instr_err *err)
{
	CLEAN(plan) struct instr_plan *plan = NULL;
	const struct func_table *funcs;
	struct site_text text;
	int code = plan_begin(file, places, nr, distance, &funcs, &plan, err);

	if (code)
		return code;
	plan->nr_cells = slab_cells(count_inside(places, nr));
	plan->kept_len = slab_kept_len(plan->nr_cells);
	code = text_init(&text, plan, funcs, err);
	if (!code)
		code = plan_make(plan, &text, places, nr, err);
	text_exit(&text);
	if (!code)
		*ret = TAKE(plan);
	return code;
}

int instr_plan_exits(struct instr_file *file, enum instr_measure measure,
		     enum instr_way way, const struct instr_place *places, size_t nr,
		     struct instr_distance distance, struct instr_plan **ret,
		     struct instr_err *err)
{
	CLEAN(plan) struct instr_plan *plan = NULL;
	const struct func_table *funcs;
	struct site_text text;
	int code = check_entries(file, places, nr, err);

	if (!code)
		code = plan_begin(file, places, nr, distance, &funcs, &plan, err);
	if (code)
		return code;
	plan->measure = measure;
	plan->way = way;
	plan->distance.annex = 0;
	plan->nr_cells = cells_for(TIMED_SITES_EACH * nr);
	code = text_init(&text, plan, funcs, err);
	text.measure = measure;
	if (!code)
		code = plan_make_timed(plan, &text, places, nr, err);
	text_exit(&text);
	if (!code)
		*ret = TAKE(plan);
	return code;
}

void instr_plan_destroy(struct instr_plan *plan)
{
	if (!plan)
		return;
	plan_drop_sites(plan);
	free(plan->place_site);
	free(plan->chunk);
	free(plan->sites);
	free(plan->traps);
	free(plan->origins);
	free(plan->rewinds);
	free(plan->shapes);
	free(plan->pointers);
	free(plan_of(plan)->code);
	free(plan);
}

const struct instr_trap *instr_plan_trap(const struct instr_plan *plan, uint64_t offset)
{
	size_t i = ARRAY_LOWER(plan->traps, plan->nr_traps, .offset, offset);

	return i < plan->nr_traps && plan->traps[i].offset == offset ? &plan->traps[i] : NULL;
}

uint64_t instr_plan_count(const struct instr_plan *plan,
			  const struct instr_plan_site *site, const void *data)
{
	uint64_t sum = 0, calls;

	for (uint32_t i = 0; i < plan->nr_shards && site->how != INSTR_HOW_REFUSED; i++) {
		memcpy(&calls, (const uint8_t *)data + site->counter + i * plan->shard_len,
		       sizeof(calls));
		sum += calls;
	}
	return sum;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Plans: what is to be changed in a file, and the code that goes with it. A plan
 * is made of a file and a list of functions alone: the same plan on any machine,
 * with no privilege and nothing changed.
 */

#include <errno.h>
#include <stdlib.h>

#include "block.h"
#include "clean.h"
#include "err.h"
#include "file.h"
#include "rseq.h"
#include "site.h"
#include "slab.h"

#define PAGE 4096

/* A plan and what is behind it. */
struct plan {
	struct instr_plan plan;
	uint8_t *code;		/* the bytes of all chunks */
};

static struct plan *plan_of(struct instr_plan *plan)
{
	return (struct plan *)plan;
}

/* ---- words ------------------------------------------------------------------ */

const char *instr_how_name(enum instr_how how)
{
	static const char *const name[] = {
		[INSTR_HOW_REFUSED] = "refused",
		[INSTR_HOW_JUMP] = "jump",
		[INSTR_HOW_TRAP] = "trap",
	};

	return how <= INSTR_HOW_TRAP ? name[how] : "";
}

const char *instr_reason_text(enum instr_reason reason)
{
	static const char *const text[INSTR_REASON_MAX] = {
		[INSTR_REASON_NONE] = "",
		[INSTR_REASON_SHORT] = "the function ends within the jump",
		[INSTR_REASON_PAGE] = "the jump would straddle two pages",
		[INSTR_REASON_LOOP] = "the function branches back into the jump",
		[INSTR_REASON_NEIGHBOUR] = "another function begins within the jump",
		[INSTR_REASON_INSN] = "an instruction within the jump can't be moved",
		[INSTR_REASON_ROOM] = "there is no room for the slot",
		[INSTR_REASON_IFUNC] = "it chooses among implementations (ifunc)",
		[INSTR_REASON_SIGNAL_FRAME] = "signal handlers return to it",
		[INSTR_REASON_UNDECODABLE] = "its first instruction is not known",
		[INSTR_REASON_UNMOVABLE] = "its first instruction can't be moved",
		[INSTR_REASON_BREAKPOINT] = "its first instruction is a breakpoint",
		[INSTR_REASON_SEGMENT] = "it is not in the text segment of the file",
		[INSTR_REASON_RSEQ] = "it is in a restartable sequence",
	};

	return reason < INSTR_REASON_MAX ? text[reason] : "";
}

/* ---- sites ------------------------------------------------------------------ */

static int check_functions(const struct instr_file *file, const struct func_table *funcs,
			   const size_t *func, size_t nr, struct instr_err *err)
{
	for (size_t i = 0; i < nr; i++) {
		if (func[i] >= funcs->nr)
			return instr_fail(err, -EINVAL, "%s: there is no function %zu",
					  file->path, func[i]);
		if (i && funcs->func[func[i]].vaddr <= funcs->func[func[i - 1]].vaddr)
			return instr_fail(err, -EINVAL,
					  "%s: functions asked for twice, or in no order",
					  file->path);
	}
	return 0;
}

/* Another top byte might not trap. */
static int check_distance(const struct instr_file *file, struct instr_distance distance,
			  struct instr_err *err)
{
	for (const struct instr_distance *known = file->distance; known->top; known++) {
		if (known->top == distance.top)
			return 0;
	}
	return instr_fail(err, -EINVAL, "%s: a slab can't lie at distance %02x", file->path,
			  distance.top);
}

/*
 * Blocks lie from the slab's start to the end of the text's image and, if none
 * of them fits there, as much behind it as all of them need.
 */
static void text_set_bounds(struct site_text *text, const struct instr_file *file, size_t nr)
{
	uint64_t end = file->text->p_offset + text->len;

	text->lowest = slab_start(text->distance, file->text->p_offset);
	text->highest = slab_start(text->distance, end) +
			(int64_t)(3 * PAGE + nr * (INSTR_BLOCK_MAX + BLOCK_SLOW_MAX));
}

static int plan_sites(struct plan *plan, const struct func_table *funcs,
		      const size_t *func, struct instr_err *err)
{
	const struct instr_file *file = plan->plan.file;
	struct site_text text = {
		.funcs = funcs,
		.bytes = file_text(file),
		.len = file->text_len,
		.vaddr = file->text->p_vaddr,
		.distance = plan->plan.distance,
	};
	int code;

	if (!text.bytes)
		return instr_fail(err, -EIO, "%s: its text can't be read", file->path);
	code = rseq_read(file, &text.rseq, &text.nr_rseq, err);
	if (code)
		return code;
	text_set_bounds(&text, file, plan->plan.nr);
	for (size_t i = 0; i < plan->plan.nr; i++)
		site_plan(&text, func[i], &plan->plan.site[i]);
	free(text.rseq);
	return 0;
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

	if (site->how == INSTR_HOW_REFUSED)
		return 0;
	if (site_traps_itself(site)) {
		if (trap)
			trap[nr] = (struct instr_trap){ site->offset, (uint64_t)site->slot };
		nr++;
	}
	for (size_t i = 1; i < site->nr_moved; i++) {
		const struct instr_moved *moved = &site->moved[i];

		if (trap)
			trap[nr] = (struct instr_trap){
				.offset = site->offset + moved->old_at,
				.target = (uint64_t)(site->block + moved->new_at),
			};
		nr++;
	}
	return nr;
}

static int plan_for_kernel(struct instr_plan *plan, struct instr_err *err)
{
	size_t nr_traps = 0, at = 0;
	struct instr_site *site;

	for (size_t i = 0; i < plan->nr; i++)
		nr_traps += site_traps(&plan->site[i], NULL);
	if (plan->nr_sites > INSTR_SITES_MAX || nr_traps > INSTR_TRAPS_MAX)
		return instr_fail(err, -E2BIG, "%s: too many functions to instrument at once",
				  plan->file->path);

	plan->sites = site = calloc(plan->nr_sites, sizeof(*plan->sites));
	plan->traps = calloc(nr_traps + 1, sizeof(*plan->traps));
	if (!plan->sites || !plan->traps)
		return err_memory(err);
	for (size_t i = 0; i < plan->nr; i++) {
		if (plan->site[i].how != INSTR_HOW_REFUSED)
			site_for_kernel(&plan->site[i], site++);
		at += site_traps(&plan->site[i], plan->traps + at);
	}
	plan->nr_traps = nr_traps;
	return 0;
}

/* ---- making a plan ---------------------------------------------------------- */

static bool segment_overlaps(const struct instr_file *file, int64_t start, int64_t end)
{
	for (size_t i = 0; i < file->nr_segments; i++) {
		const Elf64_Phdr *segment = &file->segment[i];
		int64_t first = (int64_t)(segment->p_vaddr - file->skew);

		if (segment->p_type == PT_LOAD && first < end &&
		    start < first + (int64_t)segment->p_memsz)
			return true;
	}
	return false;
}

static int check_place(const struct instr_plan *plan, struct instr_err *err)
{
	int64_t end = plan->slab_start + (int64_t)(plan->code_len + plan->data_len);

	if (segment_overlaps(plan->file, plan->slab_start, end))
		return instr_fail(err, -ENOSPC, "%s: the slab would lie in the file's own image",
				  plan->file->path);
	return 0;
}

static int fail_none(const struct instr_plan *plan, struct instr_err *err)
{
	return instr_fail(err, -ENOSPC, "%s: none of the functions can be probed",
			  plan->file->path);
}

/* Of the sites of all functions, those that were asked for stay. */
static void keep_sites(struct instr_plan *plan, const size_t *func, size_t nr)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->nr && kept < nr; i++) {
		if (plan->site[i].func != func[kept])
			continue;
		plan->site[kept++] = plan->site[i];
		plan->nr_sites += plan->site[i].how != INSTR_HOW_REFUSED;
	}
	plan->nr = kept;
}

/*
 * All functions of the file, each address once: under the name that it was asked
 * for by, if it was.
 */
static size_t *all_functions(const struct func_table *funcs, const size_t *func,
			     size_t nr, size_t *ret)
{
	size_t *all = calloc(funcs->nr + 1, sizeof(*all));
	size_t asked = 0, n = 0;

	for (size_t i = 0; all && i < funcs->nr; i++) {
		if (!n || funcs->func[i].vaddr != funcs->func[all[n - 1]].vaddr)
			all[n++] = i;
		if (asked < nr && func[asked] == i) {
			all[n - 1] = i;
			asked++;
		}
	}
	*ret = n;
	return all;
}

static int plan_slab(struct plan *plan, const size_t *func, size_t nr, struct instr_err *err)
{
	const struct instr_plan_site *first = first_site(&plan->plan);
	uint64_t total;
	int code;

	if (!first)
		return fail_none(&plan->plan, err);
	plan->plan.slab_start = slab_start(plan->plan.distance, first->offset);
	code = slab_lay_out(&plan->plan, err);
	if (code)
		return code;
	code = check_place(&plan->plan, err);
	if (code)
		return code;
	plan->plan.layout = slab_layout(&plan->plan);
	keep_sites(&plan->plan, func, nr);
	if (!plan->plan.nr_sites)
		return fail_none(&plan->plan, err);
	code = slab_cover(&plan->plan, &total, err);
	if (code)
		return code;
	plan->code = calloc(total, 1);
	if (!plan->code)
		return err_memory(err);
	slab_fill(&plan->plan, plan->code);
	return 0;
}

int instr_plan_create(struct instr_file *file, const size_t *funcs, size_t nr,
		      struct instr_distance distance, struct instr_plan **ret,
		      struct instr_err *err)
{
	const struct func_table *table;
	int code;

	code = func_table_get(file, &table, err);
	if (code)
		return code;
	code = check_functions(file, table, funcs, nr, err);
	if (code)
		return code;
	code = check_distance(file, distance, err);
	if (code)
		return code;

	struct plan *plan = calloc(1, sizeof(*plan));
	CLEAN(plan) struct instr_plan *result = (struct instr_plan *)plan;

	if (!plan)
		return err_memory(err);
	result->file = file;
	result->distance = distance;

	CLEAN(free) size_t *all = all_functions(table, funcs, nr, &result->nr);

	result->site = calloc(result->nr + 1, sizeof(*result->site));
	if (!all || !result->site)
		return err_memory(err);

	code = plan_sites(plan, table, all, err);
	if (code)
		return code;
	code = plan_slab(plan, funcs, nr, err);
	if (code)
		return code;
	code = plan_for_kernel(result, err);
	if (code)
		return code;
	*ret = TAKE(result);
	return 0;
}

void instr_plan_destroy(struct instr_plan *plan)
{
	if (!plan)
		return;
	free(plan->site);
	free(plan->chunk);
	free(plan->sites);
	free(plan->traps);
	free(plan_of(plan)->code);
	free(plan);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Timed functions.
 *
 * The entry is patched as where calls are counted; what lies in its window and leaves
 * the function is left from there. Any other exit has a site of its own: a jump over it
 * and what is before it, or the padding behind it, where that is possible and nobody
 * branches into it, and else an int3.
 */

#include "timed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "block.h"
#include "clean.h"
#include "err.h"
#include "file.h"
#include "go.h"
#include "insn.h"
#include "timing.h"
#include "unwinding.h"

#define JUMP_LEN 5

int timed_init(struct timed *timed, const struct site_text *text, struct instr_file *file,
	       enum instr_way way, struct instr_err *err)
{
	int code;

	*timed = (struct timed){ .text = text, .way = way };
	code = exits_text_init(&timed->exits, file, err);
	return code ? code : returns_init(&timed->returns, file, text->funcs, err);
}

void timed_exit(struct timed *timed)
{
	returns_exit(&timed->returns);
	exits_text_exit(&timed->exits);
}

static const struct instr_func *func_of(const struct timed *timed, size_t func)
{
	return &timed->text->funcs->func[func];
}

static uint64_t site_vaddr(const struct timed *timed, const struct instr_plan_site *site)
{
	return site->offset + timed->exits.file->skew;
}

static uint64_t site_end(const struct timed *timed, const struct instr_plan_site *site)
{
	return site_vaddr(timed, site) + site->window_len;
}

/* ---- exits in windows --------------------------------------------------------- */

static bool is_exit(const struct exits *exits, uint64_t vaddr)
{
	size_t at = ARRAY_LOWER(exits->exit, exits->nr, .vaddr, vaddr);

	return at < exits->nr && exits->exit[at].vaddr == vaddr;
}

/* A jump to the entry: the function begins once more, on another stack. */
static bool begins_again(const struct exits *exits, const struct exit *exit)
{
	const struct exits_part *part = &exits->part[exit->part];
	uint64_t at = exit->vaddr - part->start;
	struct insn insn;

	return exit->kind == EXIT_JUMP &&
	       insn_decode_flow(part->code + at, part->size - at, &insn) &&
	       exit->vaddr + (uint64_t)insn.target == exits->part[0].start;
}

static void drop_beginnings(struct exits *exits)
{
	size_t nr = 0;

	for (size_t i = 0; i < exits->nr; i++) {
		if (!begins_again(exits, &exits->exit[i]))
			exits->exit[nr++] = exits->exit[i];
	}
	exits->nr = nr;
}

static bool fits_as_it_is(struct instr_plan_site *site)
{
	block_measure(site);
	return unwind_cell_len(site) <= UNWIND_RECORD;
}

/* False: the block, or what says how to unwind out of it, would be too long for a cell. */
static bool fits_cell(struct instr_plan_site *site)
{
	site->counts_apart = false;
	if (fits_as_it_is(site))
		return true;
	site->counts_apart = true;
	return fits_as_it_is(site);
}

static bool has_goroutine(const struct timed *timed, const struct exits_part *part)
{
	return site_is_go(timed->text, part->func) && go_look_has_goroutine(part->code);
}

/* Marks what in the window leaves the function. False: it does not fit. */
static bool set_exits(const struct timed *timed, const struct exits *exits,
		      struct instr_plan_site *site)
{
	site->record = (uint32_t)exits->part[0].func;
	site->goroutine = has_goroutine(timed, &exits->part[0]);
	for (size_t i = 0; i < site->nr_moved; i++) {
		if (is_exit(exits, site_vaddr(timed, site) + site->moved[i].old_at))
			site->exits |= (uint8_t)(1 << i);
	}
	return fits_cell(site);
}

/* ---- an exit's own site ------------------------------------------------------- */

static struct instr_place place_at(const struct timed *timed, const struct exits_part *part,
				   uint64_t vaddr)
{
	return (struct instr_place){ part->func, vaddr - func_of(timed, part->func)->vaddr };
}

/* Bytes 1 to 7 behind @start that the function branches to. */
static uint8_t targets_behind(const struct exits_part *part, uint64_t start)
{
	uint8_t bits = 0;

	for (unsigned int i = 1; i < INSTR_SITE_MAX; i++) {
		if (exits_is_target(part, start + i))
			bits |= (uint8_t)(1 << i);
	}
	return bits;
}

/* A call comes back to the text, into the jump. */
static bool calls_before(const struct timed *timed, const struct instr_plan_site *site,
			 const struct exit *exit)
{
	for (size_t i = 0; i < site->nr_moved; i++) {
		if (site_vaddr(timed, site) + site->moved[i].old_at >= exit->vaddr)
			return false;
		if (site->moved[i].kind == INSN_CALL || site->moved[i].kind == INSN_CALL_INDIRECT)
			return true;
	}
	return true;
}

static bool plan_jump(const struct timed *timed, const struct exits *exits,
		      const struct exit *exit, uint64_t start, struct instr_plan_site *site)
{
	const struct exits_part *part = &exits->part[exit->part];

	site_plan_inside(timed->text, place_at(timed, part, start), targets_behind(part, start),
			 (unsigned int)(exit->vaddr + exit->len - start), site);
	return site->how == INSTR_HOW_JUMP && !calls_before(timed, site, exit) &&
	       set_exits(timed, exits, site);
}

/*
 * A jump that begins between @floor and the exit, the nearer the better, as long as who
 * comes to one comes to the other. @room: bytes that there are from its start at least, up
 * to the end of the exit.
 */
static bool plan_before(const struct timed *timed, const struct exits *exits,
			const struct exit *exit, uint64_t floor, uint64_t room,
			struct instr_plan_site *site)
{
	const struct exits_part *part = &exits->part[exit->part];
	uint64_t end = exit->vaddr + exit->len;

	for (uint64_t start = exit->vaddr; start >= floor && end - start <= SITE_REACH_MAX;
	     start--) {
		if (!exits_is_boundary(part, start))
			continue;
		if (end - start >= room && plan_jump(timed, exits, exit, start, site))
			return true;
		if (exits_is_target(part, start))
			return false;
	}
	return false;
}

/* Best is what displaces nothing behind the exit. */
static void plan_exit(const struct timed *timed, const struct exits *exits,
		      const struct exit *exit, uint64_t floor, struct instr_plan_site *site)
{
	const struct exits_part *part = &exits->part[exit->part];

	if (plan_before(timed, exits, exit, floor, JUMP_LEN, site) ||
	    plan_before(timed, exits, exit, floor, 0, site))
		return;
	site_plan_trap(timed->text, place_at(timed, part, exit->vaddr), INSTR_REASON_EXIT, site);
	if (site->how != INSTR_HOW_REFUSED)
		set_exits(timed, exits, site);
}

/* ---- a function --------------------------------------------------------------- */

/* The entry, or where a function of Go goes on behind its look, and what is in the window. */
static void plan_entry(const struct timed *timed, const struct exits *exits,
		       struct instr_plan_site *site)
{
	const struct instr_place place = { exits->part[0].func, 0 };

	site_plan(timed->text, place.func, site);
	if (site->how == INSTR_HOW_REFUSED)
		return;
	site->enters = true;
	if (!set_exits(timed, exits, site)) {
		site_plan_trap(timed->text, place, INSTR_REASON_INSN, site);
		site->enters = true;
		set_exits(timed, exits, site);
	}
}

static int push(struct timed *timed, const struct instr_plan_site *site, struct instr_err *err)
{
	return ARRAY_PUSH(timed->site, timed->nr, *site) ? 0 : err_memory(err);
}

static int push_refused(struct timed *timed, size_t func, enum instr_reason reason,
			struct instr_err *err)
{
	const struct instr_plan_site site = {
		.place = { func, 0 },
		.offset = func_of(timed, func)->offset,
		.how = INSTR_HOW_REFUSED,
		.reason = reason,
		.record = (uint32_t)func,
	};

	return push(timed, &site, err);
}

/* False: it does not fit. */
static bool set_by_slot(size_t func, struct instr_plan_site *site)
{
	site->record = (uint32_t)func;
	site->enters = true;
	site->by_slot = true;
	return fits_cell(site);
}

/* Of why its exits are not known and why it has no slot: the latter if no function has one. */
static enum instr_reason why_refused(const struct timed *timed, enum instr_reason why,
				     enum instr_reason reason)
{
	if (timed->way == INSTR_WAY_RETURN)
		return why;
	return why && reason != timed->returns.none ? why : reason;
}

/* @why it is not measured by its exits; INSTR_REASON_NONE: nobody has tried. */
static int add_by_slot(struct timed *timed, size_t func, enum instr_reason why,
		       struct instr_err *err)
{
	enum instr_reason reason = returns_check(&timed->returns, &timed->exits.cfi, func);
	struct instr_plan_site site;

	if (timed->way == INSTR_WAY_RETURN || reason)
		return push_refused(timed, func, why_refused(timed, why, reason), err);
	site_plan(timed->text, func, &site);
	if (site.how != INSTR_HOW_REFUSED && !set_by_slot(func, &site)) {
		site_plan_trap(timed->text, (struct instr_place){ func, 0 }, INSTR_REASON_INSN,
			       &site);
		set_by_slot(func, &site);
	}
	return site.how == INSTR_HOW_REFUSED ? push_refused(timed, func, site.reason, err) :
					       push(timed, &site, err);
}

static bool site_covers(const struct timed *timed, const struct instr_plan_site *site,
			const struct exit *exit)
{
	return exit->vaddr >= site_vaddr(timed, site) && exit->vaddr < site_end(timed, site);
}

/* Where a site for @exit may begin, in respect of @site. */
static uint64_t floor_of(const struct timed *timed, const struct instr_plan_site *site,
			 const struct exit *exit)
{
	return site_vaddr(timed, site) < exit->vaddr ? site_end(timed, site) : 0;
}

/* The exits that are in no window yet. A part of the function may lie before its entry. */
static int add_exits(struct timed *timed, const struct exits *exits, size_t entry,
		     enum instr_reason *refused, struct instr_err *err)
{
	struct instr_plan_site site;
	int code = 0;

	for (size_t i = 0; i < exits->nr && !code; i++) {
		const struct exit *exit = &exits->exit[i];
		const struct instr_plan_site *last = &timed->site[timed->nr - 1];
		uint64_t floor = floor_of(timed, &timed->site[entry], exit);

		if (site_covers(timed, &timed->site[entry], exit) ||
		    site_covers(timed, last, exit))
			continue;
		if (floor_of(timed, last, exit) > floor)
			floor = floor_of(timed, last, exit);
		plan_exit(timed, exits, exit, floor, &site);
		if (site.how == INSTR_HOW_REFUSED) {
			*refused = site.reason;
			return 0;
		}
		code = push(timed, &site, err);
	}
	return code;
}

static int add_sites(struct timed *timed, const struct exits *exits, struct instr_err *err)
{
	enum instr_reason refused = INSTR_REASON_NONE;
	size_t entry = timed->nr, func = exits->part[0].func;
	struct instr_plan_site site;
	int code;

	plan_entry(timed, exits, &site);
	if (site.how == INSTR_HOW_REFUSED)
		return push_refused(timed, func, site.reason, err);
	code = push(timed, &site, err);
	if (!code)
		code = add_exits(timed, exits, entry, &refused, err);
	if (!refused || code)
		return code;
	timed->nr = entry;
	return add_by_slot(timed, func, refused, err);
}

static int add_function(struct timed *timed, struct exits *exits, struct instr_err *err)
{
	if (site_is_go(timed->text, exits->part[0].func))
		drop_beginnings(exits);
	return add_sites(timed, exits, err);
}

/* Is that what is not known of a function that is called and returns? */
static bool reason_is_about_exits(enum exits_reason reason)
{
	return reason != EXITS_SEGMENT && reason != EXITS_SIGNAL_FRAME &&
	       reason != EXITS_NOT_CALLED;
}

int timed_add(struct timed *timed, size_t func, struct instr_err *err)
{
	struct exits exits;
	enum exits_reason reason = exits_find(&timed->exits, func, &exits);
	enum instr_reason why = reason ? INSTR_REASON_EXITS + reason : INSTR_REASON_NONE;
	int code;

	if (reason == EXITS_MEMORY)
		code = err_memory(err);
	else if (!reason && timed->way != INSTR_WAY_SLOT)
		code = add_function(timed, &exits, err);
	else if (reason_is_about_exits(reason))
		code = add_by_slot(timed, func_first(timed->text->funcs, func), why, err);
	else
		code = push_refused(timed, func, why, err);
	exits_exit(&exits);
	return code;
}

/* ---- what unwinds ------------------------------------------------------------- */

static const struct {
	const char *name;
	uint8_t how;
} unwinders[] = {
	{ "_Unwind_RaiseException", TIMING_EXCEPTION },
	{ "_Unwind_Resume", TIMING_RESUME },
	{ "_Unwind_Resume_or_Rethrow", TIMING_RESUME },
	{ "_Unwind_ForcedUnwind", TIMING_THREAD_END },
	{ "__cxa_begin_catch", TIMING_CATCH },
	{ "_Unwind_Find_FDE", TIMING_FIND },
	{ "dl_iterate_phdr@plt", TIMING_ITERATE },
};

/* LLVM's unwinder: others who ask for modules are shown none of ours. */
static const char asks_the_loader[] = "__unw_add_dynamic_fde";

static struct instr_plan_site *find_entry(const struct timed *timed, size_t func)
{
	for (size_t i = 0; i < timed->nr; i++) {
		if (timed->site[i].enters && timed->site[i].record == func)
			return &timed->site[i];
	}
	return NULL;
}

static int add_unwinder(struct timed *timed, size_t func, uint8_t how,
			struct instr_err *err)
{
	struct instr_plan_site *entry = find_entry(timed, func), site;

	if (entry) {
		entry->unwinds = how;
		fits_cell(entry);
		return 0;
	}
	site_plan(timed->text, func, &site);
	if (site.how == INSTR_HOW_REFUSED)
		return 0;
	site.unwinds = how;
	site.record = (uint32_t)func;
	block_measure(&site);
	return push(timed, &site, err);
}

static bool is_of_use(const struct timed *timed, uint8_t how)
{
	size_t func = FUNC_NONE;

	if (how == TIMING_ITERATE)
		return func_find_name(timed->text->funcs, asks_the_loader, &func);
	/* Who only counts has no use for the others. */
	return timed->text->measure != INSTR_EXITS || how == TIMING_FIND;
}

static int add_unwinders(struct timed *timed, struct instr_err *err)
{
	for (size_t i = 0; i < sizeof(unwinders) / sizeof(*unwinders); i++) {
		size_t func = FUNC_NONE;
		int code;

		if (!is_of_use(timed, unwinders[i].how) ||
		    !func_find_name(timed->text->funcs, unwinders[i].name, &func))
			continue;
		code = add_unwinder(timed, func, unwinders[i].how, err);
		if (code)
			return code;
	}
	return 0;
}

/* ---- all of them -------------------------------------------------------------- */

static int compare_sites(const void *a, const void *b)
{
	const struct instr_plan_site *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

static void sort_sites(struct timed *timed)
{
	if (timed->nr)
		qsort(timed->site, timed->nr, sizeof(*timed->site), compare_sites);
}

/* A function whose sites overlap with others'; one that is timed, not only known to unwind. */
enum { BAD = 1, BAD_TIMED };

static bool mark_bad(const struct timed *timed, uint8_t *bad)
{
	const struct instr_plan_site *last = NULL;
	bool any = false;

	for (size_t i = 0; i < timed->nr; i++) {
		const struct instr_plan_site *site = &timed->site[i];

		if (site->how == INSTR_HOW_REFUSED)
			continue;
		if (last && site->offset < last->offset + last->window_len) {
			bad[site->record] = bad[last->record] = BAD;
			any = true;
		}
		last = site;
	}
	return any;
}

static void drop_bad(struct timed *timed, uint8_t *bad)
{
	size_t nr = 0;

	for (size_t i = 0; i < timed->nr; i++) {
		const struct instr_plan_site *site = &timed->site[i];

		if (!bad[site->record])
			timed->site[nr++] = *site;
		else if (site->enters)
			bad[site->record] = BAD_TIMED;
	}
	timed->nr = nr;
}

typedef int timed_retry(struct timed *timed, size_t func, enum instr_reason why,
			struct instr_err *err);

/* Sorts all sites. Where those of two functions overlap @retry adds others for both. */
static int keep_apart(struct timed *timed, timed_retry *retry, struct instr_err *err)
{
	const size_t nr = timed->text->funcs->nr;
	CLEAN(free) uint8_t *bad = calloc(nr + 1, sizeof(*bad));
	int code = 0;

	if (!bad)
		return err_memory(err);
	sort_sites(timed);
	if (!mark_bad(timed, bad))
		return 0;
	drop_bad(timed, bad);
	for (size_t i = 0; i < nr && !code; i++) {
		if (bad[i] == BAD_TIMED)
			code = retry(timed, i, INSTR_REASON_SHARED, err);
	}
	sort_sites(timed);
	return code;
}

int timed_finish(struct timed *timed, struct instr_err *err)
{
	int code = keep_apart(timed, add_by_slot, err);

	if (!code)
		code = add_unwinders(timed, err);
	return code ? code : keep_apart(timed, push_refused, err);
}

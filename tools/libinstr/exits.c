// SPDX-License-Identifier: GPL-2.0
/*
 * Exits: a function is followed from its entry and its landing pads, over all branches,
 * until nothing new is found. That doesn't show where a jump by a table, or a computed
 * goto, leads to: where there is one, all bytes of the function are taken for code, as
 * compilers put nothing else there. Where there is none, what isn't reached is left
 * alone: it may be data.
 *
 * An indirect jump is a tail call if the stack is as at the entry, and no table is
 * known by which it would stay inside, and it has nowhere to go there: all of the
 * function is reached without it.
 *
 * Calls are taken to come back. That reaches more than is ever executed, and only at
 * the end of a function it must be told from falling into the next one.
 */

#include "exits.h"

#include <stdio.h>
#include <string.h>

#include "array.h"
#include "clean.h"
#include "err.h"
#include "file.h"
#include "insn.h"
#include "jump.h"
#include "landing.h"

#define PARTS_MAX 8
#define ELEMENTS_MAX 4096	/* of a table: more are not looked at */
#define INT3 0xcc
#define LOCK 0xf0

struct place {
	size_t part;
	uint64_t at;		/* bytes behind the part's start */
};

struct search {
	struct exits_text *text;
	struct exits *exits;
	struct place *todo;	/* to be followed */
	size_t nr_todo;
	struct place *jump;	/* indirect ones, to be resolved */
	size_t nr_jumps;
	bool takes_all;		/* whatever isn't reached is code too */
	bool has_all_parts;
	bool is_left_indirectly;
	enum exits_reason reason;
};

const char *exits_reason_text(enum exits_reason reason)
{
	static const char *const texts[EXITS_REASONS] = {
		[EXITS_PROVEN] = "",
		[EXITS_MEMORY] = "out of memory",
		[EXITS_SEGMENT] = "it is not in the text segment, or beyond the file's end",
		[EXITS_SIGNAL_FRAME] = "it is a signal trampoline",
		[EXITS_NOT_CALLED] = "it is a part of another function",
		[EXITS_UNDECODABLE] = "there is something that is no instruction",
		[EXITS_OVERLAP] = "a branch leads into the middle of an instruction",
		[EXITS_FALLS] = "it runs into what is behind it",
		[EXITS_STACK] = "it takes another stack, or leaves with its own frame",
		[EXITS_CALL] = "it calls a place within itself",
		[EXITS_FAR] = "it leaves by an instruction that is not known",
		[EXITS_MIDDLE] = "it jumps into the middle of another function",
		[EXITS_NOWHERE] = "it jumps to where no function is known",
		[EXITS_INDIRECT] = "an indirect jump may lead anywhere",
		[EXITS_LANDING] = "where it goes on after exceptions is not known",
		[EXITS_PARTS] = "which cold code belongs to it is not known",
	};

	return reason < EXITS_REASONS ? texts[reason] : "";
}

/* The first reason is the one that stays. */
static bool fail(struct search *search, enum exits_reason reason)
{
	if (!search->reason)
		search->reason = reason;
	return false;
}

static struct exits_part *part_at(const struct search *search, size_t part)
{
	return &search->exits->part[part];
}

/* ---- what is where ---------------------------------------------------------- */

/* "f.cold", "f.cold.1". */
static bool name_is_cold(const char *name)
{
	const char *found = NULL, *next = strstr(name, ".cold");

	for (; next; next = strstr(next + 1, ".cold"))
		found = next;
	if (!found)
		return false;
	found += strlen(".cold");
	return !*found || (*found == '.' && !found[1 + strspn(found + 1, "0123456789")]);
}

/* A part of another function: it is not called, but jumped to, with that one's frame. */
static bool func_is_cold(struct exits_text *text, size_t func)
{
	const struct func_table *funcs = text->funcs;
	uint64_t vaddr = funcs->func[func].vaddr;

	if (cfi_stack(&text->cfi, vaddr) == CFI_BELOW)
		return true;
	for (; func < funcs->nr && funcs->func[func].vaddr == vaddr; func++) {
		if (name_is_cold(funcs->func[func].name))
			return true;
	}
	return false;
}

/* False: it is not in any part that is known. */
static bool part_find(const struct search *search, uint64_t vaddr, struct place *ret)
{
	const struct exits *exits = search->exits;

	for (size_t i = 0; i < exits->nr_parts; i++) {
		if (vaddr - exits->part[i].start >= exits->part[i].size)
			continue;
		*ret = (struct place){ i, vaddr - exits->part[i].start };
		return true;
	}
	return false;
}

static bool is_entry(const struct place *place)
{
	return !place->part && !place->at;
}

/* Does @func branch into a part that is known? To the entry it may be a tail call. */
static bool func_branches_back(const struct search *search, size_t func)
{
	const struct instr_func *in = &search->text->funcs->func[func];
	uint64_t from = in->vaddr - search->text->vaddr;
	struct place place;
	struct insn insn;

	if (in->vaddr < search->text->vaddr || from >= search->text->len ||
	    search->text->len - from < in->size)
		return false;
	for (uint64_t at = 0; at < in->size; at += insn.len) {
		if (!insn_decode_flow(search->text->bytes + from + at, in->size - at, &insn))
			return false;
		if (insn.target && insn.kind != INSN_CALL &&
		    part_find(search, in->vaddr + at + (uint64_t)insn.target, &place) &&
		    !is_entry(&place))
			return true;
	}
	return false;
}

/* ---- parts ------------------------------------------------------------------ */

static bool follow(struct search *search, size_t part, uint64_t at)
{
	struct place place = { part, at };

	return ARRAY_PUSH(search->todo, search->nr_todo, place) || fail(search, EXITS_MEMORY);
}

static bool follow_target(struct search *search, struct place to)
{
	part_at(search, to.part)->mark[to.at] |= EXITS_TARGET;
	return follow(search, to.part, to.at);
}

static bool part_add(struct search *search, size_t func);

/* Landing pads are mostly in the same part; else that one is added, too. */
static bool follow_landing_pad(struct search *search, uint64_t vaddr)
{
	struct place to;
	size_t func;

	if (!part_find(search, vaddr, &to) &&
	    !(func_find(search->text->funcs, vaddr, &func) &&
	      func_is_cold(search->text, func) && part_add(search, func) &&
	      part_find(search, vaddr, &to)))
		return fail(search, EXITS_LANDING);
	return follow_target(search, to);
}

static bool part_follow_landing_pads(struct search *search, uint64_t start)
{
	uint64_t list = cfi_landing(&search->text->cfi, start), vaddr;
	struct landing landing;

	if (!list)
		return true;
	if (!landing_init(&landing, search->text->file, list,
			  cfi_frame(&search->text->cfi, start)->start))
		return fail(search, EXITS_LANDING);
	while (landing_next(&landing, &vaddr)) {
		if (!follow_landing_pad(search, vaddr))
			return false;
	}
	return !landing.is_broken || fail(search, EXITS_LANDING);
}

/* What seemed to be tail calls stays inside if it leads into the new part. */
static bool exits_withdraw(struct search *search)
{
	struct exits *exits = search->exits;
	struct exit *exit = exits->exit, *end = exit + exits->nr, *kept = exit;
	bool good = true;

	for (; exit < end; exit++) {
		const struct exits_part *part = &exits->part[exit->part];
		uint64_t at = exit->vaddr - part->start;
		struct insn insn;
		struct place to;

		if (insn_decode_flow(part->code + at, part->size - at, &insn) && insn.target &&
		    part_find(search, exit->vaddr + (uint64_t)insn.target, &to) && !is_entry(&to))
			good &= follow_target(search, to);
		else
			*kept++ = *exit;
	}
	exits->nr = (size_t)(kept - exits->exit);
	return good;
}

static bool part_add(struct search *search, size_t func)
{
	const struct exits_text *text = search->text;
	const struct instr_func *in = &text->funcs->func[func];
	uint64_t from = in->vaddr - text->vaddr;
	struct exits_part new = {
		.func = func, .start = in->vaddr, .size = in->size, .code = text->bytes + from,
	};

	if (in->vaddr < text->vaddr || from >= text->len || text->len - from < in->size)
		return fail(search, EXITS_SEGMENT);
	if (search->exits->nr_parts == PARTS_MAX)
		return fail(search, EXITS_PARTS);
	new.mark = calloc(in->size, 1);
	if (!new.mark || !ARRAY_PUSH(search->exits->part, search->exits->nr_parts, new)) {
		free(new.mark);
		return fail(search, EXITS_MEMORY);
	}
	return part_follow_landing_pads(search, in->vaddr) && exits_withdraw(search);
}

static bool cold_is_of_us(const struct search *search, size_t func)
{
	struct place place;

	return part_find(search, search->text->funcs->func[func].vaddr, &place);
}

/*
 * Cold code that nothing branches to directly. Static functions may have one name, and
 * so may their cold parts: those of others are not ours, if it can be told.
 */
static bool add_cold_named(struct search *search, const char *name)
{
	const struct func_table *funcs = search->text->funcs;
	size_t func = FUNC_NONE, first = FUNC_NONE, nr = 0, nr_ours = 0;

	while (func_find_name(funcs, name, &func)) {
		first = nr++ ? first : func;
		nr_ours += cold_is_of_us(search, func);
	}
	if (!nr || nr_ours)
		return true;
	if (nr == 1)
		return part_add(search, first);
	for (func = FUNC_NONE; func_find_name(funcs, name, &func);) {
		if (func_branches_back(search, func))
			return part_add(search, func);
	}
	return fail(search, EXITS_PARTS);
}

static bool add_cold(struct search *search)
{
	const struct func_table *funcs = search->text->funcs;
	size_t func = part_at(search, 0)->func;
	uint64_t vaddr = funcs->func[func].vaddr;
	bool good = true;

	search->has_all_parts = true;
	for (; good && func < funcs->nr && funcs->func[func].vaddr == vaddr; func++) {
		CLEAN(free) char *name = NULL;

		if (asprintf(&name, "%s.cold", funcs->func[func].name) < 0)
			return fail(search, EXITS_MEMORY);
		good = add_cold_named(search, name);
	}
	return good;
}

/* ---- exits ------------------------------------------------------------------ */

static bool exit_add(struct search *search, struct place place, const struct insn *insn,
		     enum exit_kind kind)
{
	struct exit new = {
		.vaddr = part_at(search, place.part)->start + place.at,
		.len = insn->len,
		.kind = (uint8_t)kind,
		.part = (uint8_t)place.part,
	};

	return ARRAY_PUSH(search->exits->exit, search->exits->nr, new) ||
	       fail(search, EXITS_MEMORY);
}

static enum cfi_stack stack_at(const struct search *search, struct place place)
{
	return cfi_stack(&search->text->cfi, part_at(search, place.part)->start + place.at);
}

/* Has the instruction before, which falls through, pushed where this one goes to? */
static bool return_is_pushed(const struct search *search, struct place place, uint64_t before)
{
	const struct exits_part *part = part_at(search, place.part);
	const uint8_t *code = part->code + before;
	struct insn_effect effect;
	struct insn insn;

	/* What a call pushes is gone when it comes back. */
	return before < place.at && insn_decode_flow(code, part->size - before, &insn) &&
	       insn.kind != INSN_CALL && insn.kind != INSN_CALL_INDIRECT &&
	       insn_effect(code, part->size - before, &effect) &&
	       (effect.operation == INSN_PUSH || effect.stores_on_top);
}

static bool on_return(struct search *search, struct place place, const struct insn *insn,
		      uint64_t before)
{
	enum cfi_stack stack = stack_at(search, place);

	if (stack == CFI_BELOW ||
	    (stack == CFI_UNKNOWN && return_is_pushed(search, place, before)))
		return fail(search, EXITS_STACK);
	return exit_add(search, place, insn, EXIT_RETURN);
}

static bool on_tail_call(struct search *search, struct place place, const struct insn *insn)
{
	enum cfi_stack stack = stack_at(search, place);

	if (stack == CFI_BELOW ||
	    (stack == CFI_UNKNOWN && jump_has_frame(part_at(search, place.part), place.at)))
		return fail(search, EXITS_STACK);
	return exit_add(search, place, insn,
			insn->kind == INSN_JMP ? EXIT_JUMP : EXIT_BRANCH);
}

/* Stubs of imports that have no name are in no table. */
static bool is_stub(const struct search *search, uint64_t vaddr)
{
	const struct file_section *section = file_section_find(search->text->file, vaddr);

	return section && !strncmp(section->name, ".plt", 4);
}

/*
 * Cold code may have no name that tells, and no frame yet. Where neither is so and it
 * doesn't come back, to jump to its first byte is as good as a tail call.
 */
static bool target_is_part(const struct search *search, size_t func, uint64_t target)
{
	const struct instr_func *in = &search->text->funcs->func[func];

	return func_is_cold(search->text, func) ||
	       (in->source == INSTR_FROM_EH_FRAME &&
		(in->vaddr != target || func_branches_back(search, func)));
}

/* A branch that leaves all parts that are known. */
static bool on_leave(struct search *search, struct place place, const struct insn *insn,
		     uint64_t target)
{
	struct place to;
	size_t func;

	if (is_stub(search, target))
		return on_tail_call(search, place, insn);
	if (!func_find(search->text->funcs, target, &func))
		return fail(search, EXITS_NOWHERE);
	if (target_is_part(search, func, target))
		return part_add(search, func) && part_find(search, target, &to) &&
		       follow_target(search, to);
	if (target != search->text->funcs->func[func].vaddr)
		return fail(search, EXITS_MIDDLE);
	return on_tail_call(search, place, insn);
}

static bool on_branch(struct search *search, struct place place, const struct insn *insn)
{
	uint64_t vaddr = part_at(search, place.part)->start + place.at;
	uint64_t target = vaddr + (uint64_t)insn->target;
	struct place to;

	if (!part_find(search, target, &to))
		return insn->kind == INSN_LOOP ? fail(search, EXITS_FAR) :
						 on_leave(search, place, insn, target);
	/* The entry is passed again: that is a call, if there is no frame. */
	if (is_entry(&to) && insn->kind != INSN_LOOP && stack_at(search, place) != CFI_BELOW) {
		part_at(search, 0)->mark[0] |= EXITS_TARGET;
		return on_tail_call(search, place, insn);
	}
	return follow_target(search, to);
}

/* A call within the function: what it pushes may be popped, or returned to. */
static bool on_call(struct search *search, struct place place, const struct insn *insn)
{
	uint64_t vaddr = part_at(search, place.part)->start + place.at;
	struct place to;

	return !part_find(search, vaddr + (uint64_t)insn->target, &to) || is_entry(&to) ||
	       fail(search, EXITS_CALL);
}

static bool on_indirect(struct search *search, struct place place)
{
	return ARRAY_PUSH(search->jump, search->nr_jumps, place) || fail(search, EXITS_MEMORY);
}

static bool on_insn(struct search *search, struct place place, const struct insn *insn,
		    uint64_t before)
{
	switch (insn->kind) {
	case INSN_JMP:
	case INSN_JCC:
	case INSN_LOOP:
		return on_branch(search, place, insn);
	case INSN_CALL:
		return on_call(search, place, insn);
	case INSN_RET:
		return on_return(search, place, insn, before);
	case INSN_JMP_INDIRECT:
		return on_indirect(search, place);
	case INSN_STACK:
		return fail(search, EXITS_STACK);
	case INSN_UNMOVABLE:
		return fail(search, EXITS_FAR);
	default:
		return true;
	}
}

/* ---- following -------------------------------------------------------------- */

/* Jumping over the prefix of one instruction is what some do in an atomic one. */
static bool is_behind_lock(const struct exits_part *part, uint64_t at)
{
	return at && part->mark[at - 1] & EXITS_BOUNDARY && part->code[at - 1] == LOCK;
}

/* Notes an instruction; false: it lies across another one. */
static bool mark_insn(struct search *search, const struct exits_part *part, uint64_t at,
		      unsigned int len)
{
	bool behind_lock = is_behind_lock(part, at);

	if (part->mark[at] & EXITS_WITHIN && !behind_lock)
		return fail(search, EXITS_OVERLAP);
	part->mark[at] |= EXITS_BOUNDARY;
	for (uint64_t i = at + 1; i < at + len; i++) {
		if (part->mark[i] & EXITS_BOUNDARY && !(i == at + 1 && is_behind_lock(part, i)))
			return fail(search, EXITS_OVERLAP);
		part->mark[i] |= EXITS_WITHIN;
	}
	return true;
}

/*
 * At the end of a part: has a call led there that doesn't come back? Its frame ends
 * there, too, if it has one; else something else than code follows.
 */
static bool may_end(const struct search *search, const struct exits_part *part,
		    const struct insn *last)
{
	uint64_t end = part->start + part->size;
	const struct frame *frame = cfi_frame(&search->text->cfi, end - 1);

	if (last->kind != INSN_CALL && last->kind != INSN_CALL_INDIRECT)
		return false;
	return frame ? frame->end <= end : end < func_next_vaddr(search->text->funcs, part->func);
}

static bool is_padding(const struct exits_part *part, uint64_t at, unsigned int *len)
{
	struct insn insn;

	*len = 1;
	if (part->code[at] == INT3 || !part->code[at])
		return true;
	if (!insn_decode_flow(part->code + at, part->size - at, &insn) || insn.kind != INSN_NOP)
		return false;
	*len = insn.len;
	return true;
}

/* Follows a straight line. */
static bool run(struct search *search, struct place place)
{
	const struct exits_part *part = part_at(search, place.part);
	struct insn insn, last = { .kind = INSN_PLAIN };
	uint64_t before = place.at;

	for (;;) {
		if (place.at == part->size)
			return may_end(search, part, &last) || fail(search, EXITS_FALLS);
		if (part->mark[place.at] & EXITS_BOUNDARY)
			return true;
		if (!insn_decode_flow(part->code + place.at, part->size - place.at, &insn))
			return fail(search, EXITS_UNDECODABLE);
		if (!mark_insn(search, part, place.at, insn.len) ||
		    !on_insn(search, place, &insn, before))
			return false;
		if (insn_is_terminal(&insn))
			return true;
		/* Another part may have come. */
		part = part_at(search, place.part);
		/* Nops behind a call that doesn't come back are no code. */
		if (insn.kind != INSN_NOP)
			last = insn;
		before = place.at;
		place.at += insn.len;
	}
}

static bool run_all(struct search *search)
{
	while (search->nr_todo) {
		if (!run(search, search->todo[--search->nr_todo]))
			return false;
	}
	return true;
}

/* ---- what isn't reached ----------------------------------------------------- */

#define REACHED (EXITS_BOUNDARY | EXITS_WITHIN)

/* The first byte from @at on that isn't reached and isn't padding, or the part's size. */
static uint64_t gap_find(const struct exits_part *part, uint64_t at)
{
	unsigned int len = 1;

	for (; at < part->size; at += len) {
		len = 1;
		if (!(part->mark[at] & REACHED) && !is_padding(part, at, &len))
			break;
	}
	return at < part->size ? at : part->size;
}

static bool has_gaps(const struct exits *exits)
{
	for (size_t i = 0; i < exits->nr_parts; i++) {
		if (gap_find(&exits->part[i], 0) < exits->part[i].size)
			return true;
	}
	return false;
}

static bool gaps_follow(struct search *search)
{
	for (size_t i = 0; i < search->exits->nr_parts; i++) {
		uint64_t at = 0;

		for (;;) {
			at = gap_find(part_at(search, i), at);
			if (at == part_at(search, i)->size)
				break;
			if (!run(search, (struct place){ i, at }) || !run_all(search))
				return false;
		}
	}
	return true;
}

/* ---- indirect jumps --------------------------------------------------------- */

/* Does nothing in the function change RSP? */
static bool stack_is_untouched(const struct search *search)
{
	const struct exits_part *part = part_at(search, 0);
	struct insn_effect effect;
	struct insn insn;

	for (uint64_t at = 0; at < part->size; at++) {
		if (!(part->mark[at] & EXITS_BOUNDARY) ||
		    !insn_decode_flow(part->code + at, part->size - at, &insn) ||
		    insn.kind == INSN_CALL || insn.kind == INSN_CALL_INDIRECT ||
		    insn.kind == INSN_RET)
			continue;
		if (!insn_effect(part->code + at, part->size - at, &effect) ||
		    effect.written & 1 << 4)
			return false;
	}
	return search->exits->nr_parts == 1;
}

static enum cfi_stack stack_of_jump(const struct search *search, struct place place)
{
	enum cfi_stack stack = stack_at(search, place);

	return stack == CFI_UNKNOWN && stack_is_untouched(search) ? CFI_ENTRY : stack;
}

/* A table's element that leads into cold code: is that ours? */
static bool element_find(struct search *search, uint64_t target, struct place *ret)
{
	size_t func;

	if (part_find(search, target, ret))
		return true;
	return func_find(search->text->funcs, target, &func) &&
	       func_is_cold(search->text, func) && func_branches_back(search, func) &&
	       part_add(search, func) && part_find(search, target, ret);
}

/*
 * How many elements lead into the function, but not to its entry. How many the table
 * has isn't known: what is behind its end is something else, sooner or later.
 */
static uint64_t elements_follow(struct search *search, const struct jump *jump)
{
	uint64_t nr = 0, target;
	struct place to;

	while (nr < ELEMENTS_MAX && jump_element(search->text->file, jump, nr, &target) &&
	       element_find(search, target, &to) && !is_entry(&to)) {
		part_at(search, to.part)->mark[to.at] |= EXITS_TARGET;
		nr++;
	}
	return search->reason ? 0 : nr;
}

static bool element_is_entry(const struct search *search, const struct jump *jump)
{
	uint64_t target;
	size_t func;

	return jump->is_known && jump_element(search->text->file, jump, 0, &target) &&
	       func_find(search->text->funcs, target, &func) &&
	       search->text->funcs->func[func].vaddr == target;
}

static bool on_indirect_tail_call(struct search *search, struct place place)
{
	const struct exits_part *part = part_at(search, place.part);
	struct insn insn;

	search->is_left_indirectly = true;
	return insn_decode_flow(part->code + place.at, part->size - place.at, &insn) &&
	       exit_add(search, place, &insn, EXIT_INDIRECT);
}

static bool jump_follow(struct search *search, struct place place)
{
	enum cfi_stack stack = stack_of_jump(search, place);
	struct jump jump;

	jump_resolve(part_at(search, place.part), place.at, &jump);
	if (jump.is_known && elements_follow(search, &jump) > 1) {
		search->takes_all = true;
		return true;
	}
	if (stack == CFI_BELOW) {
		search->takes_all = true;
		return !search->reason;
	}
	if (stack == CFI_UNKNOWN ||
	    (jump.source == JUMP_OFFSETS && !element_is_entry(search, &jump)))
		return fail(search, EXITS_INDIRECT);
	return on_indirect_tail_call(search, place);
}

/* ---- searching -------------------------------------------------------------- */

/* Once around: false when there is nothing more to be done, or it has failed. */
static bool search_step(struct search *search)
{
	if (!run_all(search))
		return false;
	if (search->nr_jumps)
		return jump_follow(search, search->jump[--search->nr_jumps]);
	if (!search->takes_all)
		return false;
	if (!search->has_all_parts && !add_cold(search))
		return false;
	return gaps_follow(search) && search->nr_jumps;
}

static enum exits_reason refuse(struct exits_text *text, size_t func)
{
	const struct instr_func *in = &text->funcs->func[func];

	if (!text->bytes)
		return EXITS_SEGMENT;
	if (in->is_signal_frame)
		return EXITS_SIGNAL_FRAME;
	return func_is_cold(text, func) ? EXITS_NOT_CALLED : EXITS_PROVEN;
}

static void search_run(struct search *search, size_t func)
{
	func = func_first(search->text->funcs, func);
	search->reason = refuse(search->text, func);
	if (search->reason || !part_add(search, func) || !follow(search, 0, 0))
		return;
	while (search_step(search))
		;
	/* What is behind a stub's jump is where that leads the first time. */
	if (search->is_left_indirectly && !search->takes_all &&
	    !is_stub(search, part_at(search, 0)->start) && has_gaps(search->exits))
		fail(search, EXITS_INDIRECT);
}

static int exit_compare(const void *a, const void *b)
{
	const struct exit *x = a, *y = b;

	return x->vaddr < y->vaddr ? -1 : x->vaddr > y->vaddr;
}

enum exits_reason exits_find(struct exits_text *text, size_t func, struct exits *ret)
{
	struct search search = { .text = text, .exits = ret };

	*ret = (struct exits){ 0 };
	search_run(&search, func);
	free(search.todo);
	free(search.jump);
	if (search.reason)
		exits_exit(ret);
	else if (ret->nr)
		qsort(ret->exit, ret->nr, sizeof(*ret->exit), exit_compare);
	return search.reason;
}

void exits_exit(struct exits *exits)
{
	for (size_t i = 0; i < exits->nr_parts; i++)
		free(exits->part[i].mark);
	free(exits->part);
	free(exits->exit);
	*exits = (struct exits){ 0 };
}

/* ---- texts ------------------------------------------------------------------ */

int exits_text_init(struct exits_text *text, struct instr_file *file, struct instr_err *err)
{
	int code;

	*text = (struct exits_text){
		.file = file,
		.bytes = file_text(file),
		.vaddr = file->text->p_vaddr,
		.len = file->text_len,
	};
	code = func_table_get(file, &text->funcs, err);
	return code ? code : cfi_init(&text->cfi, file, err);
}

void exits_text_exit(struct exits_text *text)
{
	cfi_exit(&text->cfi);
}

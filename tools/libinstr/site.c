// SPDX-License-Identifier: GPL-2.0
/*
 * Sites: a jump where it is safe and fast, else an int3, else nothing.
 *
 * Each byte of a jump behind its opcode traps, so a thread that comes to an old
 * instruction boundary within it is caught and led on: that is always correct,
 * but slow. A jump is refused for speed (the function branches into it) where it
 * is not for correctness (it would reach into something else).
 *
 * The last byte may also be the opcode of a call that stands there: see libinstr.h.
 *
 * Where the last byte is not 0xCC but an invalid opcode, a debugger that writes
 * int3 over it would change where the jump leads. Prefixes move the jump's bytes
 * behind the old boundaries, so that there is none at that byte; if that is not
 * possible the site is fragile.
 */

#include "site.h"

#include <errno.h>
#include <string.h>

#include "block.h"
#include "boundary.h"
#include "flags.h"
#include "go.h"
#include "insn.h"
#include "reloc.h"

#define PAGE 4096
#define JUMP_LEN 5
#define PREFIXES_MAX (INSTR_SITE_MAX - JUMP_LEN)
#define INT3 0xcc

/*
 * The instructions at an entry, as far as a patch could reach. The bits of
 * @boundaries and @targets stand for offsets from the entry.
 */
struct entry {
	const uint8_t *code;
	uint64_t code_len;		/* to the end of the text */
	uint64_t offset, vaddr;
	uint64_t size;			/* of the function */
	uint64_t next;			/* where the next one begins */
	uint8_t nr;
	uint8_t at[INSTR_MOVED_MAX];
	struct insn insn[INSTR_MOVED_MAX];
	enum instr_reason stop;		/* why there are no more */
	uint8_t boundaries;		/* where an instruction begins, as far as a patch reaches */
	uint8_t targets;		/* where the function branches to */
	uint32_t far;			/* where an instruction refers too far for 32 bits */
	unsigned int reach;		/* what must be displaced */
};

/* ---- decoding --------------------------------------------------------------- */

static bool is_padding(const struct insn *insn)
{
	return insn->kind == INSN_NOP || insn->kind == INSN_BREAKPOINT;
}

/* Does nothing come here from above? */
static bool entry_is_dead(const struct entry *entry, size_t i)
{
	while (i && is_padding(&entry->insn[i - 1]))
		i--;
	return i && insn_is_terminal(&entry->insn[i - 1]);
}

/* Nobody comes there, as far as is known; tables of GHC lie in its functions. */
static bool may_be_data(const struct entry *entry, const struct insn *insn, uint64_t at)
{
	return !is_padding(insn) && entry_is_dead(entry, entry->nr) &&
	       !(at < INSTR_SITE_MAX && entry->targets >> at & 1);
}

/* Why the instruction at @at can't be displaced too. */
static enum instr_reason entry_refuses(const struct entry *entry, const struct insn *insn,
				       uint64_t at)
{
	if (entry->next < at + insn->len)
		return INSTR_REASON_NEIGHBOUR;
	if (at >= entry->size && !is_padding(insn))
		return INSTR_REASON_SHORT;
	if (may_be_data(entry, insn, at))
		return INSTR_REASON_SHORT;
	if (insn->kind == INSN_BREAKPOINT && at < entry->size &&
	    !entry_is_dead(entry, entry->nr))
		return INSTR_REASON_INSN;
	return INSTR_REASON_NONE;
}

/* Adds the instruction at @at. False: it can't be moved. */
static bool entry_add(const struct site_text *text, struct entry *entry,
		      const struct insn *insn, uint8_t at)
{
	enum reloc_how how = reloc_choose(insn, entry->code + at,
					  (int64_t)entry->offset + at, text->lowest,
					  text->highest);

	if (how == RELOC_IMPOSSIBLE || entry->nr == INSTR_MOVED_MAX)
		return false;
	entry->at[entry->nr] = at;
	entry->insn[entry->nr] = *insn;
	entry->nr++;
	entry->boundaries |= (uint8_t)(1U << at);
	entry->far |= (uint32_t)(how == RELOC_FAR) << at;
	return true;
}

/* Where a patch of the entry's bytes could end at most. */
static uint8_t entry_end(const struct entry *entry)
{
	if (!entry->nr)
		return 0;
	return (uint8_t)(entry->at[entry->nr - 1] + entry->insn[entry->nr - 1].len);
}

/* Adds the instructions behind the first, which is there. */
static void entry_decode(const struct site_text *text, struct entry *entry)
{
	unsigned int end = entry->reach > INSTR_SITE_MAX ? entry->reach : INSTR_SITE_MAX;
	struct insn insn;
	uint8_t at;

	for (at = entry_end(entry); at < end; at = entry_end(entry)) {
		if (at >= entry->next)
			entry->stop = INSTR_REASON_NEIGHBOUR;
		else if (!insn_decode(entry->code + at, entry->code_len - at, &insn))
			entry->stop = at < entry->size ? INSTR_REASON_INSN : INSTR_REASON_SHORT;
		else
			entry->stop = entry_refuses(entry, &insn, at);
		if (!entry->stop && !entry_add(text, entry, &insn, at))
			entry->stop = INSTR_REASON_INSN;
		if (entry->stop)
			return;
	}
}

/* Would a displacement that ends at @end lead near the entry, but not to it? */
static bool leads_near(uint64_t end, int32_t displacement)
{
	return (uint32_t)end + (uint32_t)displacement - 1 < INSTR_SITE_MAX - 1;
}

static bool is_short_branch(uint8_t opcode)
{
	return (opcode & 0xf0) == 0x70 || (opcode & 0xfc) == 0xe0 || opcode == 0xeb;
}

/*
 * Where the last bytes end that could be a branch to near the entry; 0: there are
 * none. Displacements are the end of a branch. To look at all bytes is much faster
 * than to decode the instructions, and most functions have none.
 */
static uint64_t last_branch_near(const uint8_t *code, uint64_t len)
{
	const uint64_t reach = INSTR_SITE_MAX + INT8_MAX + 1;
	uint64_t last = 0, end;
	int32_t displacement;

	for (end = 2; end <= len && end < reach; end++) {
		if (is_short_branch(code[end - 2]) && leads_near(end, (int8_t)code[end - 1]))
			last = end;
	}
	for (end = 1 + sizeof(displacement); end <= len; end++) {
		memcpy(&displacement, code + end - sizeof(displacement), sizeof(displacement));
		if (leads_near(end, displacement))
			last = end > last ? end : last;
	}
	return last;
}

/*
 * Where near its entry the function branches to. Behind bytes that are no
 * instruction nothing is known; whatever branches from there is trapped.
 */
static void entry_find_targets(struct entry *entry)
{
	uint64_t size = entry->size < entry->code_len ? entry->size : entry->code_len;
	uint64_t end = last_branch_near(entry->code, size);
	struct insn insn;
	bool is_branch;

	for (uint64_t at = 0; at < end; at += insn.len) {
		if (!insn_decode_branch(entry->code + at, size - at, &insn, &is_branch))
			return;
		if (!is_branch)
			continue;

		int64_t target = (int64_t)at + insn.target;

		if (target > 0 && target < INSTR_SITE_MAX)
			entry->targets |= (uint8_t)(1 << target);
	}
}

/* ---- choosing the patch ----------------------------------------------------- */

/* The offsets from @first to @last. */
static uint8_t bits(unsigned int first, unsigned int last)
{
	return (uint8_t)((2U << last) - (1U << first));
}

/* Does each old boundary lie on a byte that traps, and that a debugger may change? */
static bool jump_is_sound(const struct site_text *text, const struct entry *entry,
			  unsigned int prefixes)
{
	unsigned int last = prefixes + JUMP_LEN - 1;
	uint8_t bad = prefixes ? bits(1, prefixes) : 0;

	if (text->distance.top != INT3)
		bad |= bits(last, last);
	return !(entry->boundaries & bad);
}

static enum instr_reason jump_reason(const struct site_text *text, const struct entry *entry,
				     unsigned int prefixes)
{
	unsigned int len = prefixes + JUMP_LEN;

	/* The first instruction alone may reach into the next function. */
	if (entry->next < len || entry->next < entry->insn[0].len)
		return INSTR_REASON_NEIGHBOUR;
	if (entry_end(entry) < len || entry_end(entry) < entry->reach)
		return entry->stop;
	if (entry->offset % PAGE + len > PAGE)
		return INSTR_REASON_PAGE;
	if (entry->targets & bits(1, len - 1))
		return INSTR_REASON_LOOP;
	return selfread_reason(&text->selfread, entry->vaddr, len);
}

/*
 * A call becomes a call of the block, which jumps to where it led: so what it pushes is
 * right by itself, and what the processor expects of the return too.
 */
static bool entry_is_call(const struct entry *entry)
{
	const struct insn *first = &entry->insn[0];

	return first->kind == INSN_CALL && first->len == JUMP_LEN;
}

/* Bytes of a jump whose last one is that of the text. */
#define ANNEX_LEN (JUMP_LEN - 1)

/* Does a call stand where the last byte of a jump would be? */
static bool entry_has_call_behind(const struct site_text *text, const struct entry *entry)
{
	for (size_t i = 0; i < entry->nr; i++) {
		if (entry->at[i] == ANNEX_LEN)
			return entry->insn[i].kind == INSN_CALL &&
			       entry->code[ANNEX_LEN] == text->distance.annex;
	}
	return false;
}

static bool annex_is_sound(const struct site_text *text, const struct entry *entry)
{
	return entry_has_call_behind(text, entry) &&
	       entry->offset % PAGE + JUMP_LEN <= PAGE &&
	       !(entry->targets & bits(1, ANNEX_LEN - 1)) &&
	       !selfread_reason(&text->selfread, entry->vaddr, ANNEX_LEN);
}

/* A debugger's int3 at the call would change where the jump leads. */
static void write_annex_jump(struct instr_plan_site *site)
{
	memcpy(site->new, "\xe9\xcc\xcc\xcc", ANNEX_LEN);
	site->patch_len = ANNEX_LEN;
	site->how = INSTR_HOW_JUMP;
	site->annex = true;
	site->fragile = true;
}

static void write_jump(struct instr_plan_site *site, struct instr_distance distance,
		       unsigned int prefixes)
{
	int32_t displacement = distance_rel32(distance);
	uint8_t *to = site->new;

	/* CS and REX.W mean nothing to a jump, in this order. */
	memset(to, 0x2e, prefixes);
	if (prefixes)
		to[prefixes - 1] = 0x48;
	to[prefixes] = site->calls ? 0xe8 : 0xe9;
	memcpy(to + prefixes + 1, &displacement, sizeof(displacement));
	site->patch_len = (uint8_t)(prefixes + JUMP_LEN);
	site->how = INSTR_HOW_JUMP;
}

static void write_trap(struct instr_plan_site *site, enum instr_reason reason)
{
	site->new[0] = INT3;
	site->patch_len = 1;
	site->how = INSTR_HOW_TRAP;
	site->reason = reason;
}

static void site_choose_patch(const struct site_text *text, const struct entry *entry,
			      struct instr_plan_site *site)
{
	enum instr_reason reason = jump_reason(text, entry, 0);

	if (text->measure == INSTR_CALLS && annex_is_sound(text, entry)) {
		write_annex_jump(site);
		return;
	}
	site->calls = text->measure == INSTR_CALLS && !reason && entry_is_call(entry);
	for (unsigned int prefixes = 0; prefixes <= PREFIXES_MAX; prefixes++) {
		if (jump_is_sound(text, entry, prefixes) && !jump_reason(text, entry, prefixes)) {
			write_jump(site, text->distance, prefixes);
			return;
		}
	}
	if (reason) {
		write_trap(site, reason);
		return;
	}
	write_jump(site, text->distance, 0);
	site->fragile = true;
}

/* ---- the window ------------------------------------------------------------- */

/* Must the block jump back? A call returns to the text by itself. */
static bool window_returns(const struct entry *entry, size_t nr)
{
	const struct insn *last = &entry->insn[nr - 1];

	return !insn_is_terminal(last) && last->kind != INSN_CALL &&
	       last->kind != INSN_CALL_INDIRECT;
}

static void site_set_window(const struct entry *entry, struct instr_plan_site *site)
{
	unsigned int reach = site->how == INSTR_HOW_JUMP ? entry->reach : 0;
	uint8_t nr = 0, end = 0;

	for (; end < site->patch_len || end < reach; nr++) {
		end = (uint8_t)(entry->at[nr] + entry->insn[nr].len);
		site->moved[nr] = (struct instr_moved){
			.old_at = entry->at[nr],
			.old_len = entry->insn[nr].len,
			.kind = entry->insn[nr].kind,
			.opcode_at = entry->insn[nr].opcode_at,
			.modrm_at = entry->insn[nr].modrm_at,
			.operand_at = entry->insn[nr].operand_at,
			.operand_on_stack = entry->insn[nr].operand_on_stack,
		};
		site->far |= entry->far & 1U << entry->at[nr];
	}
	site->nr_moved = nr;
	site->window_len = end;
	site->returns = window_returns(entry, nr);
	memcpy(site->old, entry->code, end);
}

static bool in_rseq(const struct site_text *text, uint64_t vaddr, uint64_t len)
{
	for (size_t i = 0; i < text->nr_rseq; i++) {
		if (vaddr < text->rseq[i].end && text->rseq[i].start < vaddr + len)
			return true;
	}
	return false;
}

/* ---- planning --------------------------------------------------------------- */

static bool func_is_in_text(const struct site_text *text, const struct instr_func *func)
{
	return func->vaddr >= text->vaddr && func->vaddr - text->vaddr < text->len;
}

static enum instr_reason refuse_place(const struct site_text *text,
				      const struct instr_func *func, uint64_t at)
{
	if (!func_is_in_text(text, func))
		return INSTR_REASON_SEGMENT;
	if (func->is_signal_frame)
		return INSTR_REASON_SIGNAL_FRAME;
	return at && at >= func->size ? INSTR_REASON_BOUNDARY : INSTR_REASON_NONE;
}

/* What is not in the text is refused for that. */
static bool place_is_boundary(const struct site_text *text, struct instr_place place)
{
	const struct instr_func *func = &text->funcs->func[place.func];
	uint64_t from = func->vaddr - text->vaddr;
	struct boundary boundary;

	return !place.at || !func_is_in_text(text, func) ||
	       !boundary_find(text->bytes + from, text->len - from, place.at, &boundary);
}

static enum instr_reason refuse_insn(const struct site_text *text, struct entry *entry)
{
	struct insn insn;

	if (!insn_decode(entry->code, entry->code_len, &insn))
		return INSTR_REASON_UNDECODABLE;
	if (insn.kind == INSN_BREAKPOINT)
		return INSTR_REASON_BREAKPOINT;
	if (!entry_add(text, entry, &insn, 0))
		return INSTR_REASON_UNMOVABLE;
	return selfread_reason(&text->selfread, entry->vaddr, 1);
}

/* @at bytes behind where @func begins. */
static void entry_init(const struct site_text *text, size_t func, uint64_t at,
		       struct entry *entry)
{
	const struct instr_func *of = &text->funcs->func[func];
	uint64_t from = of->vaddr - text->vaddr + at;

	*entry = (struct entry){
		.code = text->bytes + from,
		.code_len = text->len - from,
		.offset = of->offset + at,
		.vaddr = of->vaddr + at,
		.size = of->size - at,
		.next = func_next_vaddr(text->funcs, func) - of->vaddr - at,
	};
}

void site_refuse(struct instr_plan_site *site, enum instr_reason reason)
{
	*site = (struct instr_plan_site){
		.place = site->place,
		.offset = site->offset,
		.how = INSTR_HOW_REFUSED,
		.reason = reason,
	};
}

bool site_is_go(const struct site_text *text, size_t func)
{
	const struct instr_func *of = &text->funcs->func[func];

	return text->go && !of->has_frame && !of->is_stub;
}

/* From where on Go lets there be room on the stack; 0: nowhere. */
static unsigned int look_len(const struct site_text *text, const struct instr_func *func)
{
	uint64_t from = func->vaddr - text->vaddr, len = text->len - from;

	return go_look_len(text->bytes + from, func->size < len ? func->size : len);
}

/* *@at is where @place is, behind the function's first byte: an entry may be further on. */
static enum instr_reason place_find(const struct site_text *text, struct instr_place place,
				    uint64_t *at)
{
	const struct instr_func *func = &text->funcs->func[place.func];
	enum instr_reason reason = refuse_place(text, func, place.at);
	unsigned int look;

	*at = place.at;
	if (reason || !site_is_go(text, place.func))
		return reason;
	look = look_len(text, func);
	if (!look || (*at && *at < look))
		return INSTR_REASON_STACK;
	if (*at)
		return INSTR_REASON_NONE;
	*at = look;
	return refuse_place(text, func, look);
}

/* False: it is refused. */
static bool site_begin(const struct site_text *text, struct instr_place place,
		       struct entry *entry, struct instr_plan_site *site)
{
	uint64_t at;
	enum instr_reason reason = place_find(text, place, &at);

	*site = (struct instr_plan_site){
		.place = place,
		.offset = text->funcs->func[place.func].offset + at,
		.measure = text->measure,
	};
	if (!reason) {
		entry_init(text, place.func, at, entry);
		reason = refuse_insn(text, entry);
	}
	if (reason)
		site_refuse(site, reason);
	return !reason;
}

/* Does whatever the window calls directly ignore the flags? */
static bool callees_ignore_flags(const struct site_text *text, const struct entry *entry,
				 size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		int64_t at = entry->code - text->bytes + entry->at[i] + entry->insn[i].target;

		if (entry->insn[i].kind != INSN_CALL)
			continue;
		if (at < 0 || at >= (int64_t)text->len ||
		    flags_are_live(NULL, 0, text->bytes + at, text->len - (uint64_t)at))
			return false;
	}
	return true;
}

/* The patch is chosen. */
static void site_end(const struct site_text *text, const struct entry *entry,
		     struct instr_plan_site *site)
{
	site_set_window(entry, site);
	site->callee_flags_dead = callees_ignore_flags(text, entry, site->nr_moved);
	site->flags_live = site->calls ? !site->callee_flags_dead :
					 flags_are_live(entry->insn, entry->nr, entry->code,
							entry->code_len);
	block_measure(site);
	if (in_rseq(text, (uint64_t)(entry->code - text->bytes) + text->vaddr,
		    site->window_len))
		site_refuse(site, INSTR_REASON_RSEQ);
}

void site_plan(const struct site_text *text, size_t func, struct instr_plan_site *site)
{
	struct entry entry;

	if (!site_begin(text, (struct instr_place){ func, 0 }, &entry, site))
		return;
	entry_find_targets(&entry);
	entry_decode(text, &entry);
	site_choose_patch(text, &entry, site);
	site_end(text, &entry, site);
}

void site_plan_inside(const struct site_text *text, struct instr_place place,
		      uint8_t targets, unsigned int reach, struct instr_plan_site *site)
{
	struct entry entry;

	if (!site_begin(text, place, &entry, site))
		return;
	entry.reach = reach;
	entry.targets = targets;
	entry_decode(text, &entry);
	site_choose_patch(text, &entry, site);
	site_end(text, &entry, site);
}

void site_plan_trap(const struct site_text *text, struct instr_place place,
		    enum instr_reason reason, struct instr_plan_site *site)
{
	struct entry entry;
	bool begun = site_begin(text, place, &entry, site);

	if (!place_is_boundary(text, place)) {
		site_refuse(site, INSTR_REASON_BOUNDARY);
	} else if (begun) {
		write_trap(site, reason);
		site_end(text, &entry, site);
	}
}

void site_trap_annex(struct instr_plan_site *site, enum instr_reason reason)
{
	write_trap(site, reason);
	site->fragile = false;
}

/* Who goes through a pointer may have any flags and registers in use. */
void site_plan_pointer(struct instr_place place, uint64_t offset,
		       struct instr_plan_site *site)
{
	*site = (struct instr_plan_site){
		.place = place,
		.offset = offset,
		.how = INSTR_HOW_POINTER,
		.flags_live = true,
	};
	block_measure(site);
}

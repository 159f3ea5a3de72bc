// SPDX-License-Identifier: GPL-2.0
/*
 * Unwinding out of slabs.
 *
 * Code that stands for other code, slots and blocks, is described as a frame that is called
 * where the original would be: its caller is at the original address, with the registers as
 * they are there, and what the file says about that address goes on from there, landing pads
 * included. Nothing that is known to the file has to be read. Our routines are described as
 * what they are.
 *
 * A slab is the same bytes at any address, and so are descriptions: the original address is
 * computed from RIP, by way of what a cell's head says. The CFA of such a frame is
 * RSP + 1, as no frame of the program has that: libgcc takes two with one CFA for the same.
 */

#include "unwinding.h"

#include <dwarf.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>

#include "block.h"
#include "returns.h"
#include "clean.h"
#include "err.h"
#include "reloc.h"
#include "slab.h"
#include "stack.h"
#include "timing.h"

#define PAGE 4096
#define ENTRY_ALIGN 4
#define POINTERS (DW_EH_PE_pcrel | DW_EH_PE_sdata4)
#define RIP 16
#define RSP 7

_Static_assert(offsetof(struct instr_descriptor, unwind) == UNWIND_OF_SLAB &&
	       offsetof(struct instr_cell, unwind) == UNWIND_OF_CELL &&
	       offsetof(struct instr_cell, record) == UNWIND_RECORD &&
	       sizeof(struct instr_cell) == 1 << UNWIND_CELL_BITS, "lookup.S");
_Static_assert(offsetof(struct unwind_head, cells) == UNWIND_CELLS &&
	       offsetof(struct unwind_head, cells_len) == UNWIND_CELLS_LEN &&
	       offsetof(struct unwind_head, asked) == UNWIND_ASKED &&
	       offsetof(struct unwind_head, common) == UNWIND_COMMON &&
	       offsetof(struct unwind_head, slots) == UNWIND_SLOTS &&
	       offsetof(struct unwind_head, own) == UNWIND_OWN &&
	       offsetof(struct unwind_head, returns) == UNWIND_RETURNS &&
	       offsetof(struct unwind_head, slots_at) == UNWIND_SLOTS_AT &&
	       offsetof(struct unwind_head, table) == UNWIND_TABLE &&
	       offsetof(struct unwind_head, headers) == UNWIND_HEADERS &&
	       sizeof(struct unwind_head) <= UNWIND_FIND_AT, "lookup.S");

/* DWARF's numbers of registers. */
static const uint8_t dwarf_register[STACK_REGISTERS] = {
	0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15,
};

/* ---- numbers ------------------------------------------------------------------ */

static void emit_u16(struct emit *emit, uint16_t value)
{
	emit_bytes(emit, &value, sizeof(value));
}

static void emit_u32(struct emit *emit, uint32_t value)
{
	emit_bytes(emit, &value, sizeof(value));
}

static void emit_uleb(struct emit *emit, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		emit_byte(emit, (uint8_t)(value | 0x80));
	emit_byte(emit, (uint8_t)value);
}

/* Always 5 bytes: how long a description is does not depend on where code lies. */
static void emit_sleb32(struct emit *emit, int64_t value)
{
	for (int i = 0; i < 4; i++, value >>= 7)
		emit_byte(emit, (uint8_t)(value | 0x80));
	emit_byte(emit, (uint8_t)(value & 0x7f));
}

static int64_t emit_here(const struct emit *emit)
{
	return emit->position + (int64_t)emit->len;
}

/* ---- entries ------------------------------------------------------------------ */

/* It is to go on with rules. Both return where the entry begins. */
static size_t emit_cie_begin(struct emit *emit, const char *augmentation, int8_t data_align)
{
	size_t begin = emit->len;

	emit_u32(emit, 0);			/* length, see emit_entry_end() */
	emit_u32(emit, 0);
	emit_byte(emit, 1);
	emit_bytes(emit, augmentation, strlen(augmentation) + 1);
	emit_byte(emit, 1);			/* of code */
	emit_byte(emit, (uint8_t)(data_align & 0x7f));
	emit_byte(emit, RIP);			/* the return address */
	emit_byte(emit, 1);
	emit_byte(emit, POINTERS);
	return begin;
}

static size_t emit_fde_begin(struct emit *emit, int64_t cie, int64_t start, uint64_t len)
{
	size_t begin = emit->len;

	emit_u32(emit, 0);
	emit_u32(emit, (uint32_t)(emit_here(emit) - cie));
	emit_u32(emit, (uint32_t)(start - emit_here(emit)));
	emit_u32(emit, (uint32_t)len);
	emit_byte(emit, 0);
	return begin;
}

static void emit_entry_end(struct emit *emit, size_t begin)
{
	uint32_t len;

	while ((emit->len - begin) % ENTRY_ALIGN)
		emit_byte(emit, DW_CFA_nop);
	len = (uint32_t)(emit->len - begin - sizeof(len));
	if (emit->bytes)
		memcpy(emit->bytes + begin, &len, sizeof(len));
}

/* RIP is the value of @expression. */
static void emit_rip_rule(struct emit *emit, const void *expression, size_t len)
{
	emit_byte(emit, DW_CFA_val_expression);
	emit_byte(emit, RIP);
	emit_uleb(emit, len);
	emit_bytes(emit, expression, len);
}

/* ---- what stands for other code ----------------------------------------------- */

/* What is on top is 4 bytes of a signed number. */
#define OP_SIGNED						\
	DW_OP_const1u, 32, DW_OP_shl, DW_OP_const1u, 32, DW_OP_shra
/* What is on top is the address of a displacement to what is wanted. */
#define OP_FOLLOW						\
	DW_OP_dup, DW_OP_deref_size, 4, OP_SIGNED, DW_OP_plus
/* The start of the cell that RIP is in. */
#define OP_CELL							\
	DW_OP_breg16, 0, DW_OP_const2s,				\
	(uint8_t)-sizeof(struct instr_cell),			\
	(uint8_t)(-sizeof(struct instr_cell) >> 8), DW_OP_and

/*
 * What is on top is where an instruction begins: the frame is to be as it is in front of that.
 * Of a frame that calls all unwinders take what belongs to the byte before an address. LLVM's,
 * as of 14, does also of one that was interrupted ('S'), which would be the instruction before.
 */
#define OP_BEHIND							\
	DW_OP_plus_uconst, 1

#define CELL_SITE_AT	offsetof(struct instr_cell, site_at)
#define CELL_CODE_AT	offsetof(struct instr_cell, code)
#define SLEB(value)	((uint8_t)((value) & 0x7f))	/* of what is in [-64, 64) */

/* In the beginning, unless it says otherwise: RSP as it is, at the site's start. */
static const uint8_t rsp_as_it_is[] = {
	DW_CFA_def_cfa, RSP, 1,
	DW_CFA_val_expression, RSP, 2, DW_OP_lit1, DW_OP_minus,
};

static void emit_place_cie(struct emit *emit)
{
	static const uint8_t site[] = {
		OP_CELL, DW_OP_plus_uconst, CELL_SITE_AT, OP_FOLLOW, OP_BEHIND,
	};
	size_t begin = emit_cie_begin(emit, "zR", -1);

	emit_bytes(emit, rsp_as_it_is, sizeof(rsp_as_it_is));
	emit_rip_rule(emit, site, sizeof(site));
	emit_entry_end(emit, begin);
}

/* Slots: the jump there leads to the block of the site. */
static void emit_slots(struct emit *emit, int64_t cie, int64_t start, uint64_t len)
{
	static const uint8_t site[] = {
		DW_OP_breg16, 1, DW_OP_deref_size, 4, OP_SIGNED,
		DW_OP_breg16, SLEB(5 + (int)CELL_SITE_AT - (int)CELL_CODE_AT), DW_OP_plus,
		OP_FOLLOW, OP_BEHIND,
	};
	size_t begin = emit_fde_begin(emit, cie, start, len);

	emit_rip_rule(emit, site, sizeof(site));
	emit_entry_end(emit, begin);
}

static void emit_return_cie(struct emit *emit)
{
	size_t begin = emit_cie_begin(emit, "zR", -1);

	emit_bytes(emit, rsp_as_it_is, sizeof(rsp_as_it_is));
	emit_entry_end(emit, begin);
}

/*
 * Return slots: the function has returned to one, and its caller goes on where the slot's
 * entry of the table says, with the stack as it is. The processor may also be inside: the
 * slot pushes the return address, makes room on the stack, and gives that back.
 */
static void emit_returns(struct emit *emit, int64_t cie, const struct instr_plan *plan)
{
	static const uint8_t rsp[] = {
		DW_OP_breg7, 0,
		DW_OP_breg16, 0, DW_OP_lit31, DW_OP_and,
		DW_OP_dup, DW_OP_lit0 + INSTR_SLOT_RETURN, DW_OP_gt, DW_OP_lit8, DW_OP_mul,
		DW_OP_over, DW_OP_lit0 + SLOT_ROOM_AT, DW_OP_gt,
		DW_OP_pick, 2, DW_OP_lit0 + TIMING_SLOT_LEFT, DW_OP_gt,
		DW_OP_minus, DW_OP_const1u, SLOT_ROOM, DW_OP_mul, DW_OP_plus,
		DW_OP_swap, DW_OP_drop, DW_OP_plus,
	};
	static const uint8_t entry[] = { DW_OP_const1s, (uint8_t)-INSTR_SLOT_LEN, DW_OP_and,
					 DW_OP_deref };
	int64_t start = plan->slab_start + (int64_t)plan->slots;
	uint8_t bytes[16];
	struct emit to = { .bytes = bytes };
	/* It is looked for by the byte before where it goes on. */
	size_t begin = emit_fde_begin(emit, cie, start - 1, plan->nr_slots * INSTR_SLOT_LEN + 1);

	emit_byte(&to, DW_OP_breg16);
	emit_sleb32(&to, (int64_t)slab_table(plan) - (int64_t)plan->slots);
	emit_bytes(&to, entry, sizeof(entry));
	emit_rip_rule(emit, bytes, to.len);
	emit_byte(emit, DW_CFA_val_expression);
	emit_byte(emit, RSP);
	emit_uleb(emit, sizeof(rsp));
	emit_bytes(emit, rsp, sizeof(rsp));
	emit_entry_end(emit, begin);
}

/* ---- rows --------------------------------------------------------------------- */

struct rows {
	struct emit *emit;
	uint32_t at;		/* of the last row, in the code that is described */
	uint32_t last;		/* bytes of the instruction before what comes next */
	struct stack stack;
	int32_t base;		/* from the CFA down to where RSP is at depth 0 */
	int32_t align;
};

/*
 * A row may begin anywhere behind the start of the instruction before. LLVM's unwinder takes
 * only those that begin before an address, also where that was interrupted.
 */
static void emit_advance(struct rows *rows, uint32_t at)
{
	uint32_t delta;

	at -= rows->last > 1;
	delta = at - rows->at;
	if (!delta)
		return;
	if (delta < 0x40) {
		emit_byte(rows->emit, (uint8_t)(DW_CFA_advance_loc | delta));
	} else if (delta < 0x100) {
		emit_byte(rows->emit, DW_CFA_advance_loc1);
		emit_byte(rows->emit, (uint8_t)delta);
	} else {
		emit_byte(rows->emit, DW_CFA_advance_loc2);
		emit_u16(rows->emit, (uint16_t)delta);
	}
	rows->at = at;
}

static void emit_saved(struct rows *rows, unsigned int reg, int32_t depth)
{
	uint8_t number = dwarf_register[reg];

	if (!depth) {
		emit_byte(rows->emit, DW_CFA_restore | number);
		return;
	}
	emit_byte(rows->emit, DW_CFA_offset | number);
	emit_uleb(rows->emit, (uint64_t)((depth + rows->base) / rows->align));
}

/* What is negative must be a multiple of @align, and small. */
static void emit_cfa_offset(struct emit *emit, int32_t offset, int32_t align)
{
	if (offset < 0) {
		emit_byte(emit, DW_CFA_def_cfa_offset_sf);
		emit_byte(emit, SLEB(offset / -align));
	} else {
		emit_byte(emit, DW_CFA_def_cfa_offset);
		emit_uleb(emit, (uint64_t)offset);
	}
}

/* From @at on the stack is as @stack says. */
static void emit_row(struct rows *rows, uint32_t at, const struct stack *stack)
{
	if (stack_equal(&rows->stack, stack))
		return;
	emit_advance(rows, at);
	if (stack->depth != rows->stack.depth)
		emit_cfa_offset(rows->emit, stack->depth + rows->base, rows->align);
	for (unsigned int i = 0; i < STACK_REGISTERS; i++) {
		if (stack->saved[i] != rows->stack.saved[i])
			emit_saved(rows, i, stack->saved[i]);
	}
	rows->stack = *stack;
}

/* ---- blocks ------------------------------------------------------------------- */

struct block_walk {
	struct rows rows;
	const uint8_t *block;
	int64_t cell, site;	/* positions */
};

/*
 * From @at on, RIP is @old bytes behind the site's start: if @one at the start of one
 * instruction, else anywhere in several.
 */
static void emit_origin(struct block_walk *walk, uint32_t at, uint8_t old, bool one)
{
	struct emit *emit = walk->rows.emit;
	int64_t origin = walk->site + old;
	uint8_t bytes[16];
	struct emit expression = { .bytes = bytes };

	if (one) {
		emit_byte(&expression, DW_OP_breg16);
		emit_sleb32(&expression, origin + 1 - walk->cell - (int64_t)CELL_CODE_AT - at);
	} else {
		static const uint8_t cell[] = { OP_CELL };

		emit_bytes(&expression, cell, sizeof(cell));
		emit_byte(&expression, DW_OP_const4s);
		emit_u32(&expression, (uint32_t)(origin + 1 - walk->cell));
		emit_byte(&expression, DW_OP_plus);
	}
	emit_advance(&walk->rows, at);
	emit_rip_rule(emit, bytes, expression.len);
}

static void walk_code(struct block_walk *walk, uint32_t at, uint32_t end, struct stack stack)
{
	struct insn insn;

	while (at < end && insn_decode(walk->block + at, end - at, &insn)) {
		emit_row(&walk->rows, at, &stack);
		stack_step(&stack, &insn, walk->block + at);
		at += insn.len;
		walk->rows.last = insn.len;
	}
}

/* Bytes of the block from @at to @end do what the instruction @old bytes into the site did. */
static void walk_block(struct block_walk *walk, uint32_t at, uint32_t end, uint8_t old)
{
	struct stack stack = { 0 };
	struct insn insn;

	if (at < end && old && insn_decode_flow(walk->block + at, end - at, &insn))
		emit_origin(walk, at, old, at + insn.len == end);
	walk_code(walk, at, end, stack);
}

/*
 * What comes before the displaced instructions. Where no slot is found only the end of that
 * is executed, with RAX pushed; and on the way to one the return address is left.
 */
static void walk_interceptor(struct block_walk *walk, const struct instr_plan_site *site)
{
	struct stack stack = { .lowest = -8 }, missed = { .depth = 128 + 8 };
	uint32_t end = site->displaced_at;

	missed.saved[0] = missed.depth;
	if (site->by_slot)
		end -= TIMING_MISSED_LEN + 1;
	walk_code(walk, 0, end, stack);
	walk_code(walk, end, site->displaced_at, missed);
}

#define ROUTINE_ALIGN 16

uint32_t unwind_iterate_at(void)
{
	return (UNWIND_FIND_AT + (uint32_t)(unwind_find_end - unwind_find) + ROUTINE_ALIGN - 1) &
	       ~(ROUTINE_ALIGN - 1U);
}

/* Bytes of both routines, which is the same everywhere. */
static size_t own_len(void)
{
	return unwind_iterate_at() - UNWIND_FIND_AT +
	       (size_t)(unwind_iterate_end - unwind_iterate);
}

static void own_copy(uint8_t *bytes)
{
	memset(bytes, 0, own_len());
	memcpy(bytes, unwind_find, (size_t)(unwind_find_end - unwind_find));
	memcpy(bytes + unwind_iterate_at() - UNWIND_FIND_AT, unwind_iterate,
	       (size_t)(unwind_iterate_end - unwind_iterate));
}

/* Behind the routines. */
static size_t place_cie_at(void)
{
	return (UNWIND_FIND_AT + own_len() + ENTRY_ALIGN - 1) & ~(size_t)(ENTRY_ALIGN - 1);
}

static int64_t place_cie(const struct instr_plan *plan)
{
	return plan->slab_start + (int64_t)(plan->unwind + place_cie_at());
}

static void emit_block(struct emit *emit, const struct instr_plan_site *site, int64_t cie,
		       int64_t cell, const uint8_t *block)
{
	struct block_walk walk = {
		.rows = { .emit = emit, .at = (uint32_t)-1, .base = 1, .align = 1 },
		.block = block,
		.cell = cell,
		.site = (int64_t)site->offset,
	};
	/* It is looked for by the byte before where it was interrupted, too. */
	size_t begin = emit_fde_begin(emit, cie, cell + (int64_t)CELL_CODE_AT - 1,
				      site->block_len + 1U);
	uint32_t at = site->displaced_at;

	walk_interceptor(&walk, site);
	for (size_t i = 0; i < site->nr_moved; i++) {
		const struct instr_moved *moved = &site->moved[i];

		at = moved->new_at + moved->new_len;
		walk_block(&walk, moved->new_at, at, moved->old_at);
	}
	walk_block(&walk, at, site->block_len, site->window_len);
	emit_entry_end(emit, begin);
}

static size_t cell_fde_at(const struct instr_plan_site *site)
{
	return (CELL_CODE_AT + site->block_len + ENTRY_ALIGN - 1) & ~(size_t)(ENTRY_ALIGN - 1);
}

static bool block_fits_cell(const struct instr_plan_site *site)
{
	return site->block_len <= sizeof(((struct instr_cell *)NULL)->code);
}

/* More than any block that fits can have of rows; what is longer than a cell is dropped. */
#define CELL_MOST 4096

size_t unwind_cell_len(const struct instr_plan_site *site)
{
	static const struct machine machine = { .shards = 1 };
	/* Nothing else is as near as a block's own code. */
	const struct block_places nowhere = { .machine = &machine };
	uint8_t block[2 * INSTR_BLOCK_MAX];
	struct emit code = { .bytes = block, .position = 1 << 20 };
	struct emit measure = { .len = cell_fde_at(site) };

	if (!block_fits_cell(site))
		return SIZE_MAX;
	block_emit(&code, site, &nowhere);
	emit_block(&measure, site, 0, 0, block);
	return measure.len;
}

void unwind_fill_cell(const struct instr_plan *plan, const struct instr_plan_site *site,
		      uint8_t *cell)
{
	int64_t position = site->block - (int64_t)CELL_CODE_AT;
	int32_t site_at = (int32_t)((int64_t)site->offset - position - (int64_t)CELL_SITE_AT);
	uint16_t fde_at = (uint16_t)cell_fde_at(site);
	uint8_t filled[CELL_MOST];
	struct emit emit = { .bytes = filled, .len = fde_at, .position = position };

	memcpy(cell + CELL_SITE_AT, &site_at, sizeof(site_at));
	memcpy(cell + UNWIND_RECORD, &site->record, sizeof(site->record));
	if (site->by_slot)
		cell[TIMING_DISPLACED] = (uint8_t)(CELL_CODE_AT + site->displaced_at);
	if (!block_fits_cell(site))
		return;
	emit_block(&emit, site, place_cie(plan), position, cell + CELL_CODE_AT);
	if (emit.len > UNWIND_RECORD)
		return;
	memcpy(cell + UNWIND_OF_CELL, &fde_at, sizeof(fde_at));
	memcpy(cell + fde_at, filled + fde_at, emit.len - fde_at);
}

/* ---- routines ----------------------------------------------------------------- */

/* Code that is called, and what the stack is before each instruction of it. */
struct routines {
	const uint8_t *bytes;
	uint32_t len;
	bool *is_known;
	struct stack *stack;
	uint32_t beyond;	/* what goes back to the caller of the block it is called from */
	uint32_t *todo;		/* starts of instructions whose stack is known */
	uint32_t nr_todo;
};

static bool routines_init(struct routines *routines, const uint8_t *bytes, uint32_t len,
			  uint32_t beyond)
{
	*routines = (struct routines){
		.bytes = bytes,
		.len = len,
		.beyond = beyond,
		.is_known = calloc(len, sizeof(bool)),
		.stack = calloc(len, sizeof(struct stack)),
		.todo = calloc(len, sizeof(uint32_t)),
	};
	return routines->is_known && routines->stack && routines->todo;
}

static void routines_exit(struct routines *routines)
{
	free(routines->is_known);
	free(routines->stack);
	free(routines->todo);
}

/* It doesn't matter on which way somebody got there. */
static void routines_add(struct routines *routines, int64_t at, const struct stack *stack)
{
	if (at < 0 || at >= routines->len || routines->is_known[at])
		return;
	routines->is_known[at] = true;
	routines->stack[at] = *stack;
	routines->todo[routines->nr_todo++] = (uint32_t)at;
}

static void routines_follow(struct routines *routines, uint32_t at)
{
	static const struct stack entry;
	struct stack stack = routines->stack[at];
	struct insn insn;

	if (!insn_decode(routines->bytes + at, routines->len - at, &insn))
		return;
	if (insn.kind == INSN_CALL)
		routines_add(routines, at + insn.target, &entry);
	else
		stack_step(&stack, &insn, routines->bytes + at);
	if (insn.kind == INSN_JMP || insn.kind == INSN_JCC || insn.kind == INSN_LOOP)
		routines_add(routines, at + insn.target, &stack);
	if (!insn_is_terminal(&insn))
		routines_add(routines, at + insn.len, &stack);
}

/*
 * Whatever nothing of ours leads to is called from elsewhere. What is out of line lies
 * behind all that leads to it, and between routines there is nothing, or zeros.
 */
static void routines_follow_all(struct routines *routines)
{
	static const struct stack entry, beyond = { .depth = 8 + 8 + 128 };
	struct insn insn;

	for (uint32_t at = 0; at < routines->len; at += insn.len) {
		insn.len = 1;
		if (!routines->bytes[at] && !routines->is_known[at])
			continue;
		routines_add(routines, at, at == routines->beyond ? &beyond : &entry);
		while (routines->nr_todo)
			routines_follow(routines, routines->todo[--routines->nr_todo]);
		if (!insn_decode(routines->bytes + at, routines->len - at, &insn))
			insn.len = 1;
	}
}

/*
 * The @len bytes of code at @bytes, which will lie at @start. @beyond: see struct routines;
 * @len: there is none.
 */
static int emit_routines(struct emit *emit, int64_t cie, int64_t start, const uint8_t *bytes,
			 size_t len, size_t beyond, struct instr_err *err)
{
	struct rows rows = { .emit = emit, .at = (uint32_t)-1, .base = 8, .align = 8 };
	struct routines routines;
	uint32_t before = 0;
	size_t begin;

	if (!routines_init(&routines, bytes, (uint32_t)len, (uint32_t)beyond)) {
		routines_exit(&routines);
		return err_memory(err);
	}
	routines_follow_all(&routines);
	begin = emit_fde_begin(emit, cie, start - 1, len + 1);
	for (uint32_t at = 0; at < len; at++) {
		if (!routines.is_known[at])
			continue;
		rows.last = at - before;
		before = at;
		emit_row(&rows, at, &routines.stack[at]);
	}
	emit_entry_end(emit, begin);
	routines_exit(&routines);
	return 0;
}

static void emit_routine_cie(struct emit *emit)
{
	static const uint8_t called[] = {
		DW_CFA_def_cfa, RSP, 8, DW_CFA_offset | RIP, 1,
	};
	size_t begin = emit_cie_begin(emit, "zR", -8);

	emit_bytes(emit, called, sizeof(called));
	emit_entry_end(emit, begin);
}

/* ---- the unwind part ---------------------------------------------------------- */

/* All descriptions but those of cells; @head: how far behind position @part they are. */
static int emit_common(struct emit *emit, const struct instr_plan *plan, const uint8_t *page,
		       int64_t part, struct unwind_head *head, struct instr_err *err)
{
	int64_t own = plan->slab_start + (int64_t)plan->unwind + UNWIND_FIND_AT;
	int64_t cie = emit_here(emit);
	uint8_t own_bytes[UNWIND_LEN];
	int code;

	emit_place_cie(emit);
	head->slots = (uint32_t)(emit_here(emit) - part);
	emit_slots(emit, cie, plan->slab_start + PAGE, plan->unwind - PAGE);
	cie = emit_here(emit);
	emit_return_cie(emit);
	head->returns = (uint32_t)(emit_here(emit) - part);
	emit_returns(emit, cie, plan);
	cie = emit_here(emit);
	emit_routine_cie(emit);
	head->common = (uint32_t)(emit_here(emit) - part);
	code = emit_routines(emit, cie, plan->slab_start + SLAB_GATE_AT, page + SLAB_GATE_AT,
			     PAGE - SLAB_GATE_AT, PAGE, err);
	if (code)
		return code;
	head->own = (uint32_t)(emit_here(emit) - part);
	own_copy(own_bytes);
	return emit_routines(emit, cie, own, own_bytes, own_len(),
			     unwind_iterate_at() - UNWIND_FIND_AT, err);
}

/* @at: where in the unwind part the routine is. */
static void fill_holes(const struct instr_plan *plan, uint8_t *bytes, uint32_t at,
		       const uint16_t *hole, const uint16_t *end)
{
	int64_t data = plan->slab_start + (int64_t)plan->code_len;

	for (; hole < end; hole++) {
		struct emit emit = {
			.bytes = bytes + at + *hole,
			.position = plan->slab_start + (int64_t)plan->unwind + at + *hole,
		};

		emit_relative(&emit, data + (int64_t)offsetof(struct instr_control, frames), 0);
	}
}

/* The whole of the code is one segment. */
static void fill_headers(const struct instr_plan *plan, uint8_t *bytes)
{
	const Elf64_Phdr header[UNWIND_HEADERS_NR] = {
		{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_memsz = plan->code_len,
		  .p_filesz = plan->code_len, .p_align = PAGE },
		{ .p_type = PT_GNU_EH_FRAME, .p_flags = PF_R,
		  .p_vaddr = plan->unwind + UNWIND_LEN,
		  .p_offset = plan->unwind + UNWIND_LEN,
		  .p_memsz = unwind_index_len(plan), .p_filesz = unwind_index_len(plan) },
	};

	memcpy(bytes, header, sizeof(header));
}

#define HEADERS_AT (UNWIND_LEN - UNWIND_HEADERS_NR * sizeof(Elf64_Phdr))

int unwind_fill(const struct instr_plan *plan, const uint8_t *page, uint8_t *bytes,
		struct instr_err *err)
{
	struct unwind_head head = {
		.cells = plan->cells,
		.cells_len = plan->nr_cells * sizeof(struct instr_cell),
		.asked = instr_plan_len(plan) - unwind_asked_len(plan),
		.slots_at = (uint32_t)plan->slots - 1,
		.table = (uint32_t)slab_table(plan),
		.headers = HEADERS_AT,
	};
	int64_t part = plan->slab_start + (int64_t)plan->unwind;
	struct emit emit = { .position = part, .len = place_cie_at() };
	int code = emit_common(&emit, plan, page, part, &head, err);

	if (code)
		return code;
	if (emit.len > HEADERS_AT)
		return instr_fail(err, -E2BIG, "descriptions of %zu bytes", emit.len);
	emit = (struct emit){ .bytes = bytes, .position = part, .len = place_cie_at() };
	code = emit_common(&emit, plan, page, part, &head, err);
	own_copy(bytes + UNWIND_FIND_AT);
	fill_holes(plan, bytes, UNWIND_FIND_AT, unwind_holes, unwind_holes_end);
	fill_holes(plan, bytes, unwind_iterate_at(), iterate_holes, iterate_holes_end);
	fill_headers(plan, bytes + HEADERS_AT);
	memcpy(bytes, &head, sizeof(head));
	return code;
}

/* ---- the index ------------------------------------------------------------------ */

/* Of what is in all slabs: the first page, slots, routines, return slots. */
#define COMMON_ENTRIES 4

/* .eh_frame_hdr, and what follows it, in order. */
struct index {
	uint8_t version, frame_enc, nr_enc, table_enc;
	/*
	 * To .eh_frame, from here; 0: which is what ends it. And an entry that says nothing, as
	 * its displacement is 0, too, leads to what is no description.
	 */
	int32_t frame;
	uint32_t nr;
};

struct index_entry {
	int32_t start, fde;	/* from where the index begins */
};

uint64_t unwind_index_len(const struct instr_plan *plan)
{
	uint64_t len = sizeof(struct index) +
		       (COMMON_ENTRIES + plan->nr_cells) * sizeof(struct index_entry);

	return (len + PAGE - 1) & -(uint64_t)PAGE;
}

/* @start, @fde: offsets in the slab; @fde: 0: nothing is known of it. */
static void set_entry(const struct instr_plan *plan, uint8_t *bytes, uint32_t nr,
		      uint64_t start, uint64_t fde)
{
	int64_t at = (int64_t)(plan->unwind + UNWIND_LEN);
	const struct index_entry entry = {
		.start = (int32_t)((int64_t)start - at),
		.fde = fde ? (int32_t)((int64_t)fde - at) : 0,
	};

	memcpy(bytes + sizeof(struct index) + nr * sizeof(entry), &entry, sizeof(entry));
}

static uint64_t cell_at(const struct instr_plan *plan, uint32_t cell)
{
	return plan->cells + (cell - 1) * sizeof(struct instr_cell);
}

/*
 * What is in other cells nobody knows, but where they are; bytes are written once. A cell says
 * itself where its description is.
 */
static void set_cell_entries(const struct instr_plan *plan, uint8_t *bytes)
{
	for (uint32_t cell = 1; cell <= plan->nr_cells; cell++)
		set_entry(plan, bytes, COMMON_ENTRIES + cell - 1, cell_at(plan, cell), 0);
	for (size_t i = 0; i < plan->nr; i++) {
		const struct instr_plan_site *site = &plan->site[i];
		const uint8_t *block = instr_plan_block(plan, site);
		uint64_t cell = cell_at(plan, site->cell);
		uint16_t fde_at;

		if (!block)
			continue;
		memcpy(&fde_at, block - CELL_CODE_AT + UNWIND_OF_CELL, sizeof(fde_at));
		if (fde_at)
			set_entry(plan, bytes, COMMON_ENTRIES + site->cell - 1, cell,
				  cell + fde_at);
	}
}

void unwind_fill_index(const struct instr_plan *plan, const uint8_t *part, uint8_t *bytes)
{
	const struct index index = {
		.version = 1,
		.frame_enc = POINTERS,
		.nr_enc = DW_EH_PE_udata4,
		.table_enc = DW_EH_PE_datarel | DW_EH_PE_sdata4,
		.nr = COMMON_ENTRIES + plan->nr_cells,
	};
	struct unwind_head head;

	memcpy(&head, part, sizeof(head));
	memcpy(bytes, &index, sizeof(index));
	set_entry(plan, bytes, 0, SLAB_GATE_AT - 1, plan->unwind + head.common);
	set_entry(plan, bytes, 1, PAGE, plan->unwind + head.slots);
	set_entry(plan, bytes, 2, plan->unwind + UNWIND_FIND_AT - 1, plan->unwind + head.own);
	set_entry(plan, bytes, 3, plan->slots - 1, plan->unwind + head.returns);
	set_cell_entries(plan, bytes);
}

/* ---- the other way ------------------------------------------------------------ */

static int emit_image(struct emit *emit, const struct instr_plan *plan, struct instr_err *err)
{
	struct unwind_head head;
	int64_t cie = emit_here(emit);
	int code = emit_common(emit, plan, plan->chunk[0].bytes, cie, &head, err);

	for (size_t i = 0; i < plan->nr && !code; i++) {
		const struct instr_plan_site *site = &plan->site[i];

		if (site->how != INSTR_HOW_REFUSED)
			emit_block(emit, site, cie, site->block - (int64_t)CELL_CODE_AT,
				   instr_plan_block(plan, site));
	}
	emit_u32(emit, 0);
	return code;
}

int unwind_image(const struct instr_plan *plan, int64_t position, uint8_t **ret, size_t *len,
		 struct instr_err *err)
{
	struct emit emit = { .position = position };
	int code = emit_image(&emit, plan, err);

	if (code)
		return code;
	*len = emit.len;
	*ret = calloc(emit.len, 1);
	if (!*ret)
		return err_memory(err);
	emit = (struct emit){ .bytes = *ret, .position = position };
	return emit_image(&emit, plan, err);
}

/* ---- who was asked for -------------------------------------------------------- */

uint64_t unwind_asked_len(const struct instr_plan *plan)
{
	return (plan->nr_records / 8 + PAGE) & -(uint64_t)PAGE;
}

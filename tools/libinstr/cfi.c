// SPDX-License-Identifier: GPL-2.0
/*
 * Call frame information: a frame's rules are a program that makes a table, by
 * address, of where the caller's registers are. All that is asked here is the CFA,
 * which is RSP + 8 as long as the stack is as the call left it; so the rest of the
 * program is only stepped over.
 *
 * One frame's table is kept, as the next question is mostly about the same one.
 */

#include "cfi.h"

#include <dwarf.h>

#include "array.h"
#include "clean.h"
#include "insn.h"

#define RBP 6	/* DWARF's numbers */
#define RSP 7
#define RIP 16
#define NO_REGISTER UINT64_MAX

#define SAVED_MAX 16

/* The CFA: a register and an offset. */
struct cfa {
	uint64_t reg;		/* NO_REGISTER: not known */
	int64_t offset;
	bool is_expression;
};

struct machine {
	const struct frame_rules *rules;
	const uint8_t *at, *end;
	uint64_t vaddr;
	struct cfa cfa;
	struct cfa saved[SAVED_MAX];
	size_t nr_saved;
};

/* ---- numbers ---------------------------------------------------------------- */

static bool read_fixed(struct machine *machine, size_t len, uint64_t *ret)
{
	*ret = 0;
	if ((size_t)(machine->end - machine->at) < len)
		return false;
	memcpy(ret, machine->at, len);
	machine->at += len;
	return true;
}

static bool read_leb(struct machine *machine, bool is_signed, uint64_t *ret)
{
	unsigned int shift = 0;
	uint8_t byte;

	*ret = 0;
	do {
		if (machine->at >= machine->end || shift > 63)
			return false;
		byte = *machine->at++;
		*ret |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	if (is_signed && byte & 0x40 && shift < 64)
		*ret |= ~0ULL << shift;
	return true;
}

static bool read_uleb(struct machine *machine, uint64_t *ret)
{
	return read_leb(machine, false, ret);
}

static bool skip_ulebs(struct machine *machine, int nr)
{
	uint64_t value;

	while (nr--) {
		if (!read_uleb(machine, &value))
			return false;
	}
	return true;
}

static bool skip_block(struct machine *machine)
{
	uint64_t len;

	if (!read_uleb(machine, &len) || len > (uint64_t)(machine->end - machine->at))
		return false;
	machine->at += len;
	return true;
}

/* ---- the CFA ---------------------------------------------------------------- */

static bool set_register(struct machine *machine)
{
	machine->cfa.is_expression = false;
	return read_uleb(machine, &machine->cfa.reg);
}

static bool set_offset(struct machine *machine, bool is_factored)
{
	uint64_t offset;

	if (!read_leb(machine, is_factored, &offset))
		return false;
	machine->cfa.offset = (int64_t)(is_factored ?
		offset * (uint64_t)machine->rules->data_align : offset);
	return true;
}

static bool set_expression(struct machine *machine)
{
	machine->cfa = (struct cfa){ .reg = NO_REGISTER, .is_expression = true };
	return skip_block(machine);
}

/* Where nobody is to be returned to, what RSP is at is something else. */
static bool set_undefined(struct machine *machine)
{
	uint64_t reg;

	if (!read_uleb(machine, &reg))
		return false;
	if (reg == RIP)
		machine->cfa = (struct cfa){ .reg = NO_REGISTER };
	return true;
}

static bool save(struct machine *machine)
{
	if (machine->nr_saved == SAVED_MAX)
		return false;
	machine->saved[machine->nr_saved++] = machine->cfa;
	return true;
}

static bool restore(struct machine *machine)
{
	if (!machine->nr_saved)
		return false;
	machine->cfa = machine->saved[--machine->nr_saved];
	return true;
}

/*
 * RBP, once it has been pushed, is the CFA less 16 and RSP is not above it. With
 * another register nothing is known of RSP. An expression is what compilers describe
 * realigned stacks by, in which a pointer to the caller's frame is kept.
 */
static enum cfi_stack cfa_stack(const struct cfa *cfa)
{
	if (cfa->is_expression || (cfa->reg == RBP && cfa->offset == 16))
		return CFI_BELOW;
	if (cfa->reg == RSP)
		return cfa->offset == 8 ? CFI_ENTRY : CFI_BELOW;
	return CFI_UNKNOWN;
}

/* By the processor's numbers RSP is 4 and RBP is 5. */
static struct cfi_return cfa_return(const struct cfa *cfa)
{
	if (cfa->is_expression || (cfa->reg != RSP && cfa->reg != RBP))
		return (struct cfi_return){ .base = INSN_NO_REGISTER };
	return (struct cfi_return){ cfa->reg == RSP ? 4 : 5, cfa->offset - 8 };
}

/* ---- the program ------------------------------------------------------------ */

static bool advance(struct machine *machine, uint64_t delta)
{
	machine->vaddr += delta * machine->rules->code_align;
	return true;
}

static bool advance_fixed(struct machine *machine, size_t len)
{
	uint64_t delta;

	return read_fixed(machine, len, &delta) && advance(machine, delta);
}

/* False: the program is broken, or does what is not known. */
static bool machine_step(struct machine *machine)
{
	uint8_t code = *machine->at++;

	switch (code & 0xc0) {
	case DW_CFA_advance_loc:
		return advance(machine, code & 0x3f);
	case DW_CFA_offset:
		return skip_ulebs(machine, 1);
	case DW_CFA_restore:
		return true;
	}
	switch (code) {
	case DW_CFA_nop:
		return true;
	case DW_CFA_advance_loc1:
		return advance_fixed(machine, 1);
	case DW_CFA_advance_loc2:
		return advance_fixed(machine, 2);
	case DW_CFA_advance_loc4:
		return advance_fixed(machine, 4);
	case DW_CFA_undefined:
		return set_undefined(machine);
	case DW_CFA_restore_extended:
	case DW_CFA_same_value:
	case DW_CFA_GNU_args_size:
		return skip_ulebs(machine, 1);
	case DW_CFA_offset_extended:
	case DW_CFA_register:
	case DW_CFA_offset_extended_sf:
	case DW_CFA_val_offset:
	case DW_CFA_val_offset_sf:
	case DW_CFA_GNU_negative_offset_extended:
		return skip_ulebs(machine, 2);
	case DW_CFA_expression:
	case DW_CFA_val_expression:
		return skip_ulebs(machine, 1) && skip_block(machine);
	case DW_CFA_remember_state:
		return save(machine);
	case DW_CFA_restore_state:
		return restore(machine);
	case DW_CFA_def_cfa:
		return set_register(machine) && set_offset(machine, false);
	case DW_CFA_def_cfa_sf:
		return set_register(machine) && set_offset(machine, true);
	case DW_CFA_def_cfa_register:
		return set_register(machine);
	case DW_CFA_def_cfa_offset:
		return set_offset(machine, false);
	case DW_CFA_def_cfa_offset_sf:
		return set_offset(machine, true);
	case DW_CFA_def_cfa_expression:
		return set_expression(machine);
	default:
		return false;
	}
}

/* False: out of memory, and nothing is known. A row at the place of the last one replaces it. */
static bool cfi_add(struct cfi *cfi, uint64_t vaddr, const struct cfa *cfa)
{
	struct cfi_row row = { vaddr, cfa_stack(cfa), cfa_return(cfa) };
	const struct cfi_row *last = cfi->nr_rows ? &cfi->row[cfi->nr_rows - 1] : NULL;

	if (last && last->vaddr == vaddr) {
		cfi->row[cfi->nr_rows - 1] = row;
		return true;
	}
	if (last && last->stack == row.stack && last->at.base == row.at.base &&
	    last->at.displacement == row.at.displacement)
		return true;
	if (ARRAY_PUSH(cfi->row, cfi->nr_rows, row))
		return true;
	cfi->nr_rows = 0;
	return false;
}

/* Behind what is not understood nothing is known. */
static bool machine_run(struct machine *machine, const uint8_t *at, const uint8_t *end,
			struct cfi *cfi)
{
	static const struct cfa unknown = { .reg = NO_REGISTER };

	machine->at = at;
	machine->end = end;
	while (machine->at < end) {
		if (!machine_step(machine)) {
			cfi_add(cfi, machine->vaddr, &unknown);
			return false;
		}
		if (!cfi_add(cfi, machine->vaddr, &machine->cfa))
			return false;
	}
	return true;
}

static void cfi_read(struct cfi *cfi, const struct frame *frame)
{
	struct frame_rules rules;
	struct machine machine = {
		.rules = &rules,
		.vaddr = frame->start,
		.cfa.reg = NO_REGISTER,
	};

	cfi->of = frame;
	cfi->nr_rows = 0;
	cfi->landing = 0;
	if (!frame_rules_read(cfi->walk, frame, &rules))
		return;
	cfi->landing = rules.landing;
	if (machine_run(&machine, rules.common, rules.common_end, cfi))
		machine_run(&machine, rules.own, rules.own_end, cfi);
}

/* ---- questions -------------------------------------------------------------- */

const struct frame *cfi_frame(const struct cfi *cfi, uint64_t vaddr)
{
	size_t behind;

	if (cfi->of && vaddr >= cfi->of->start && vaddr < cfi->of->end)
		return cfi->of;
	behind = ARRAY_LOWER(cfi->frame, cfi->nr_frames, .start, vaddr + 1);
	return behind && vaddr < cfi->frame[behind - 1].end ? &cfi->frame[behind - 1] : NULL;
}

static bool cfi_find(struct cfi *cfi, uint64_t vaddr)
{
	const struct frame *frame = cfi_frame(cfi, vaddr);

	if (frame && frame != cfi->of)
		cfi_read(cfi, frame);
	return frame;
}

static const struct cfi_row *row_find(struct cfi *cfi, uint64_t vaddr)
{
	size_t behind;

	if (!cfi_find(cfi, vaddr))
		return NULL;
	behind = ARRAY_LOWER(cfi->row, cfi->nr_rows, .vaddr, vaddr + 1);
	return behind ? &cfi->row[behind - 1] : NULL;
}

enum cfi_stack cfi_stack(struct cfi *cfi, uint64_t vaddr)
{
	const struct cfi_row *row = row_find(cfi, vaddr);

	return row ? row->stack : CFI_UNKNOWN;
}

struct cfi_return cfi_return(struct cfi *cfi, uint64_t vaddr)
{
	const struct cfi_row *row = row_find(cfi, vaddr);

	return row ? row->at : (struct cfi_return){ .base = INSN_NO_REGISTER };
}

uint64_t cfi_landing(struct cfi *cfi, uint64_t vaddr)
{
	return cfi_find(cfi, vaddr) ? cfi->landing : 0;
}

/* ---- life ------------------------------------------------------------------- */

int cfi_init(struct cfi *cfi, const struct instr_file *file, struct instr_err *err)
{
	int code;

	*cfi = (struct cfi){ .walk = frame_walk_create(file) };
	if (!cfi->walk)
		return 0;
	code = frames_read(file, &cfi->frame, &cfi->nr_frames, err);
	if (code)
		cfi_exit(cfi);
	return code;
}

void cfi_exit(struct cfi *cfi)
{
	free(cfi->walk);
	free(cfi->frame);
	free(cfi->row);
	*cfi = (struct cfi){ 0 };
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Indirect jumps: a register's value is followed back, as far as nothing else can
 * lead to what is looked at. Compilers make these of a switch:
 *
 *	lea table(%rip), %rA			jmp *table(,%rB,8)
 *	movslq (%rA,%rB,4), %rC
 *	add %rA, %rC
 *	jmp *%rC
 */

#include "jump.h"

#include <string.h>

#include "file.h"
#include "insn.h"

/* RAX, RCX, RDX, RSI, RDI, R8 to R11: what a callee may change. */
#define CALLEE_WRITES 0x0fc7
#define RSP_WRITTEN (1 << 4)

struct trace {
	const struct exits_part *part;
	uint64_t at;
	struct insn_effect effect;	/* of the instruction there */
};

static bool trace_read(struct trace *trace)
{
	const struct exits_part *part = trace->part;

	return insn_effect(part->code + trace->at, part->size - trace->at, &trace->effect);
}

/* To the instruction before, unless this one may be reached from elsewhere. */
static bool trace_back(struct trace *trace)
{
	const uint8_t *mark = trace->part->mark;
	uint64_t at = trace->at;
	struct insn insn;

	if (!at || mark[at] & EXITS_TARGET)
		return false;
	do {
		at--;
	} while (at && (mark[at] & (EXITS_BOUNDARY | EXITS_WITHIN)) == EXITS_WITHIN);
	if (!(mark[at] & EXITS_BOUNDARY) ||
	    !insn_decode_flow(trace->part->code + at, trace->part->size - at, &insn) ||
	    at + insn.len != trace->at || insn_is_terminal(&insn))
		return false;
	trace->at = at;
	if (!trace_read(trace))
		return false;
	if (insn.kind == INSN_CALL || insn.kind == INSN_CALL_INDIRECT)
		trace->effect.written = CALLEE_WRITES;
	return true;
}

/* To where @reg got its value, moves between registers aside. */
static bool trace_to(struct trace *trace, uint8_t reg)
{
	while (reg != INSN_NO_REGISTER && trace_back(trace)) {
		const struct insn_effect *effect = &trace->effect;

		if (!(effect->written & 1 << reg))
			continue;
		if (effect->operation != INSN_MOVE || effect->is_memory || effect->to != reg)
			return true;
		reg = effect->from;
	}
	return false;
}

/* ---- addresses -------------------------------------------------------------- */

/* "lea x(%rip), @reg". */
static bool is_address(const struct trace *trace, uint8_t reg)
{
	return trace->effect.operation == INSN_ADDRESS && trace->effect.is_relative &&
	       trace->effect.to == reg;
}

static uint64_t trace_address(const struct trace *trace)
{
	return trace->part->start + trace->at + (uint64_t)trace->effect.displacement;
}

/*
 * Compilers may take an address long before it is used: the last time before, by place,
 * is the best guess. What is at that address then has to tell.
 */
static bool guess_address(const struct trace *from, uint8_t reg, uint64_t *ret)
{
	struct trace trace = *from;
	const uint8_t *code;

	while (trace.at) {
		trace.at--;
		code = trace.part->code + trace.at;
		if (!(trace.part->mark[trace.at] & EXITS_BOUNDARY) ||
		    trace.part->size - trace.at < 3 || (code[0] & 0xf8) != 0x48 ||
		    code[1] != 0x8d || (code[2] & 0xc7) != 0x05)
			continue;
		if (!trace_read(&trace) || !is_address(&trace, reg))
			continue;
		*ret = trace_address(&trace);
		return true;
	}
	return false;
}

/* The address in @reg, before the instruction of @trace. */
static bool find_address(const struct trace *from, uint8_t reg, uint64_t *ret)
{
	struct trace trace = *from;
	uint8_t to;

	if (reg == INSN_NO_REGISTER)
		return false;
	if (!trace_to(&trace, reg))
		return guess_address(from, reg, ret);
	to = trace.effect.to;
	if (to == INSN_NO_REGISTER || !is_address(&trace, to))
		return false;
	*ret = trace_address(&trace);
	return true;
}

/* Where the memory is whose index is 0. */
static bool find_array(const struct trace *trace, uint64_t *ret)
{
	const struct insn_effect *effect = &trace->effect;
	uint64_t base = 0;

	if (effect->is_relative ||
	    (effect->base != INSN_NO_REGISTER && !find_address(trace, effect->base, &base)))
		return false;
	*ret = base + (uint64_t)effect->displacement;
	return true;
}

/* ---- sources ---------------------------------------------------------------- */

static bool is_indexed(const struct trace *trace, unsigned int scale)
{
	return trace->effect.is_memory && trace->effect.index != INSN_NO_REGISTER &&
	       trace->effect.scale == scale;
}

static void set_pointers(const struct trace *trace, struct jump *ret)
{
	if (!is_indexed(trace, 8))
		return;
	ret->source = JUMP_POINTERS;
	ret->is_known = find_array(trace, &ret->array);
}

/* One of @offset and @base is an element, if this is a table's jump. */
static bool set_offsets(const struct trace *add, uint8_t offset, uint8_t base, struct jump *ret)
{
	struct trace trace = *add;

	if (!trace_to(&trace, offset) || trace.effect.operation != INSN_MOVE_SIGNED ||
	    !is_indexed(&trace, 4))
		return false;
	ret->source = JUMP_OFFSETS;
	ret->is_known = find_array(&trace, &ret->array) && find_address(add, base, &ret->base);
	return true;
}

static void set_register(struct trace *trace, uint8_t reg, struct jump *ret)
{
	const struct insn_effect *effect = &trace->effect;
	uint8_t to, from;

	if (!trace_to(trace, reg))
		return;
	to = effect->to;
	from = effect->from;
	if (effect->operation == INSN_MOVE)
		set_pointers(trace, ret);
	else if (effect->operation == INSN_ADD && !set_offsets(trace, to, from, ret))
		set_offsets(trace, from, to, ret);
}

void jump_resolve(const struct exits_part *part, uint64_t at, struct jump *ret)
{
	struct trace trace = { .part = part, .at = at };

	*ret = (struct jump){ .source = JUMP_ANYTHING };
	if (!trace_read(&trace) || trace.effect.operation != INSN_GO)
		return;
	if (trace.effect.is_memory)
		set_pointers(&trace, ret);
	else
		set_register(&trace, trace.effect.from, ret);
}

bool jump_has_frame(const struct exits_part *part, uint64_t at)
{
	struct trace trace = { .part = part, .at = at };

	while (trace_back(&trace)) {
		if (trace.effect.written & RSP_WRITTEN)
			return trace.effect.lowers_stack;
	}
	return false;
}

/* ---- tables ----------------------------------------------------------------- */

bool jump_element(const struct instr_file *file, const struct jump *jump, uint64_t i,
		  uint64_t *ret)
{
	uint64_t size = jump->source == JUMP_OFFSETS ? sizeof(int32_t) : sizeof(uint64_t);
	const uint8_t *bytes = file_bytes_at(file, jump->array + i * size, size);
	int32_t offset;

	if (!bytes)
		return false;
	if (jump->source == JUMP_OFFSETS) {
		memcpy(&offset, bytes, sizeof(offset));
		*ret = jump->base + (uint64_t)(int64_t)offset;
	} else {
		memcpy(ret, bytes, sizeof(*ret));
	}
	return true;
}

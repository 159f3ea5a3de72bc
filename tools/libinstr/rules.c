// SPDX-License-Identifier: GPL-2.0
/*
 * Rules of call frames: programs whose operands are numbers, and expressions, which are
 * programs for a stack. Debuggers execute them for as long as they go on: so what an
 * expression jumps to must be an operation behind it.
 */

#include "rules.h"

#include <dwarf.h>
#include <string.h>

/* Longer expressions are none of ours. */
#define EXPRESSION_MAX 255
/* Debuggers make tables that have room for whatever is named; x86-64 has no more. */
#define REGISTERS 67

struct reader {
	const uint8_t *at, *end;
};

static bool read_bytes(struct reader *reader, size_t len)
{
	if ((size_t)(reader->end - reader->at) < len)
		return false;
	reader->at += len;
	return true;
}

/* Signed or not. */
static bool read_leb(struct reader *reader, uint64_t *ret)
{
	*ret = 0;
	for (unsigned int shift = 0; shift < 63 && reader->at < reader->end; shift += 7) {
		uint8_t byte = *reader->at++;

		*ret |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

/*
 * What follows an operation or an instruction: "1", "2", "4", "8" bytes, a number "u", "r":
 * a register's, "j": where to jump, "e": an expression, with its length. NULL: it isn't
 * known.
 */
static const char *const operations[256] = {
	[DW_OP_addr] = "8", [DW_OP_deref] = "", [DW_OP_deref_size] = "1",
	[DW_OP_const1u] = "1", [DW_OP_const1s] = "1", [DW_OP_const2u] = "2",
	[DW_OP_const2s] = "2", [DW_OP_const4u] = "4", [DW_OP_const4s] = "4",
	[DW_OP_const8u] = "8", [DW_OP_const8s] = "8", [DW_OP_constu] = "u",
	[DW_OP_consts] = "u", [DW_OP_dup] = "", [DW_OP_drop] = "", [DW_OP_over] = "",
	[DW_OP_pick] = "1", [DW_OP_swap] = "", [DW_OP_rot] = "", [DW_OP_abs] = "",
	[DW_OP_and] = "", [DW_OP_div] = "", [DW_OP_minus] = "", [DW_OP_mod] = "",
	[DW_OP_mul] = "", [DW_OP_neg] = "", [DW_OP_not] = "", [DW_OP_or] = "",
	[DW_OP_plus] = "", [DW_OP_plus_uconst] = "u", [DW_OP_shl] = "", [DW_OP_shr] = "",
	[DW_OP_shra] = "", [DW_OP_xor] = "", [DW_OP_bra] = "j", [DW_OP_skip] = "j",
	[DW_OP_eq] = "", [DW_OP_ge] = "", [DW_OP_gt] = "", [DW_OP_le] = "", [DW_OP_lt] = "",
	[DW_OP_ne] = "", [DW_OP_nop] = "",
	[DW_OP_lit0 ... DW_OP_lit31] = "", [DW_OP_breg0 ... DW_OP_breg31] = "u",
};

static const char *const instructions[DW_CFA_val_expression + 1] = {
	[DW_CFA_nop] = "", [DW_CFA_advance_loc1] = "1", [DW_CFA_advance_loc2] = "2",
	[DW_CFA_advance_loc4] = "4", [DW_CFA_offset_extended] = "ru",
	[DW_CFA_restore_extended] = "r", [DW_CFA_undefined] = "r", [DW_CFA_same_value] = "r",
	[DW_CFA_register] = "rr", [DW_CFA_remember_state] = "", [DW_CFA_restore_state] = "",
	[DW_CFA_def_cfa] = "ru", [DW_CFA_def_cfa_register] = "r",
	[DW_CFA_def_cfa_offset] = "u", [DW_CFA_def_cfa_expression] = "e",
	[DW_CFA_expression] = "re", [DW_CFA_offset_extended_sf] = "ru",
	[DW_CFA_def_cfa_sf] = "ru", [DW_CFA_def_cfa_offset_sf] = "u",
	[DW_CFA_val_offset] = "ru", [DW_CFA_val_offset_sf] = "ru",
	[DW_CFA_val_expression] = "re",
};

/* ---- expressions -------------------------------------------------------------- */

/* Where operations begin, and where some jump to; the end is one of these. */
struct expression {
	bool begins[EXPRESSION_MAX + 1];
	bool is_target[EXPRESSION_MAX + 1];
};

/* From behind @reader. */
static bool read_jump(struct reader *reader, const uint8_t *start,
		      struct expression *expression)
{
	int16_t distance;

	if (!read_bytes(reader, sizeof(distance)))
		return false;
	memcpy(&distance, reader->at - sizeof(distance), sizeof(distance));
	if (distance < 0 || distance > reader->end - reader->at)
		return false;
	expression->is_target[reader->at - start + distance] = true;
	return true;
}

static bool read_operation(struct reader *reader, const uint8_t *start,
			   struct expression *expression)
{
	const char *operand = operations[*reader->at++];
	uint64_t value;

	if (!operand || !*operand)
		return operand;
	if (*operand == 'j')
		return read_jump(reader, start, expression);
	if (*operand == 'u')
		return read_leb(reader, &value);
	return read_bytes(reader, (size_t)(*operand - '0'));
}

static bool read_expression(struct reader *reader)
{
	struct expression expression = { 0 };
	const uint8_t *start;
	struct reader own;
	uint64_t len;

	if (!read_leb(reader, &len) || !len || len > EXPRESSION_MAX)
		return false;
	start = reader->at;
	if (!read_bytes(reader, len))
		return false;
	own = (struct reader){ start, start + len };
	while (own.at < own.end) {
		expression.begins[own.at - start] = true;
		if (!read_operation(&own, start, &expression))
			return false;
	}
	expression.begins[len] = true;
	for (size_t i = 0; i <= len; i++) {
		if (expression.is_target[i] && !expression.begins[i])
			return false;
	}
	return true;
}

/* ---- instructions ------------------------------------------------------------- */

static bool read_operand(struct reader *reader, char operand)
{
	uint64_t value;

	switch (operand) {
	case 'r':
		return read_leb(reader, &value) && value < REGISTERS;
	case 'u':
		return read_leb(reader, &value);
	case 'e':
		return read_expression(reader);
	default:
		return read_bytes(reader, (size_t)(operand - '0'));
	}
}

static bool read_instruction(struct reader *reader)
{
	uint8_t opcode = *reader->at++;
	const char *operand;

	switch (opcode & 0xc0) {
	case DW_CFA_advance_loc:
	case DW_CFA_restore:
		return true;
	case DW_CFA_offset:
		return read_operand(reader, 'u');
	}
	operand = opcode <= DW_CFA_val_expression ? instructions[opcode] : NULL;
	for (; operand && *operand; operand++) {
		if (!read_operand(reader, *operand))
			return false;
	}
	return operand;
}

bool rules_are_sane(const uint8_t *rules, size_t len)
{
	struct reader reader = { rules, rules + len };

	while (reader.at < reader.end) {
		if (!read_instruction(&reader))
			return false;
	}
	return true;
}

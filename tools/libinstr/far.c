// SPDX-License-Identifier: GPL-2.0
/*
 * Far: moved instructions refer to what is up to 4 GiB away.
 *
 * That is 2 GiB from the slab to the text, and 2 GiB from there. Two LEAs reach it, and
 * leave the flags alone. They need a register, which is saved below the red zone. It is
 * slower, but files that large are rare.
 */

#include "far.h"

#define RAX 0
#define RSP 4

/* ---- what they are ---------------------------------------------------------- */

static uint8_t modrm_reg(const struct insn *insn, const uint8_t *bytes)
{
	return bytes[insn->modrm_at] >> 3 & 7;
}

static uint8_t insn_rex(const struct insn *insn, const uint8_t *bytes)
{
	uint8_t last = insn->opcode_at ? bytes[insn->opcode_at - 1] : 0;

	return (last & 0xf0) == 0x40 ? last : 0;
}

static bool is_push(const struct insn *insn, const uint8_t *bytes)
{
	return bytes[insn->opcode_at] == 0xff && modrm_reg(insn, bytes) == 6;
}

/* With more behind the opcode it is XOP. */
static bool is_pop(const struct insn *insn, const uint8_t *bytes)
{
	return bytes[insn->opcode_at] == 0x8f && insn->modrm_at == insn->opcode_at + 1;
}

static bool is_jump(const struct insn *insn)
{
	return insn->kind == INSN_JMP_INDIRECT || insn->kind == INSN_CALL_INDIRECT;
}

/* LEA of 64 bits, to a register that can be a base without more ado. */
static bool is_address(const struct insn *insn, const uint8_t *bytes)
{
	return bytes[insn->opcode_at] == 0x8d && insn_rex(insn, bytes) & 8 &&
	       modrm_reg(insn, bytes) != RSP;
}

/* FS, GS, or 16 bits. */
static bool has_odd_prefix(const struct insn *insn, const uint8_t *bytes)
{
	for (size_t i = 0; i < insn->opcode_at; i++) {
		if (bytes[i] >= 0x64 && bytes[i] <= 0x66)
			return true;
	}
	return false;
}

/* ---- addresses -------------------------------------------------------------- */

/* Any of these is a base without REX, SIB and displacement. The last may be @used. */
static uint8_t choose_scratch(uint8_t used)
{
	static const uint8_t all[] = { 0, 1, 2, 3, 6, 7 };
	size_t i = 0;

	while (i < sizeof(all) - 1 && used >> all[i] & 1)
		i++;
	return all[i];
}

bool far_is_possible(const struct insn *insn, const uint8_t *bytes)
{
	uint8_t used = insn_registers(bytes, insn->len);

	if (is_jump(insn) || is_push(insn, bytes) || is_pop(insn, bytes))
		return !has_odd_prefix(insn, bytes);
	/* To all others RSP must not matter: it is elsewhere. */
	return !(used >> RSP & 1) && !(used >> choose_scratch(used) & 1);
}

/* lea half(%rip),%reg; lea rest(%reg),%reg: half of it fits from wherever a block is. */
static void emit_address(struct emit *emit, uint8_t reg, int64_t target)
{
	int64_t distance = target - emit->position - (int64_t)emit->len - 7;
	int32_t half = (int32_t)(distance / 2), rest = (int32_t)(distance - half);
	uint8_t high = reg >> 3, low = reg & 7;

	emit_byte(emit, (uint8_t)(0x48 | high << 2));
	emit_byte(emit, 0x8d);
	emit_byte(emit, (uint8_t)(low << 3 | 5));
	emit_bytes(emit, &half, sizeof(half));
	emit_byte(emit, (uint8_t)(0x48 | high << 2 | high));
	emit_byte(emit, 0x8d);
	emit_byte(emit, (uint8_t)(0x80 | low << 3 | low));
	emit_bytes(emit, &rest, sizeof(rest));
}

/* ---- jumps ------------------------------------------------------------------ */

/* RET takes what a CALL pushed, so that the processor's return stack stays paired. */
static void emit_jump_far(struct emit *emit, int64_t target, bool indirect)
{
	EMIT(emit, LEA_RSP_DOWN
		   "\xe8\x01\0\0\0"		/* call 1f */
		   "\xcc"			/* not executed, but predicted */
		   "\x50");			/* 1: push %rax */
	emit_address(emit, RAX, target);
	if (indirect)
		EMIT(emit, "\x48\x8b\0");	/* mov (%rax),%rax */
	EMIT(emit, "\x48\x89\x44\x24\x08"	/* mov %rax,8(%rsp) */
		   "\x58"			/* pop %rax */
		   "\xc2\x80\0");		/* ret $128 */
}

void far_emit_jump(struct emit *emit, int64_t target)
{
	emit_jump_far(emit, target, false);
}

/* ---- other instructions ----------------------------------------------------- */

/* The operand becomes (%base): no displacement, and no bit that would mean R8 to R15. */
static void emit_based(struct emit *emit, const struct insn *insn, const uint8_t *bytes,
		       uint8_t base)
{
	size_t opcode = insn->opcode_at, tail = insn->operand_at + sizeof(int32_t);
	uint8_t new[INSN_LEN_MAX];

	memcpy(new, bytes, insn->len);
	new[insn->modrm_at] = (uint8_t)(modrm_reg(insn, bytes) << 3 | base);
	if (insn_rex(insn, bytes))
		new[opcode - 1] &= (uint8_t)~1;
	/* VEX of three bytes, EVEX, XOP: it is inverted. */
	if (new[opcode] == 0xc4 || new[opcode] == 0x62 ||
	    (new[opcode] == 0x8f && !is_pop(insn, bytes)))
		new[opcode + 1] |= 0x20;
	emit_bytes(emit, new, insn->operand_at);
	emit_bytes(emit, new + tail, insn->len - tail);
}

/*
 *	lea	-128(%rsp),%rsp
 *	push	%scratch
 *	lea	...,%scratch
 *	...	(%scratch)
 *	pop	%scratch
 *	lea	128(%rsp),%rsp
 *
 * PUSH and POP find RSP where the register was pushed: another word is copied to or
 * from where theirs would be.
 */
static void emit_with_scratch(struct emit *emit, const struct insn *insn,
			      const uint8_t *bytes, int64_t target)
{
	uint8_t scratch = choose_scratch(insn_registers(bytes, insn->len));

	EMIT(emit, LEA_RSP_DOWN);
	emit_byte(emit, 0x50 | scratch);
	emit_address(emit, scratch, target);
	if (is_pop(insn, bytes))
		EMIT(emit, "\xff\xb4\x24\x88\0\0\0");	/* push 136(%rsp) */
	emit_based(emit, insn, bytes, scratch);
	if (is_push(insn, bytes))
		EMIT(emit, "\x8f\x84\x24\x80\0\0\0");	/* pop 128(%rsp) */
	emit_byte(emit, 0x58 | scratch);
	if (is_push(insn, bytes))
		EMIT(emit, "\x48\x8d\x64\x24\x78");	/* lea 120(%rsp),%rsp */
	else if (is_pop(insn, bytes))
		EMIT(emit, "\x48\x8d\xa4\x24\x88\0\0\0");	/* lea 136(%rsp),%rsp */
	else
		EMIT(emit, LEA_RSP_UP);
}

void far_emit_operand(struct emit *emit, const struct insn *insn, const uint8_t *bytes,
		      int64_t target)
{
	uint8_t rex = insn_rex(insn, bytes);

	if (is_jump(insn))
		emit_jump_far(emit, target, true);
	else if (is_address(insn, bytes))
		emit_address(emit, (uint8_t)((rex & 4) << 1 | modrm_reg(insn, bytes)), target);
	else
		emit_with_scratch(emit, insn, bytes, target);
}

/* PUSH changes what it would push anyway: it ends with the last. */
size_t far_nr_again(const struct insn *insn, const uint8_t *bytes)
{
	if (is_address(insn, bytes))
		return 2;
	if (is_push(insn, bytes))
		return 8;
	return is_pop(insn, bytes) ? 6 : 5;
}

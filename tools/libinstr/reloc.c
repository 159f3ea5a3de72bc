// SPDX-License-Identifier: GPL-2.0
/*
 * Relocation: an instruction does at another place what it did at its own.
 *
 * Its bytes are kept where they can be. What must change is the displacement
 * that is relative to RIP; branches with 8 bits, which can't reach; and calls:
 * the callee, an unwinder or a debugger must find the original return address
 * on the stack, so it is pushed and the callee is jumped to. Registers, flags
 * and what lies above the stack pointer are as they would be. What is too far for
 * a displacement is in far.c.
 *
 * A branch goes to the original text. Where that is patched, it has a jump or a
 * trap, so that the branch need not know.
 *
 * To add an instruction class: add a kind to insn.h, let insn_classify() find
 * it, add its handler here and a case to selftests/unit/reloc.c.
 */

#include "reloc.h"

#include "far.h"

/* All displacements are computed from the end of what is emitted, at most. */
#define REACH_MARGIN INSTR_BLOCK_MAX

static bool in_reach(int64_t from, int64_t target)
{
	int64_t distance = target - from;

	return distance >= INT32_MIN + REACH_MARGIN && distance <= INT32_MAX - REACH_MARGIN;
}

static bool in_reach_of_all(int64_t lowest, int64_t highest, int64_t target)
{
	return in_reach(lowest, target) && in_reach(highest, target);
}

static bool has_target(const struct insn *insn)
{
	return insn->kind == INSN_JMP || insn->kind == INSN_JCC ||
	       insn->kind == INSN_LOOP || insn->kind == INSN_CALL;
}

/* What an operand that is relative to RIP refers to. */
static int64_t operand_target(const struct insn *insn, int64_t from)
{
	return from + insn->len + insn->operand;
}

enum reloc_how reloc_choose(const struct insn *insn, const uint8_t *bytes, int64_t from,
			    int64_t lowest, int64_t highest)
{
	/* A call's return address is one more thing that is relative. */
	if (insn->kind == INSN_UNMOVABLE ||
	    !in_reach_of_all(lowest, highest, from + insn->len))
		return RELOC_IMPOSSIBLE;
	if (has_target(insn))
		return in_reach_of_all(lowest, highest, from + insn->target) ? RELOC_NEAR
									     : RELOC_FAR;
	if (!insn->operand_at ||
	    in_reach_of_all(lowest, highest, operand_target(insn, from)))
		return RELOC_NEAR;
	return far_is_possible(insn, bytes) ? RELOC_FAR : RELOC_IMPOSSIBLE;
}

void reloc_emit_goto(struct emit *emit, int64_t target, bool far)
{
	if (far)
		far_emit_jump(emit, target);
	else
		emit_jump(emit, target);
}

static void emit_plain(struct emit *emit, const struct insn *insn, const uint8_t *bytes,
		       int64_t from, bool far)
{
	size_t tail = insn->operand_at + sizeof(int32_t);

	if (!insn->operand_at) {
		emit_bytes(emit, bytes, insn->len);
		return;
	}
	if (far) {
		far_emit_operand(emit, insn, bytes, operand_target(insn, from));
		return;
	}
	emit_bytes(emit, bytes, insn->operand_at);
	emit_relative(emit, operand_target(insn, from), insn->len - tail);
	emit_bytes(emit, bytes + tail, insn->len - tail);
}

static void emit_jcc(struct emit *emit, const struct insn *insn, const uint8_t *bytes,
		     int64_t from, bool far)
{
	uint8_t condition = insn_condition(insn, bytes);

	if (far) {
		size_t not = emit_forward(emit, 0x70 | (condition ^ 1));

		far_emit_jump(emit, from + insn->target);
		emit_land(emit, not);
		return;
	}
	EMIT(emit, "\x0f");
	emit_byte(emit, 0x80 | condition);
	emit_relative(emit, from + insn->target, 0);
}

/*
 *	loop	1f
 *	jmp	2f
 * 1:	jmp	target
 * 2:
 */
static void emit_loop(struct emit *emit, const struct insn *insn, const uint8_t *bytes,
		      int64_t from, bool far)
{
	size_t not;

	emit_bytes(emit, bytes, insn->opcode_at + 1);
	emit_byte(emit, 2);
	not = emit_forward(emit, 0xeb);
	reloc_emit_goto(emit, from + insn->target, far);
	emit_land(emit, not);
}

/*
 * A processor predicts that a RET goes behind the last CALL, and what is wrong once
 * is wrong for all callers. So there is a CALL, and what it pushed is corrected: one
 * prediction is wrong, that of the callee's return. Where its flags are needed, or
 * may be, that takes a register.
 */
static void emit_push_return(struct emit *emit, int64_t address, bool flags_dead)
{
	int64_t pushed;
	int32_t correction;

	EMIT(emit, "\xe8\x05\0\0\0");		/* call 1f */
	pushed = emit->position + (int64_t)emit->len;
	emit_jump(emit, address);
	if (flags_dead) {
		correction = (int32_t)(address - pushed);
		EMIT(emit, "\x48\x81\x04\x24");	/* 1: addq $correction,(%rsp) */
		emit_bytes(emit, &correction, sizeof(correction));
		return;
	}
	EMIT(emit, "\x50"			/* 1: push %rax */
		   "\x48\x8d\x05");		/* lea address(%rip),%rax */
	emit_relative(emit, address, 0);
	EMIT(emit, "\x48\x89\x44\x24\x08"	/* mov %rax,8(%rsp) */
		   "\x58");			/* pop %rax */
}

/* A call of what follows it is no call: below what it pushes there may be data. */
static void emit_call_next(struct emit *emit, int64_t address)
{
	EMIT(emit, "\x50"			/* push %rax */
		   "\x48\x8d\x05");		/* lea address(%rip),%rax */
	emit_relative(emit, address, 0);
	EMIT(emit, "\x48\x87\x04\x24");	/* xchg %rax,(%rsp) */
	emit_jump(emit, address);
}

static void emit_call(struct emit *emit, const struct insn *insn, int64_t from, bool far,
		      bool flags_dead)
{
	if (insn->target == insn->len) {
		emit_call_next(emit, from + insn->len);
		return;
	}
	emit_push_return(emit, from + insn->len, flags_dead);
	reloc_emit_goto(emit, from + insn->target, far);
}

/* Emits @bytes, whose operand is relative to RSP and now 8 bytes further. */
static void emit_on_stack(struct emit *emit, const struct insn *insn, const uint8_t *bytes)
{
	const uint8_t *modrm = bytes + insn->modrm_at;
	size_t head = insn->modrm_at + 2;		/* with SIB */
	int32_t displacement = 0;
	uint8_t mod = 0x40;

	memcpy(&displacement, bytes + head, insn->len - head);
	displacement += 8;
	if (displacement > INT8_MAX)
		mod = 0x80;
	emit_bytes(emit, bytes, insn->modrm_at);
	emit_byte(emit, (modrm[0] & 0x3f) | mod);
	emit_byte(emit, modrm[1]);
	emit_bytes(emit, &displacement, mod == 0x80 ? sizeof(displacement) : 1);
}

/* FF /2 becomes FF /4: a call of an operand, a jump to it. */
static void emit_call_indirect(struct emit *emit, const struct insn *insn,
			       const uint8_t *bytes, int64_t from, bool far)
{
	uint8_t jump[INSN_LEN_MAX];

	memcpy(jump, bytes, insn->len);
	jump[insn->modrm_at] = (uint8_t)((jump[insn->modrm_at] & ~0x38) | 4 << 3);
	emit_push_return(emit, from + insn->len, false);
	if (insn->operand_on_stack)
		emit_on_stack(emit, insn, jump);
	else
		emit_plain(emit, insn, jump, from, far);
}

void reloc_emit(struct emit *emit, const struct insn *insn, const uint8_t *bytes,
		int64_t from, bool far, bool flags_dead)
{
	switch ((enum insn_kind)insn->kind) {
	case INSN_JMP:
		reloc_emit_goto(emit, from + insn->target, far);
		break;
	case INSN_JCC:
		emit_jcc(emit, insn, bytes, from, far);
		break;
	case INSN_LOOP:
		emit_loop(emit, insn, bytes, from, far);
		break;
	case INSN_CALL:
		emit_call(emit, insn, from, far, flags_dead);
		break;
	case INSN_CALL_INDIRECT:
		emit_call_indirect(emit, insn, bytes, from, far);
		break;
	default:
		emit_plain(emit, insn, bytes, from, far);
		break;
	}
}

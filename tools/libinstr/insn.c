// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions: the only file that uses Zydis. What is not known to depend on
 * its place does not: see insn_classify() for what does.
 */

#include "insn.h"

#include <Zydis/Zydis.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

static ZydisDecoder full_decoder, branch_decoder;

static void decoders_init(void)
{
	ZydisDecoderInit(&full_decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	branch_decoder = full_decoder;
	ZydisDecoderEnableMode(&branch_decoder, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
}

static bool decode(const ZydisDecoder *decoder, const uint8_t *bytes, size_t len,
		   ZydisDecodedInstruction *in)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, decoders_init);
	return ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(decoder, NULL, bytes, len, in));
}

/* ---- flags ------------------------------------------------------------------ */

static uint8_t flags_of(uint32_t mask)
{
	return (mask & ZYDIS_CPUFLAG_CF ? INSN_CF : 0) |
	       (mask & ZYDIS_CPUFLAG_PF ? INSN_PF : 0) |
	       (mask & ZYDIS_CPUFLAG_AF ? INSN_AF : 0) |
	       (mask & ZYDIS_CPUFLAG_ZF ? INSN_ZF : 0) |
	       (mask & ZYDIS_CPUFLAG_SF ? INSN_SF : 0) |
	       (mask & ZYDIS_CPUFLAG_OF ? INSN_OF : 0);
}

/* With a count of 0, which may be in a register, these leave the flags alone. */
static bool writes_flags_perhaps(const ZydisDecodedInstruction *in)
{
	const ZydisInstructionAttributes repeated =
		ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE;

	return in->meta.category == ZYDIS_CATEGORY_SHIFT ||
	       in->meta.category == ZYDIS_CATEGORY_ROTATE || in->attributes & repeated;
}

/*
 * What the manual leaves undefined is often left as it was. Only of AND, OR, XOR and
 * TEST it is known that all processors clear AF.
 */
static uint32_t flags_cleared(const ZydisDecodedInstruction *in)
{
	return in->meta.category == ZYDIS_CATEGORY_LOGICAL ?
	       in->cpu_flags->undefined & ZYDIS_CPUFLAG_AF : 0;
}

static void insn_read_flags(const ZydisDecodedInstruction *in, struct insn *insn)
{
	const ZydisAccessedFlags *flags = in->cpu_flags;

	if (!flags)
		return;
	insn->flags_read = flags_of(flags->tested);
	if (!writes_flags_perhaps(in))
		insn->flags_written = flags_of(flags->modified | flags->set_0 |
					       flags->set_1 | flags_cleared(in));
}

/* ---- kinds ------------------------------------------------------------------ */

/*
 * 66 makes a near branch 16 bits wide on some processors and is ignored by
 * others; with REX.W it is ignored by all.
 */
static bool branch_is_ambiguous(const ZydisDecodedInstruction *in)
{
	if (in->raw.rex.W)
		return false;
	for (size_t i = 0; i < in->raw.prefix_count; i++) {
		if (in->raw.prefixes[i].value == 0x66)
			return true;
	}
	return false;
}

static enum insn_kind branch_kind(const ZydisDecodedInstruction *in,
				  enum insn_kind direct, enum insn_kind indirect)
{
	if (in->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR || branch_is_ambiguous(in))
		return INSN_UNMOVABLE;
	return in->raw.imm[0].is_relative ? direct : indirect;
}

/*
 * A call pushes, and an operand that is relative to RSP then means another place.
 * R12 has the same number but for REX.B.
 */
static bool operand_uses_rsp(const ZydisDecodedInstruction *in)
{
	uint8_t base = in->raw.modrm.mod == 3 || in->raw.modrm.rm != 4 ? in->raw.modrm.rm
								      : in->raw.sib.base;

	return base == 4 && !in->raw.rex.B;
}

/* What is pushed lies below RSP, and must not be what is read. */
static bool operand_can_follow_rsp(const ZydisDecodedInstruction *in)
{
	return in->raw.modrm.mod != 3 && in->raw.sib.index == 4 && !in->raw.rex.X &&
	       in->raw.disp.value >= 0 && in->raw.disp.value <= INT32_MAX - 8;
}

static enum insn_kind call_kind(const ZydisDecodedInstruction *in)
{
	enum insn_kind kind = branch_kind(in, INSN_CALL, INSN_CALL_INDIRECT);

	return kind == INSN_CALL_INDIRECT && operand_uses_rsp(in) &&
	       !operand_can_follow_rsp(in) ? INSN_UNMOVABLE : kind;
}

static enum insn_kind insn_classify(const ZydisDecodedInstruction *in)
{
	switch (in->mnemonic) {
	case ZYDIS_MNEMONIC_INT3:
		return INSN_BREAKPOINT;
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_HLT:
		return INSN_STOP;
	case ZYDIS_MNEMONIC_XBEGIN:
	case ZYDIS_MNEMONIC_XABORT:
		return INSN_UNMOVABLE;
	case ZYDIS_MNEMONIC_LOOP:
	case ZYDIS_MNEMONIC_LOOPE:
	case ZYDIS_MNEMONIC_LOOPNE:
	case ZYDIS_MNEMONIC_JRCXZ:
	case ZYDIS_MNEMONIC_JECXZ:
		return INSN_LOOP;
	default:
		break;
	}
	switch (in->meta.category) {
	case ZYDIS_CATEGORY_CALL:
		return call_kind(in);
	case ZYDIS_CATEGORY_UNCOND_BR:
		return branch_kind(in, INSN_JMP, INSN_JMP_INDIRECT);
	case ZYDIS_CATEGORY_COND_BR:
		return branch_kind(in, INSN_JCC, INSN_UNMOVABLE);
	case ZYDIS_CATEGORY_RET:
		return INSN_RET;
	case ZYDIS_CATEGORY_NOP:
	case ZYDIS_CATEGORY_WIDENOP:
		return INSN_NOP;
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
	case ZYDIS_CATEGORY_SYSTEM:
		return INSN_SYSTEM;
	default:
		return INSN_PLAIN;
	}
}

/* ---- operands --------------------------------------------------------------- */

static bool operand_is_relative(const ZydisDecodedInstruction *in)
{
	return in->attributes & ZYDIS_ATTRIB_HAS_MODRM && in->raw.modrm.mod == 0 &&
	       in->raw.modrm.rm == 5 && in->raw.disp.size == 32;
}

static void insn_read_operand(const ZydisDecodedInstruction *in, struct insn *insn)
{
	if (in->attributes & ZYDIS_ATTRIB_HAS_MODRM)
		insn->modrm_at = in->raw.modrm.offset;
	if (in->raw.imm[0].is_relative)
		insn->target = in->length + in->raw.imm[0].value.s;
	insn->operand_on_stack = insn->kind == INSN_CALL_INDIRECT && operand_uses_rsp(in);
	if (!operand_is_relative(in))
		return;
	insn->operand_at = in->raw.disp.offset;
	insn->operand = (int32_t)in->raw.disp.value;
	/* An address that is cut to 32 bits can't be reached from elsewhere. */
	if (in->address_width != 64)
		insn->kind = INSN_UNMOVABLE;
}

bool insn_decode(const uint8_t *bytes, size_t len, struct insn *insn)
{
	ZydisDecodedInstruction in;

	if (!decode(&full_decoder, bytes, len, &in))
		return false;
	memset(insn, 0, sizeof(*insn));
	insn->len = in.length;
	insn->kind = insn_classify(&in);
	insn->opcode_at = in.raw.prefix_count;
	insn_read_operand(&in, insn);
	insn_read_flags(&in, insn);
	return true;
}

static bool is_direct(enum insn_kind kind)
{
	return kind == INSN_JMP || kind == INSN_JCC || kind == INSN_LOOP || kind == INSN_CALL;
}

/* Of a direct branch, whose displacement comes last. */
static int32_t displacement(const uint8_t *bytes, size_t len, uint8_t opcode)
{
	int32_t value;

	if ((opcode & 0xf0) == 0x70 || (opcode & 0xfc) == 0xe0 || opcode == 0xeb)
		return (int8_t)bytes[len - 1];
	memcpy(&value, bytes + len - sizeof(value), sizeof(value));
	return value;
}

void insn_recall(const struct instr_moved *moved, const uint8_t *bytes, struct insn *insn)
{
	*insn = (struct insn){
		.len = moved->old_len,
		.kind = moved->kind,
		.opcode_at = moved->opcode_at,
		.modrm_at = moved->modrm_at,
		.operand_at = moved->operand_at,
		.operand_on_stack = moved->operand_on_stack,
	};
	if (insn->operand_at)
		memcpy(&insn->operand, bytes + insn->operand_at, sizeof(insn->operand));
	if (is_direct(insn->kind))
		insn->target = insn->len + displacement(bytes, insn->len, bytes[insn->opcode_at]);
}

bool insn_decode_branch(const uint8_t *bytes, size_t len, struct insn *insn, bool *is_branch)
{
	ZydisDecodedInstruction in;

	if (!decode(&branch_decoder, bytes, len, &in))
		return false;
	insn->len = in.length;
	*is_branch = in.raw.imm[0].is_relative;
	if (*is_branch)
		insn->target = in.length + in.raw.imm[0].value.s;
	return true;
}

/* ---- registers -------------------------------------------------------------- */

static uint8_t register_bit(ZydisRegister part)
{
	ZydisRegister all = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, part);

	if (all < ZYDIS_REGISTER_RAX || all > ZYDIS_REGISTER_RDI)
		return 0;
	return (uint8_t)(1 << ZydisRegisterGetId(all));
}

static uint8_t operand_registers(const ZydisDecodedOperand *operand)
{
	switch (operand->type) {
	case ZYDIS_OPERAND_TYPE_REGISTER:
		return register_bit(operand->reg.value);
	case ZYDIS_OPERAND_TYPE_MEMORY:
		return register_bit(operand->mem.base) | register_bit(operand->mem.index);
	default:
		return 0;
	}
}

uint8_t insn_registers(const uint8_t *bytes, size_t len)
{
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction in;
	uint8_t registers = 0;

	if (!decode(&full_decoder, bytes, len, &in) ||
	    !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&full_decoder, bytes, len, &in, operand)))
		return 0xff;
	for (size_t i = 0; i < in.operand_count; i++)
		registers |= operand_registers(&operand[i]);
	return registers;
}

/* ---- for people ------------------------------------------------------------- */

int instr_insn_format(const uint8_t *bytes, size_t len, uint64_t vaddr,
		      char *text, size_t text_len)
{
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction in;
	ZydisFormatter formatter;

	if (!decode(&full_decoder, bytes, len, &in) ||
	    !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&full_decoder, bytes, len, &in, operand)) ||
	    !ZYAN_SUCCESS(ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL)) ||
	    !ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter, &in, operand,
							  in.operand_count_visible, text,
							  text_len, vaddr, NULL)))
		return -EILSEQ;
	return in.length;
}

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

static bool has_prefix(const ZydisDecodedInstruction *in, uint8_t value)
{
	for (size_t i = 0; i < in->raw.prefix_count; i++) {
		if (in->raw.prefixes[i].value == value)
			return true;
	}
	return false;
}

/*
 * 66 makes a near branch 16 bits wide on some processors and is ignored by
 * others; with REX.W it is ignored by all.
 */
static bool branch_is_ambiguous(const ZydisDecodedInstruction *in)
{
	return !in->raw.rex.W && has_prefix(in, 0x66);
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

/* ---- flow ------------------------------------------------------------------- */

static bool modrm_is_register(const ZydisDecodedInstruction *in)
{
	return in->raw.modrm.mod == 3;
}

static enum insn_kind near_kind(const ZydisDecodedInstruction *in, enum insn_kind kind)
{
	return branch_is_ambiguous(in) ? INSN_UNMOVABLE : kind;
}

static enum insn_kind group_ff_kind(const ZydisDecodedInstruction *in)
{
	switch (in->raw.modrm.reg) {
	case 2:
		return near_kind(in, INSN_CALL_INDIRECT);
	case 4:
		return near_kind(in, INSN_JMP_INDIRECT);
	case 3:
	case 5:
		return INSN_UNMOVABLE;
	default:
		return INSN_PLAIN;
	}
}

/* What saves RSP keeps it in a register, or on the stack. */
static enum insn_kind load_kind(const ZydisDecodedInstruction *in)
{
	uint8_t base = in->raw.modrm.rm == 4 ? in->raw.sib.base : in->raw.modrm.rm;
	bool is_rsp = in->raw.modrm.reg == 4 && !in->raw.rex.R;
	bool from_stack = (base == 4 || base == 5) && !in->raw.rex.B && in->raw.modrm.mod;

	if (!is_rsp || modrm_is_register(in) || from_stack ||
	    (base == 4 && !in->raw.rex.B))
		return INSN_PLAIN;
	return INSN_STACK;
}

static enum insn_kind exchange_kind(const ZydisDecodedInstruction *in)
{
	return (in->raw.modrm.reg == 4 && !in->raw.rex.R) ||
	       (modrm_is_register(in) && in->raw.modrm.rm == 4 && !in->raw.rex.B) ?
	       INSN_STACK : INSN_PLAIN;
}

static enum insn_kind one_byte_kind(const ZydisDecodedInstruction *in)
{
	uint8_t opcode = in->opcode;

	switch (opcode) {
	case 0x70 ... 0x7f:
		return near_kind(in, INSN_JCC);
	case 0x5c:		/* pop */
	case 0x94:		/* xchg */
		return in->raw.rex.B ? INSN_PLAIN : INSN_STACK;
	case 0x87:
		return exchange_kind(in);
	case 0x8b:
		return load_kind(in);
	case 0x90:		/* pause, xchg */
		return has_prefix(in, 0xf3) || in->raw.rex.B ? INSN_PLAIN : INSN_NOP;
	case 0xc2:
	case 0xc3:
		return near_kind(in, INSN_RET);
	case 0xc7:		/* xbegin; else a move */
		return in->raw.imm[0].is_relative ? near_kind(in, INSN_JCC) : INSN_PLAIN;
	case 0xca:
	case 0xcb:
	case 0xcf:
		return INSN_UNMOVABLE;
	case 0xcc:
		return INSN_BREAKPOINT;
	case 0xe0 ... 0xe3:
		return INSN_LOOP;
	case 0xe8:
		return near_kind(in, INSN_CALL);
	case 0xe9:
	case 0xeb:
		return near_kind(in, INSN_JMP);
	case 0xf4:
		return INSN_STOP;
	case 0xff:
		return group_ff_kind(in);
	default:
		return INSN_PLAIN;
	}
}

static enum insn_kind two_byte_kind(const ZydisDecodedInstruction *in)
{
	switch (in->opcode) {
	case 0x07:		/* sysret */
	case 0x35:		/* sysexit */
		return INSN_UNMOVABLE;
	case 0x0b:
	case 0xb9:
	case 0xff:
		return INSN_STOP;
	case 0x1f:
		return INSN_NOP;
	case 0x80 ... 0x8f:
		return near_kind(in, INSN_JCC);
	default:
		return INSN_PLAIN;
	}
}

static enum insn_kind flow_kind(const ZydisDecodedInstruction *in)
{
	if (in->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
		return INSN_PLAIN;
	switch (in->opcode_map) {
	case ZYDIS_OPCODE_MAP_DEFAULT:
		return one_byte_kind(in);
	case ZYDIS_OPCODE_MAP_0F:
		return two_byte_kind(in);
	default:
		return INSN_PLAIN;
	}
}

bool insn_decode_flow(const uint8_t *bytes, size_t len, struct insn *insn)
{
	ZydisDecodedInstruction in;

	if (!decode(&branch_decoder, bytes, len, &in))
		return false;
	insn->len = in.length;
	insn->kind = (uint8_t)flow_kind(&in);
	insn->target = in.raw.imm[0].is_relative ? in.length + in.raw.imm[0].value.s : 0;
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

/* ---- effects ---------------------------------------------------------------- */

static uint8_t register_number(ZydisRegister part)
{
	ZydisRegister all = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, part);

	if (all < ZYDIS_REGISTER_RAX || all > ZYDIS_REGISTER_R15)
		return INSN_NO_REGISTER;
	return (uint8_t)ZydisRegisterGetId(all);
}

static uint8_t register_number_64(const ZydisDecodedOperand *operand)
{
	return operand->type == ZYDIS_OPERAND_TYPE_REGISTER && operand->size == 64 ?
	       register_number(operand->reg.value) : INSN_NO_REGISTER;
}

static void effect_set_memory(const ZydisDecodedInstruction *in,
			      const ZydisDecodedOperand *operand, struct insn_effect *ret)
{
	ret->is_memory = true;
	ret->is_relative = operand->mem.base == ZYDIS_REGISTER_RIP;
	ret->base = register_number(operand->mem.base);
	ret->index = register_number(operand->mem.index);
	ret->scale = operand->mem.scale;
	ret->displacement = operand->mem.disp.has_displacement ? operand->mem.disp.value : 0;
	if (ret->is_relative)
		ret->displacement += in->length;
}

static enum insn_operation operation_of(const ZydisDecodedInstruction *in)
{
	switch (in->mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
		return INSN_MOVE;
	case ZYDIS_MNEMONIC_MOVSXD:
		return INSN_MOVE_SIGNED;
	case ZYDIS_MNEMONIC_ADD:
		return INSN_ADD;
	case ZYDIS_MNEMONIC_LEA:
		return INSN_ADDRESS;
	case ZYDIS_MNEMONIC_JMP:
		return INSN_GO;
	case ZYDIS_MNEMONIC_PUSH:
	case ZYDIS_MNEMONIC_PUSHF:
	case ZYDIS_MNEMONIC_PUSHFQ:
		return INSN_PUSH;
	default:
		return INSN_OTHER;
	}
}

/* Is that what was asked for: 64 bits in a register, from a register or memory? */
static bool effect_is_whole(const struct insn_effect *effect, const ZydisDecodedOperand *source)
{
	bool has_source = effect->is_memory || effect->from != INSN_NO_REGISTER;

	switch (effect->operation) {
	case INSN_MOVE_SIGNED:
		return effect->to != INSN_NO_REGISTER && effect->is_memory && source->size == 32;
	case INSN_ADD:
		return effect->to != INSN_NO_REGISTER && effect->from != INSN_NO_REGISTER;
	case INSN_MOVE:
	case INSN_ADDRESS:
		return effect->to != INSN_NO_REGISTER && has_source;
	case INSN_GO:
		return has_source;
	default:
		return true;
	}
}

static void effect_set_written(const ZydisDecodedOperand *operand, struct insn_effect *ret)
{
	bool writes = operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;

	if (writes && operand->type == ZYDIS_OPERAND_TYPE_REGISTER) {
		uint8_t number = register_number(operand->reg.value);

		if (number != INSN_NO_REGISTER)
			ret->written |= (uint16_t)(1 << number);
	}
	if (writes && operand->type == ZYDIS_OPERAND_TYPE_MEMORY &&
	    operand->mem.base == ZYDIS_REGISTER_RSP &&
	    operand->mem.index == ZYDIS_REGISTER_NONE &&
	    !(operand->mem.disp.has_displacement && operand->mem.disp.value))
		ret->stores_on_top = true;
}

/* "sub $n, %rsp", "add $-n, %rsp", "lea -n(%rsp), %rsp", a PUSH; with 64 bits. */
static bool lowers_stack(const ZydisDecodedInstruction *in, const ZydisDecodedOperand *operand)
{
	int64_t added;

	if (operation_of(in) == INSN_PUSH)
		return true;
	if (in->operand_count_visible != 2 || operand[0].type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    operand[0].reg.value != ZYDIS_REGISTER_RSP)
		return false;
	switch (in->mnemonic) {
	case ZYDIS_MNEMONIC_SUB:
		added = -operand[1].imm.value.s;
		break;
	case ZYDIS_MNEMONIC_ADD:
		added = operand[1].imm.value.s;
		break;
	case ZYDIS_MNEMONIC_LEA:
		return operand[1].mem.base == ZYDIS_REGISTER_RSP &&
		       operand[1].mem.index == ZYDIS_REGISTER_NONE &&
		       operand[1].mem.disp.value < 0;
	default:
		return false;
	}
	return operand[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && added < 0;
}

bool insn_effect(const uint8_t *bytes, size_t len, struct insn_effect *ret)
{
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction in;
	const ZydisDecodedOperand *source;

	if (!decode(&full_decoder, bytes, len, &in) ||
	    !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&full_decoder, bytes, len, &in, operand)))
		return false;
	*ret = (struct insn_effect){
		.operation = operation_of(&in),
		.to = INSN_NO_REGISTER,
		.from = INSN_NO_REGISTER,
	};
	for (size_t i = 0; i < in.operand_count; i++)
		effect_set_written(&operand[i], ret);
	ret->lowers_stack = lowers_stack(&in, operand);
	if (in.operand_count_visible < 1)
		return true;

	source = &operand[in.operand_count_visible - 1];
	if (in.operand_count_visible > 1)
		ret->to = register_number_64(&operand[0]);
	ret->from = register_number_64(source);
	if (source->type == ZYDIS_OPERAND_TYPE_MEMORY)
		effect_set_memory(&in, source, ret);
	if (!effect_is_whole(ret, source))
		ret->operation = INSN_OTHER;
	return true;
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

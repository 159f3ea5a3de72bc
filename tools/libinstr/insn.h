/* SPDX-License-Identifier: GPL-2.0 */
/* Instructions: what one has to know of them to move them. */
#ifndef LIBINSTR_INSN_H
#define LIBINSTR_INSN_H

#include "libinstr.h"

#define INSN_LEN_MAX 15

enum insn_kind {
	INSN_PLAIN,		/* goes on behind itself */
	INSN_NOP,
	INSN_BREAKPOINT,	/* int3 */
	INSN_JMP,		/* direct: @target is set, for the next three too */
	INSN_JCC,
	INSN_LOOP,		/* loop, loope, loopne, jrcxz, jecxz: 8 bits only */
	INSN_CALL,
	INSN_JMP_INDIRECT,
	INSN_CALL_INDIRECT,
	INSN_RET,
	INSN_STOP,		/* ud2, hlt: nothing goes on behind it */
	INSN_SYSTEM,		/* syscall, int: comes back, but anything may be read */
	INSN_UNMOVABLE,		/* depends on where it is in another way */
	INSN_STACK,		/* only of insn_decode_flow(): see there */
};

/* The flags that arithmetic changes. */
enum insn_flags {
	INSN_CF = 1 << 0,
	INSN_PF = 1 << 1,
	INSN_AF = 1 << 2,
	INSN_ZF = 1 << 3,
	INSN_SF = 1 << 4,
	INSN_OF = 1 << 5,
	INSN_FLAGS_ALL = 0x3f,
};

struct insn {
	uint8_t len;
	uint8_t kind;		/* enum insn_kind */
	uint8_t opcode_at;	/* behind legacy and REX prefixes */
	uint8_t modrm_at;	/* 0: none */
	uint8_t operand_at;	/* its 32 bits are relative to RIP; 0: none */
	bool operand_on_stack;	/* of a call: relative to RSP, and not below it */
	uint8_t flags_read;
	uint8_t flags_written;	/* for certain */
	int32_t operand;
	int64_t target;		/* counted from the instruction's first byte */
};

/* False: these bytes are no instruction, or not all of one. */
bool insn_decode(const uint8_t *bytes, size_t len, struct insn *insn);

/* Of RAX to RDI, by their numbers, those that it reads or writes: bits. */
uint8_t insn_registers(const uint8_t *bytes, size_t len);

/*
 * The instruction @bytes again, of which @moved keeps what it was found to be: all but
 * its flags.
 */
void insn_recall(const struct instr_moved *moved, const uint8_t *bytes, struct insn *insn);

/*
 * For scanning: length, and whether it is a direct branch with a @target; the
 * rest of @insn is not set. Twice as fast.
 */
bool insn_decode_branch(const uint8_t *bytes, size_t len, struct insn *insn, bool *is_branch);

/*
 * Of INSN_JCC, 7x or 0F 8x: the low half of the opcode, whose lowest bit turns it into its
 * opposite.
 */
static inline uint8_t insn_condition(const struct insn *insn, const uint8_t *bytes)
{
	const uint8_t *opcode = bytes + insn->opcode_at;

	return (opcode[0] == 0x0f ? opcode[1] : opcode[0]) & 0x0f;
}

/*
 * For following a function, as fast: length, kind, and @target. Kinds are those of
 * insn_decode() but for these: INSN_UNMOVABLE goes on where isn't known, INSN_JCC may
 * be xbegin, INSN_STACK takes another stack (RSP is popped, exchanged, or loaded, but
 * not from the stack itself); and INSN_PLAIN is all the rest.
 */
bool insn_decode_flow(const uint8_t *bytes, size_t len, struct insn *insn);

#define INSN_NO_REGISTER 0xff

enum insn_operation {
	INSN_OTHER,
	INSN_MOVE,		/* @to = @from, or 8 bytes of memory */
	INSN_MOVE_SIGNED,	/* @to = 4 bytes of memory, with their sign */
	INSN_ADD,		/* @to += @from */
	INSN_ADDRESS,		/* @to = the address of "memory" */
	INSN_GO,		/* jmp @from, or where 8 bytes of memory point to */
	INSN_PUSH,
};

/* What an instruction does to 64-bit registers; they have the processor's numbers. */
struct insn_effect {
	uint8_t operation;	/* enum insn_operation */
	uint8_t to, from;	/* INSN_NO_REGISTER: it isn't one */
	bool is_memory;		/* the source is memory, at: */
	uint8_t base, index, scale;
	bool is_relative;	/* @displacement counts from the instruction's first byte */
	int64_t displacement;
	bool stores_on_top;	/* writes to where RSP points */
	bool lowers_stack;	/* RSP becomes less, by a number that stands there, or a PUSH */
	uint16_t written;	/* registers that it may change, in whatever way: bits */
};

/* False: these bytes are no instruction, or not all of one. */
bool insn_effect(const uint8_t *bytes, size_t len, struct insn_effect *ret);

/* Nothing is ever executed behind it unless something jumps there. */
static inline bool insn_is_terminal(const struct insn *insn)
{
	return insn->kind == INSN_JMP || insn->kind == INSN_JMP_INDIRECT ||
	       insn->kind == INSN_RET || insn->kind == INSN_STOP;
}

#endif

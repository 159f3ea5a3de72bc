// SPDX-License-Identifier: GPL-2.0
/*
 * The stack in code of ours, which moves RSP by few instructions, and saves a register
 * only by pushing it. What is pushed first is what the register had in the beginning:
 * who pushes it again saves something else.
 */

#include "stack.h"

#include <string.h>

#define WORD 8
/* A call of what is so near is a way to push an address. */
#define NEAR 16

static void move(struct stack *stack, int32_t down)
{
	stack->depth += down;
	/* Beyond that the frame is left. */
	if (stack->depth < stack->lowest)
		stack->depth = stack->lowest;
	for (int i = 0; i < STACK_REGISTERS; i++) {
		if (stack->saved[i] > stack->depth)
			stack->saved[i] = 0;
	}
}

static void push(struct stack *stack, unsigned int reg)
{
	move(stack, WORD);
	if (!stack->saved[reg])
		stack->saved[reg] = stack->depth;
}

/* POP of memory, and PUSH. */
static bool step_memory(struct stack *stack, const struct insn *insn, const uint8_t *bytes)
{
	uint8_t opcode = bytes[insn->opcode_at];
	uint8_t reg = insn->modrm_at ? bytes[insn->modrm_at] >> 3 & 7 : 0;

	if (opcode == 0xff && reg == 6)
		move(stack, WORD);
	else if (opcode == 0x8f && insn->modrm_at == insn->opcode_at + 1)
		move(stack, -WORD);
	else
		return false;
	return true;
}

/* lea displacement(%rsp),%rsp */
static bool step_lea(struct stack *stack, const uint8_t *bytes)
{
	int32_t displacement;

	if (!memcmp(bytes, "\x48\x8d\x64\x24", 4))
		displacement = (int8_t)bytes[4];
	else if (!memcmp(bytes, "\x48\x8d\xa4\x24", 4))
		memcpy(&displacement, bytes + 4, sizeof(displacement));
	else
		return false;
	move(stack, -displacement);
	return true;
}

void stack_step(struct stack *stack, const struct insn *insn, const uint8_t *bytes)
{
	uint8_t opcode = bytes[insn->opcode_at];
	unsigned int high = insn->opcode_at && bytes[insn->opcode_at - 1] & 1 ? 8 : 0;

	if (insn->kind == INSN_CALL) {
		if (insn->target > 0 && insn->target <= NEAR)
			move(stack, WORD);
		return;
	}
	if (insn->len >= 5 && step_lea(stack, bytes))
		return;
	if (step_memory(stack, insn, bytes))
		return;
	if (insn->len == 4 && !memcmp(bytes, "\x48\x87\x04\x24", 4))	/* xchg %rax,(%rsp) */
		stack->saved[0] = 0;
	else if (insn->len <= 2 && (opcode & 0xf8) == 0x50)
		push(stack, high + (opcode & 7));
	else if (insn->len <= 2 && (opcode & 0xf8) == 0x58)
		move(stack, -WORD);
	else if (opcode == 0x9c)	/* pushf */
		move(stack, WORD);
	else if (opcode == 0x9d)	/* popf */
		move(stack, -WORD);
}

bool stack_equal(const struct stack *a, const struct stack *b)
{
	return !memcmp(a, b, sizeof(*a));
}

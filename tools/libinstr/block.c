// SPDX-License-Identifier: GPL-2.0
/*
 * Blocks: count, do what the displaced instructions did, go on behind them.
 *
 * The interceptor leaves all registers as they were, the flags too if the site
 * needs them, and the red zone: not only functions that keep to the calling
 * convention have an entry. LAHF and SETO save the flags without a PUSHF, which
 * is slow; adding 127 to SETO's 1 makes the overflow that SAHF can't restore.
 */

#include "block.h"

#include "insn.h"
#include "reloc.h"

#define LEA_RSP_DOWN	"\x48\x8d\x64\x24\x80"		/* lea -128(%rsp),%rsp */
#define LEA_RSP_UP	"\x48\x8d\xa4\x24\x80\0\0\0"	/* lea 128(%rsp),%rsp */

#define COUNT_LEN	8

/* While there is a vfork child anywhere in the process, ask who we are. */
static void emit_ask_and_count(struct emit *emit, struct instr_plan_site *site,
			       const struct block_places *places)
{
	EMIT(emit, "\x80\x3d");			/* cmpb $0,gate(%rip) */
	emit_relative(emit, places->control, 1);
	emit_byte(emit, INSTR_GATE_OPEN);
	EMIT(emit, "\x0f\x85");			/* jne slow */
	emit_relative(emit, site->slow, 0);
	site->count_at = (uint16_t)emit->len;
	EMIT(emit, "\xf0\x48\xff\x05");		/* lock incq counter(%rip) */
	emit_relative(emit, places->counter, 0);
}

static void emit_interceptor(struct emit *emit, struct instr_plan_site *site,
			     const struct block_places *places)
{
	if (!site->flags_live) {
		emit_ask_and_count(emit, site, places);
		return;
	}
	EMIT(emit, LEA_RSP_DOWN
		   "\x50"			/* push %rax */
		   "\x9f"			/* lahf */
		   "\x0f\x90\xc0");		/* seto %al */
	emit_ask_and_count(emit, site, places);
	EMIT(emit, "\x04\x7f"			/* add $127,%al */
		   "\x9e"			/* sahf */
		   "\x58"			/* pop %rax */
		   LEA_RSP_UP);
}

static void emit_call(struct emit *emit, int64_t target)
{
	EMIT(emit, "\xe8");
	emit_relative(emit, target, 0);
}

/* The gate's two returns: the first goes on to count, the second leaves it out. */
void block_emit_slow(struct emit *emit, const struct instr_plan_site *site,
		     const struct block_places *places)
{
	int64_t count = site->block + site->count_at;
	uint8_t skip_len = site->flags_live ? 5 : sizeof(LEA_RSP_UP) - 1 + 5;

	if (!site->flags_live)
		EMIT(emit, LEA_RSP_DOWN);
	emit_call(emit, places->gate);
	EMIT(emit, "\xeb");			/* jmp over what is skipped to */
	emit_byte(emit, skip_len);
	if (!site->flags_live)
		EMIT(emit, LEA_RSP_UP);
	emit_jump(emit, count + COUNT_LEN);
	if (!site->flags_live)
		EMIT(emit, LEA_RSP_UP);
	emit_jump(emit, count);
}

static void emit_moved(struct emit *emit, const struct instr_plan_site *site,
		       struct instr_moved *moved)
{
	const uint8_t *bytes = site->old + moved->old_at;
	struct insn insn;

	/* It was decoded when the site was planned. */
	if (!insn_decode(bytes, moved->old_len, &insn))
		return;
	moved->new_at = (uint16_t)emit->len;
	reloc_emit(emit, &insn, bytes, (int64_t)site->offset + moved->old_at);
	moved->new_len = (uint16_t)(emit->len - moved->new_at);
}

void block_emit(struct emit *emit, struct instr_plan_site *site,
		const struct block_places *places)
{
	emit_interceptor(emit, site, places);
	site->displaced_at = (uint16_t)emit->len;
	for (size_t i = 0; i < site->nr_moved; i++)
		emit_moved(emit, site, &site->moved[i]);
	if (site->returns)
		emit_jump(emit, (int64_t)site->offset + site->window_len);
	site->block_len = (uint16_t)emit->len;
}

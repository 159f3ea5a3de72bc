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

static void emit_count(struct emit *emit, int64_t counter)
{
	EMIT(emit, "\xf0\x48\xff\x05");		/* lock incq counter(%rip) */
	emit_relative(emit, counter, 0);
}

static void emit_interceptor(struct emit *emit, bool flags_live, int64_t counter)
{
	if (!flags_live) {
		emit_count(emit, counter);
		return;
	}
	EMIT(emit, "\x48\x8d\x64\x24\x80"	/* lea -128(%rsp),%rsp */
		   "\x50"			/* push %rax */
		   "\x9f"			/* lahf */
		   "\x0f\x90\xc0");		/* seto %al */
	emit_count(emit, counter);
	EMIT(emit, "\x04\x7f"			/* add $127,%al */
		   "\x9e"			/* sahf */
		   "\x58"			/* pop %rax */
		   "\x48\x8d\xa4\x24\x80\0\0\0"); /* lea 128(%rsp),%rsp */
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

void block_emit(struct emit *emit, struct instr_plan_site *site, int64_t counter)
{
	emit_interceptor(emit, site->flags_live, counter);
	site->displaced_at = (uint16_t)emit->len;
	for (size_t i = 0; i < site->nr_moved; i++)
		emit_moved(emit, site, &site->moved[i]);
	if (site->returns)
		emit_jump(emit, (int64_t)site->offset + site->window_len);
	site->block_len = (uint16_t)emit->len;
}

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

#include <stddef.h>

#include "insn.h"
#include "reloc.h"
#include "timing.h"

#define COUNT_LEN	7

/* In RAX, which is pushed. */
#define SAVE_FLAGS						\
	LEA_RSP_DOWN						\
	PUSH_RAX						\
	"\x9f"			/* lahf */			\
	"\x0f\x90\xc0"		/* seto %al */
#define RESTORE_FLAGS						\
	"\x04\x7f"		/* add $127,%al */		\
	"\x9e"			/* sahf */			\
	POP_RAX							\
	LEA_RSP_UP

static void emit_look_at_gate(struct emit *emit, const struct block_places *places,
			      uint8_t value)
{
	EMIT(emit, "\x80\x3d");			/* cmpb $value,gate(%rip) */
	emit_relative(emit, places->control, 1);
	emit_byte(emit, value);
}

/*
 * Only a signal can interrupt the one thread that there is, and not this. Returns
 * where it counts.
 */
static uint16_t emit_count_alone(struct emit *emit, const struct instr_plan_site *site,
				 const struct block_places *places)
{
	uint16_t at;

	emit_look_at_gate(emit, places, INSTR_GATE_SOLO);
	EMIT(emit, "\x0f\x85");			/* jne slow */
	emit_relative(emit, site->slow, 0);
	at = (uint16_t)emit->len;
	EMIT(emit, "\x48\xff\x05");			/* incq counter(%rip) */
	emit_relative(emit, places->counter, 0);
	return at;
}

static uint16_t emit_interceptor(struct emit *emit, const struct instr_plan_site *site,
				 const struct block_places *places)
{
	uint16_t at;

	if (!site->flags_live)
		return emit_count_alone(emit, site, places);
	EMIT(emit, SAVE_FLAGS);
	at = emit_count_alone(emit, site, places);
	EMIT(emit, RESTORE_FLAGS);
	return at;
}

/* RAX becomes a number of the stack. They are often 8 MiB apart, or 64 KiB. Changes RCX. */
static void emit_stack(struct emit *emit)
{
	EMIT(emit, "\x48\x89\xe0"			/* mov %rsp,%rax */
		   "\x48\x89\xe1"			/* mov %rsp,%rcx */
		   "\x48\xc1\xe8\x10"		/* shr $16,%rax */
		   "\x48\xc1\xe9\x17"		/* shr $23,%rcx */
		   "\x31\xc8");			/* xor %ecx,%eax */
}

/*
 * RAX becomes a guess at the processor's number. Whether it is right matters only
 * to who else uses the cache line.
 */
static void emit_processor(struct emit *emit, const struct machine *machine)
{
	if (machine->has_rdpid)
		EMIT(emit, "\xf3\x0f\xc7\xf8");	/* rdpid %rax */
	else
		emit_stack(emit);
}

static void emit_count_in_shard(struct emit *emit, const struct block_places *places)
{
	emit_processor(emit, places->machine);
	EMIT(emit, "\x83\xe0");			/* and $shards-1,%eax */
	emit_byte(emit, (uint8_t)(places->machine->shards - 1));
	EMIT(emit, "\x48\x69\xc0");			/* imul $shard_len,%rax,%rax */
	emit_bytes(emit, &places->shard_len, sizeof(places->shard_len));
	EMIT(emit, "\x48\x8d\x0d");			/* lea counter+shard_len(%rip),%rcx */
	emit_relative(emit, places->counter + places->shard_len, 0);
	EMIT(emit, "\xf0\x48\xff\x04\x01");	/* lock incq (%rcx,%rax) */
}

static void emit_call_gate(struct emit *emit, const struct block_places *places)
{
	EMIT(emit, "\xe8");
	emit_relative(emit, places->gate, 0);
}

/*
 *		cmpb	$INSTR_GATE_MANY,gate
 *		je	count
 *		call	gate
 *		je	leave
 *	count:	...
 *	leave:	back behind the block's own count
 */
void block_emit_slow(struct emit *emit, const struct instr_plan_site *site,
		     const struct block_places *places)
{
	size_t many, no;

	if (!site->flags_live)
		EMIT(emit, LEA_RSP_DOWN);
	EMIT(emit, "\x50\x51");			/* push %rax; push %rcx */
	emit_look_at_gate(emit, places, INSTR_GATE_MANY);
	many = emit_forward(emit, 0x74);
	emit_call_gate(emit, places);
	no = emit_forward(emit, 0x74);
	emit_land(emit, many);
	emit_count_in_shard(emit, places);
	emit_land(emit, no);
	EMIT(emit, "\x59\x58");			/* pop %rcx; pop %rax */
	if (!site->flags_live)
		EMIT(emit, LEA_RSP_UP);
	emit_jump(emit, site->block + site->count_at + COUNT_LEN);
}

/* ---- what is timed ---------------------------------------------------------- */

static void emit_timing(struct emit *emit, const struct block_places *places,
			const uint8_t *routine)
{
	EMIT(emit, "\xe8");			/* call routine */
	emit_relative(emit, places->timing + (routine - timing_code), 0);
}

/* The routine gets the record in RAX, or the number that is given. */
static void emit_timing_record(struct emit *emit, const struct block_places *places,
			       const uint8_t *routine)
{
	EMIT(emit, LEA_RSP_DOWN
		   PUSH_RAX
		   "\x48\x8d\x05");		/* lea record(%rip),%rax */
	emit_relative(emit, places->record, 0);
	emit_timing(emit, places, routine);
	EMIT(emit, POP_RAX
		   LEA_RSP_UP);
}

/* MOV leaves the flags alone. */
static void emit_timing_unwind(struct emit *emit, const struct block_places *places,
			       uint8_t how)
{
	EMIT(emit, LEA_RSP_DOWN
		   PUSH_RAX
		   "\xb8");			/* mov $how,%eax */
	emit_byte(emit, how);
	EMIT(emit, "\0\0\0");
	if (how == TIMING_FIND || how == TIMING_ITERATE) {
		EMIT(emit, "\xe8");		/* call unwind_find, or unwind_iterate */
		emit_relative(emit, how == TIMING_FIND ? places->find : places->iterate, 0);
	} else {
		emit_timing(emit, places, timing_unwind);
	}
	EMIT(emit, POP_RAX
		   LEA_RSP_UP);
}

static void emit_call_count(struct emit *emit, const struct block_places *places,
			    int64_t count)
{
	EMIT(emit, PUSH_RAX
		   "\x48\x8d\x05");		/* lea count(%rip),%rax */
	emit_relative(emit, count, 0);
	emit_timing(emit, places, timing_count);
	EMIT(emit, POP_RAX);
}

/* What timing_count does: to go there and back takes as long as the rest. */
static void emit_count_in_lane(struct emit *emit, const struct block_places *places,
			       int64_t count)
{
	size_t many, no;

	EMIT(emit, PUSH_RAX PUSH_RCX);
	emit_look_at_gate(emit, places, INSTR_GATE_MANY);
	many = emit_forward(emit, 0x74);
	emit_call_gate(emit, places);
	no = emit_forward(emit, 0x74);
	emit_land(emit, many);
	emit_stack(emit);
	EMIT(emit, "\x83\xe0\x03"			/* and $3,%eax */
		   "\xc1\xe0");			/* shl $TIMING_RECORD_BITS,%eax */
	emit_byte(emit, TIMING_RECORD_BITS);
	EMIT(emit, "\x48\x8d\x0d");			/* lea count of lane 1(%rip),%rcx */
	emit_relative(emit, count + (1 << TIMING_RECORD_BITS), 0);
	EMIT(emit, "\xf0\x48\xff\x04\x01");	/* lock incq (%rcx,%rax) */
	emit_land(emit, no);
	EMIT(emit, POP_RCX POP_RAX);
}

/*
 *		cmpb	$INSTR_GATE_SOLO,gate
 *		jne	1f
 *		incq	count
 *		jmp	2f
 *	1:	...	in a lane, if this thread counts
 *	2:
 */
static void emit_count_one(struct emit *emit, const struct instr_plan_site *site,
			   const struct block_places *places, size_t at, bool flags_live)
{
	int64_t count = places->record + (int64_t)at;
	size_t many, done;

	if (flags_live)
		EMIT(emit, SAVE_FLAGS);
	emit_look_at_gate(emit, places, INSTR_GATE_SOLO);
	many = emit_forward(emit, 0x75);
	EMIT(emit, "\x48\xff\x05");			/* incq count(%rip) */
	emit_relative(emit, count, 0);
	done = emit_forward(emit, 0xeb);
	emit_land(emit, many);
	if (!flags_live)
		EMIT(emit, LEA_RSP_DOWN);
	if (site->counts_apart)
		emit_call_count(emit, places, count);
	else
		emit_count_in_lane(emit, places, count);
	if (!flags_live)
		EMIT(emit, LEA_RSP_UP);
	emit_land(emit, done);
	if (flags_live)
		EMIT(emit, RESTORE_FLAGS);
}

static bool site_is_timed(const struct instr_plan_site *site)
{
	return site->measure != INSTR_CALLS;
}

static void emit_enter(struct emit *emit, const struct instr_plan_site *site,
		       const struct block_places *places)
{
	if (site->measure == INSTR_EXITS)
		emit_count_one(emit, site, places, offsetof(struct timing_record, calls),
			       site->flags_live);
	else
		emit_timing_record(emit, places,
				   site->goroutine ? timing_enter_go :
				   site->flags_live ? timing_enter : timing_enter_fast);
}

/*
 *		call	timing_take, of which RAX is the record
 *		...	what else happens at entries of what is timed
 *		jmp	to the slot, which is where the return address was
 *		...	timing_take comes back here if it found none
 */
static void emit_enter_by_slot(struct emit *emit, const struct instr_plan_site *site,
			       const struct block_places *places)
{
	struct block_places counted = *places;

	if (site->measure == INSTR_EXITS)
		counted.record += TIMING_COUNTED;
	emit_timing_record(emit, &counted, site->flags_live ? timing_take : timing_take_fast);
	if (site->measure == INSTR_TIMES)
		emit_enter(emit, site, places);
	EMIT(emit, "\x48\x8d\x64\x24\x08"	/* lea 8(%rsp),%rsp */
		   "\xff\x64\x24\xf8"		/* jmp *-8(%rsp) */
		   "\x90"			/* for who looks at the byte before */
		   POP_RAX
		   LEA_RSP_UP);
}

static void emit_entry_timed(struct emit *emit, const struct instr_plan_site *site,
			     const struct block_places *places)
{
	if (site->unwinds)
		emit_timing_unwind(emit, places, site->unwinds);
	if (site->by_slot)
		emit_enter_by_slot(emit, site, places);
	else if (site->enters)
		emit_enter(emit, site, places);
}

/* A conditional branch leaves the function only where it is taken. */
static void emit_exit(struct emit *emit, const struct instr_plan_site *site,
		      struct insn *insn, const uint8_t *bytes,
		      const struct block_places *places)
{
	size_t stays = 0;
	bool branch = insn->kind == INSN_JCC;

	if (branch)
		stays = emit_forward(emit, 0x70 | (insn_condition(insn, bytes) ^ 1));
	if (site->measure == INSTR_EXITS)
		emit_count_one(emit, site, places, offsetof(struct timing_record, exits), true);
	else
		emit_timing_record(emit, places,
				   site->goroutine ? timing_leave_go : timing_leave);
	if (!branch)
		return;
	reloc_emit_goto(emit, (int64_t)site->offset + (bytes - site->old) + insn->target,
			site->far >> (bytes - site->old) & 1);
	emit_land(emit, stays);
}

/* ---- blocks ------------------------------------------------------------------- */

static void emit_moved(struct emit *emit, const struct instr_plan_site *site,
		       const struct instr_moved *moved, const struct block_places *places)
{
	const uint8_t *bytes = site->old + moved->old_at;
	struct insn insn;

	insn_recall(moved, bytes, &insn);
	/* The return address is there already. */
	if (site->calls)
		insn.kind = INSN_JMP;
	if (site->exits >> (moved - site->moved) & 1) {
		emit_exit(emit, site, &insn, bytes, places);
		if (insn.kind == INSN_JCC)
			return;
	}
	reloc_emit(emit, &insn, bytes, (int64_t)site->offset + moved->old_at,
		   site->far >> moved->old_at & 1, site->callee_flags_dead);
}

/* What comes behind the displaced instructions. */
static void emit_tail(struct emit *emit, const struct instr_plan_site *site,
		      const struct block_places *places)
{
	if (site->how == INSTR_HOW_POINTER) {
		EMIT(emit, "\xff\x25");		/* jmp *kept(%rip) */
		emit_relative(emit, places->kept, 0);
	}
	if (site->returns)
		emit_jump(emit, (int64_t)site->offset + site->window_len);
}

/* Returns where it counts, if it does. */
static uint16_t emit_begin(struct emit *emit, const struct instr_plan_site *site,
			   const struct block_places *places)
{
	if (!site_is_timed(site))
		return emit_interceptor(emit, site, places);
	emit_entry_timed(emit, site, places);
	return 0;
}

void block_measure(struct instr_plan_site *site)
{
	const struct block_places nowhere = { 0 };
	struct emit measure = { .bytes = NULL };

	site->count_at = emit_begin(&measure, site, &nowhere);
	site->displaced_at = (uint16_t)measure.len;
	for (size_t i = 0; i < site->nr_moved; i++) {
		struct instr_moved *moved = &site->moved[i];

		moved->new_at = (uint16_t)measure.len;
		emit_moved(&measure, site, moved, &nowhere);
		moved->new_len = (uint8_t)(measure.len - moved->new_at);
	}
	emit_tail(&measure, site, &nowhere);
	site->block_len = (uint16_t)measure.len;
}

void block_emit(struct emit *emit, const struct instr_plan_site *site,
		const struct block_places *places)
{
	emit_begin(emit, site, places);
	for (size_t i = 0; i < site->nr_moved; i++)
		emit_moved(emit, site, &site->moved[i], places);
	emit_tail(emit, site, places);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Sites: what becomes of an entry, by the bytes that are there. The text is one
 * function, or two, in memory.
 */

#include <string.h>

#include "block.h"
#include "insn.h"
#include "site.h"
#include "tap.h"

#define VADDR 0x400000
#define OFFSET 0x2000

static struct instr_func func[2];
static struct func_table funcs = { .func = func };
static struct rseq_range rseq;
static uint8_t bytes[8192];
static struct instr_plan_site site;

static struct site_text text = {
	.funcs = &funcs,
	.bytes = bytes,
	.vaddr = VADDR,
};

static size_t parse_hex(const char *hex, uint8_t *to)
{
	size_t len = strlen(hex) / 2;
	unsigned int byte;

	for (size_t i = 0; i < len; i++) {
		sscanf(hex + 2 * i, "%2x", &byte);
		to[i] = (uint8_t)byte;
	}
	return len;
}

static struct instr_func function(uint64_t at, uint64_t size)
{
	return (struct instr_func){
		.name = "f", .vaddr = VADDR + at, .offset = OFFSET + at, .size = size,
	};
}

/* Plans function 0: @hex, @size bytes of it at @at, and function 1 at @next. */
static void plan_at(uint8_t top, uint64_t at, const char *hex, uint64_t size, uint64_t next)
{
	text.distance.top = top;
	text.len = at + parse_hex(hex, bytes + at);
	text.lowest = text.highest = distance_rel32(text.distance);
	func[0] = function(at, size);
	func[1] = function(next, 1);
	funcs.nr = next ? 2 : 1;
	site_plan(&text, 0, &site);
}

static void plan_hex(uint8_t top, const char *hex)
{
	plan_at(top, 0, hex, strlen(hex) / 2, 0);
}

static bool refused(const char *hex, enum instr_reason reason)
{
	plan_hex(0xcc, hex);
	return site.how == INSTR_HOW_REFUSED && site.reason == reason;
}

static bool trap(enum instr_reason reason)
{
	return site.how == INSTR_HOW_TRAP && site.reason == reason && site.patch_len == 1 &&
	       site.nr_moved == 1 && site.window_len == site.moved[0].old_len;
}

/* The site at byte @at of function 0, of which the first instruction only is moved. */
static bool trap_inside(uint64_t at, const char *old)
{
	uint8_t expected[INSN_LEN_MAX];
	size_t len = parse_hex(old, expected);

	site_plan_trap(&text, (struct instr_place){ 0, at }, INSTR_REASON_INSIDE, &site);
	return trap(INSTR_REASON_INSIDE) && site.offset == OFFSET + at &&
	       site.window_len == len && !memcmp(site.old, expected, len);
}

static bool refused_inside(uint64_t at, enum instr_reason reason)
{
	site_plan_trap(&text, (struct instr_place){ 0, at }, INSTR_REASON_INSIDE, &site);
	return site.how == INSTR_HOW_REFUSED && site.reason == reason;
}

static bool jump(const char *new, unsigned int window_len)
{
	uint8_t expected[INSTR_SITE_MAX];
	size_t len = parse_hex(new, expected);

	return site.how == INSTR_HOW_JUMP && !site.reason && site.patch_len == len &&
	       !memcmp(site.new, expected, len) && site.window_len == window_len;
}

#define TEN_NOPS "90909090909090909090"

static void jump_where_all_is_well(void)
{
	plan_hex(0xcc, "4883ec08" "31c0" TEN_NOPS "c3");
	CHECK(jump("e9cccccccc", 6) && !site.fragile && site.returns && !site.flags_live);
	CHECK(site.nr_moved == 2 && site.moved[1].old_at == 4 && site.moved[1].old_len == 2);
}

static void prefixes_avoid_the_last_byte(void)
{
	plan_hex(0x61, "b801000000" TEN_NOPS "c3");		/* no boundary at 4 */
	CHECK(jump("e9cccccc61", 5) && !site.fragile);
	plan_hex(0x61, "4883ec08" "b801000000" TEN_NOPS "c3");	/* at 4, none at 1 or 5 */
	CHECK(jump("48e9cccccc61", 9) && !site.fragile);
	plan_hex(0x61, "4883ec08" "90" "b801000000" "c3");	/* at 4, 5: none at 1, 2, 6 */
	CHECK(jump("2e48e9cccccc61", 10) && !site.fragile);
	plan_hex(0x61, "4883ec08" "90" "90" "b801000000" "c3");	/* at 4, 5, 6 */
	CHECK(jump("2e2e48e9cccccc61", 11) && !site.fragile);
	plan_hex(0x61, "55" "4889e5" TEN_NOPS "c3");		/* at 1, 4 */
	CHECK(jump("e9cccccc61", 5) && site.fragile);
	plan_hex(0xcc, "55" "4889e5" TEN_NOPS "c3");
	CHECK(jump("e9cccccccc", 5) && !site.fragile);
}

/* What it calls begins at byte 10, and decides on the flags. */
static void calls_stay_calls(void)
{
	plan_hex(0xcc, "e805000000" "9090909090" "31c0" "c3");
	CHECK(jump("e8cccccccc", 5) && site.calls && !site.returns && !site.flags_live);
	plan_hex(0x61, "e805000000" "9090909090" "11c0" "c3");
	CHECK(jump("e8cccccc61", 5) && site.calls && site.flags_live && !site.fragile);
	plan_hex(0xcc, "e800000000" "58" TEN_NOPS);
	CHECK(jump("e8cccccccc", 5) && site.calls);
	plan_hex(0xcc, "48e805000000" "90909090" "31c0" "c3");	/* not of a jump's length */
	CHECK(jump("e9cccccccc", 6) && !site.calls);
	plan_hex(0xcc, "55" "e804000000" "9090909090" "31c0" "c3");
	CHECK(jump("e9cccccccc", 6) && !site.calls);
	plan_hex(0xcc, "e805000000" "9090909090" "31c0" "c3");
	CHECK(trap_inside(0, "e805000000") && !site.calls);
}

/* Where a call stands behind 4 bytes, the jump ends in its opcode. */
static void calls_behind_are_left_alone(void)
{
	text.distance.annex = 0xe8;
	plan_hex(0xcc, "4883ec08" "e800000000" TEN_NOPS "c3");
	CHECK(jump("e9cccccc", 4) && site.annex && site.fragile && site.returns);
	CHECK(site.nr_moved == 1 && site.moved[0].old_len == 4);
	plan_hex(0xcc, "55" "4889e5" "e800000000" TEN_NOPS "c3");
	CHECK(jump("e9cccccc", 4) && site.annex && site.nr_moved == 2);
	plan_at(0xcc, 4092, "4883ec08" "e800000000" "c3", 10, 0);	/* it ends in the next page */
	CHECK(trap(INSTR_REASON_PAGE) && !site.annex);
	plan_hex(0xcc, "4883ec08" "e800000000" "ebf9" "c3");	/* a branch to the call */
	CHECK(jump("e9cccccc", 4) && site.annex);
	plan_hex(0xcc, "55" "4889e5" "e800000000" "ebf6" "c3");	/* into the jump */
	CHECK(trap(INSTR_REASON_LOOP) && !site.annex);
	plan_hex(0xcc, "4883ec08" "e900000000" TEN_NOPS "c3");
	CHECK(jump("e9cccccccc", 9) && !site.annex);
	plan_hex(0xcc, "4883ec08" "48e800000000" TEN_NOPS "c3");
	CHECK(jump("e9cccccccc", 10) && !site.annex);
	plan_hex(0xcc, "4883ec" "e8" "e800000000" TEN_NOPS "c3");
	CHECK(site.annex && site.old[3] == 0xe8);
	text.distance.annex = 0;
	plan_hex(0xcc, "4883ec08" "e800000000" TEN_NOPS "c3");
	CHECK(jump("e9cccccccc", 9) && !site.annex);
}

static void short_functions_trap(void)
{
	plan_at(0xcc, 0, "31c0" "c3" "5589", 3, 0);
	CHECK(trap(INSTR_REASON_SHORT) && site.window_len == 2);
	plan_hex(0xcc, "31c0" "c3");
	CHECK(trap(INSTR_REASON_SHORT));
}

static void what_nobody_comes_to_is_left_alone(void)
{
	plan_hex(0xcc, "31c0" "c3" "0100000000000000" "c3");
	CHECK(trap(INSTR_REASON_SHORT));
	plan_hex(0xcc, "31c0" "c3" "90" "0100000000000000" "c3");
	CHECK(trap(INSTR_REASON_SHORT));
	/* To behind the return, where the jump ends at the latest. */
	plan_hex(0xcc, "31c0" "7401" "c3" "b801000000" "c3");
	CHECK(jump("e9cccccccc", 5));
}

static void padding_is_taken(void)
{
	plan_at(0xcc, 0, "31c0" "c3" "0f1f440000" "55", 3, 8);
	CHECK(jump("e9cccccccc", 8) && site.returns && site.nr_moved == 3);
	plan_at(0xcc, 0, "31c0" "c3" "cccccccccc" "55", 3, 8);
	CHECK(jump("e9cccccccc", 5) && site.returns && site.nr_moved == 4);
	plan_at(0xcc, 0, "31c0" "90" "0f1f440000" "55", 3, 8);	/* falls through */
	CHECK(jump("e9cccccccc", 8) && site.returns);
	plan_at(0xcc, 0, "31c0" "c3" "9090" "55", 3, 5);
	CHECK(jump("e9cccccccc", 5));
}

static void neighbours_are_not_touched(void)
{
	plan_at(0xcc, 0, "31c0" "c3" "90" "55", 3, 4);
	CHECK(trap(INSTR_REASON_NEIGHBOUR));
	plan_at(0xcc, 0, "4883ec08" "b801000000" "c3", 10, 6);	/* within the second */
	CHECK(trap(INSTR_REASON_NEIGHBOUR));
	plan_at(0xcc, 0, "f0" "480fb10e" "90909090" "c3", 1, 1);	/* behind a prefix */
	CHECK(trap(INSTR_REASON_NEIGHBOUR) && site.window_len == 5);
}

static void loops_trap(void)
{
	plan_hex(0xcc, "31c0" "ffc0" "39f8" "75fa" "c3");	/* to 2 */
	CHECK(trap(INSTR_REASON_LOOP));
	plan_hex(0xcc, "31c0" "ffc0" "39f8" "75fe" "c3");	/* to itself */
	CHECK(site.how == INSTR_HOW_JUMP);
	plan_hex(0xcc, "31c0" "ffc0" "39f8" "75f8" "c3");	/* to the entry */
	CHECK(site.how == INSTR_HOW_JUMP);
	plan_hex(0xcc, "f30f1efa" "31c0" "ffc0" "75fb" "c3");	/* to 5: off the boundaries */
	CHECK(site.how == INSTR_HOW_JUMP);
	plan_hex(0xcc, "31c0" "ffc0" "39f8" "90" "0f85f7ffffff" "c3");
	CHECK(trap(INSTR_REASON_LOOP));
	plan_hex(0xcc, "b905000000" "90" "e2fd" "c3");		/* to 5: not patched */
	CHECK(site.how == INSTR_HOW_JUMP);
}

static void pages_are_not_straddled(void)
{
	plan_at(0xcc, 4092, "b801000000" TEN_NOPS, 15, 0);
	CHECK(trap(INSTR_REASON_PAGE));
	plan_at(0xcc, 4091, "b801000000" TEN_NOPS, 15, 0);
	CHECK(site.how == INSTR_HOW_JUMP);
	/* No room for a prefix, but for the jump. */
	plan_at(0x61, 4091, "4883ec08" "b801000000" TEN_NOPS, 19, 0);
	CHECK(jump("e9cccccc61", 9) && site.fragile);
}

static void unmovable_instructions_trap(void)
{
	plan_hex(0xcc, "90" "c7f800000000" TEN_NOPS);		/* xbegin */
	CHECK(trap(INSTR_REASON_INSN));
	plan_hex(0xcc, "90" "cc" TEN_NOPS);			/* a breakpoint of its own */
	CHECK(trap(INSTR_REASON_INSN));
	plan_hex(0xcc, "90" "06" TEN_NOPS);
	CHECK(trap(INSTR_REASON_INSN));
	plan_hex(0xcc, "31c0" "c3" "cc" TEN_NOPS);		/* padding by another name */
	CHECK(site.how == INSTR_HOW_JUMP);
}

static void refusals_have_reasons(void)
{
	CHECK(refused("06" TEN_NOPS, INSTR_REASON_UNDECODABLE));
	CHECK(refused("48", INSTR_REASON_UNDECODABLE));
	CHECK(refused("cc" TEN_NOPS, INSTR_REASON_BREAKPOINT));
	CHECK(refused("c7f800000000" TEN_NOPS, INSTR_REASON_UNMOVABLE));
	CHECK(refused("ff5424f8" TEN_NOPS, INSTR_REASON_UNMOVABLE));
	CHECK(!refused("0f0b" TEN_NOPS, INSTR_REASON_UNMOVABLE));
}

/* The slab lies below the text, so that what is far above it is out of reach. */
static void what_is_far_is_marked(void)
{
	plan_hex(0xcc, "90" "488b050000007f" TEN_NOPS);		/* mov x(%rip),%rax */
	CHECK(jump("e9cccccccc", 8) && site.far == 1 << 1);
	CHECK(trap_inside(1, "488b050000007f") && site.far == 1);
	plan_hex(0xcc, "b801000000" "488b050000007f" TEN_NOPS);
	CHECK(jump("e9cccccccc", 5) && !site.far);		/* not in the window */
	plan_hex(0xcc, "488b050000007f" TEN_NOPS);
	text.lowest = text.highest = 0;
	site_plan(&text, 0, &site);
	CHECK(jump("e9cccccccc", 7) && !site.far);
	plan_hex(0xcc, "90" "4803250000007f" TEN_NOPS);		/* add x(%rip),%rsp */
	CHECK(trap(INSTR_REASON_INSN));
}

static void the_longest_blocks_fit(void)
{
	static const char *const longest[] = {
		"ffd0" "ffd0" "ff150000007f" TEN_NOPS,
		"e80000007f" TEN_NOPS,
		"9090" "c705" "0000007f" "00000000" TEN_NOPS,
		"66480fba250000007f00" TEN_NOPS,
	};
	const size_t cell = sizeof(((struct instr_cell *)NULL)->code) - BLOCK_SLOW_MAX;

	for (size_t i = 0; i < sizeof(longest) / sizeof(longest[0]); i++) {
		plan_hex(0x60, longest[i]);
		text.lowest = text.highest = -(int64_t)distance_rel32(text.distance);
		site_plan(&text, 0, &site);
		CHECK(site.how == INSTR_HOW_JUMP && site.far &&
		      site.block_len <= INSTR_BLOCK_MAX);
		for (size_t n = 0; n < site.nr_moved; n++) {
			struct instr_plan_site inside;

			site_plan_trap(&text, (struct instr_place){ 0, site.moved[n].old_at },
				       INSTR_REASON_INSIDE, &inside);
			CHECK(inside.how == INSTR_HOW_TRAP && inside.block_len <= cell);
		}
	}
}

static void any_boundary_can_trap(void)
{
	/* push %rbx; mov %rdi,%rbx; je .+7; call .+5; ret */
	plan_hex(0xcc, "53" "4889fb" "7405" "e800000000" "c3");
	CHECK(trap_inside(0, "53"));
	CHECK(trap_inside(1, "4889fb") && site.flags_live);
	CHECK(trap_inside(4, "7405") && site.flags_live && site.returns);
	CHECK(trap_inside(6, "e800000000") && !site.returns);
	CHECK(trap_inside(11, "c3") && !site.returns);
	for (uint64_t at = 0; at < 13; at++)
		CHECK(at == 0 || at == 1 || at == 4 || at == 6 || at == 11 ||
		      refused_inside(at, INSTR_REASON_BOUNDARY));
	/* Behind what is no instruction nothing is a boundary. */
	plan_hex(0xcc, "53" "06" "4889fb" "c3");
	CHECK(trap_inside(0, "53"));
	CHECK(refused_inside(1, INSTR_REASON_BOUNDARY));
	CHECK(refused_inside(2, INSTR_REASON_BOUNDARY));
}

static void kinds_of_functions_are_refused(void)
{
	plan_hex(0xcc, "b801000000" "c3");
	func[0].is_signal_frame = true;
	site_plan(&text, 0, &site);
	CHECK(site.reason == INSTR_REASON_SIGNAL_FRAME);
	func[0] = function(6, 1);
	site_plan(&text, 0, &site);
	CHECK(site.reason == INSTR_REASON_SEGMENT);
	func[0] = function(-1, 1);
	site_plan(&text, 0, &site);
	CHECK(site.reason == INSTR_REASON_SEGMENT);
}

static void restartable_sequences_are_refused(void)
{
	text.rseq = &rseq;
	text.nr_rseq = 1;
	rseq = (struct rseq_range){ VADDR + 4, VADDR + 9 };
	plan_hex(0xcc, "b801000000" "c3");
	CHECK(site.reason == INSTR_REASON_RSEQ && site.how == INSTR_HOW_REFUSED);
	rseq.start++;
	plan_hex(0xcc, "b801000000" "c3");
	CHECK(site.how == INSTR_HOW_JUMP);
	text.nr_rseq = 0;
}

static void calls_at_the_end_do_not_come_back(void)
{
	plan_hex(0xcc, "e800010000" TEN_NOPS);
	CHECK(site.how == INSTR_HOW_JUMP && !site.returns);
	plan_hex(0xcc, "90" "e800010000" "90" TEN_NOPS);
	CHECK(site.how == INSTR_HOW_JUMP && !site.returns && site.window_len == 6);
	plan_hex(0xcc, "ffd0" "b801000000" TEN_NOPS);
	CHECK(site.how == INSTR_HOW_JUMP && site.returns);
}

int main(void)
{
	RUN(jump_where_all_is_well);
	RUN(prefixes_avoid_the_last_byte);
	RUN(calls_stay_calls);
	RUN(calls_behind_are_left_alone);
	RUN(short_functions_trap);
	RUN(what_nobody_comes_to_is_left_alone);
	RUN(padding_is_taken);
	RUN(neighbours_are_not_touched);
	RUN(loops_trap);
	RUN(pages_are_not_straddled);
	RUN(unmovable_instructions_trap);
	RUN(refusals_have_reasons);
	RUN(what_is_far_is_marked);
	RUN(the_longest_blocks_fit);
	RUN(any_boundary_can_trap);
	RUN(kinds_of_functions_are_refused);
	RUN(restartable_sequences_are_refused);
	RUN(calls_at_the_end_do_not_come_back);
	return tap_done();
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Relocation and what it stands on: one case for each class of instructions,
 * moved from position 0x1000 to 0x101000, those that refer far, and which can't be
 * moved at all.
 */

#include <string.h>

#include "flags.h"
#include "insn.h"
#include "reloc.h"
#include "tap.h"

#define FROM 0x1000
#define TO 0x101000
#define FAR_TO (FROM - 0x40000000LL)

struct golden {
	const char *what, *old, *new;
	bool flags_dead;
};

/* call 1f; jmp return; 1: and what pushes the right one */
#define PUSH_RETURN(to_return, displacement) "e805000000" "e9" to_return \
	"50" "488d05" displacement "4889442408" "58"
#define ADD_TO_RETURN(to_return, difference) "e805000000" "e9" to_return \
	"48810424" difference

static const struct golden golden[] = {
	{ "plain", "4889e5", "4889e5", false },
	{ "endbr64", "f30f1efa", "f30f1efa", false },
	{ "push", "4157", "4157", false },
	{ "ret", "c3", "c3", false },
	{ "syscall", "0f05", "0f05", false },
	{ "int 0x80", "cd80", "cd80", false },
	{ "ud2", "0f0b", "0f0b", false },
	{ "stack operand", "488b442408", "488b442408", false },
	{ "fs operand", "64488b042528000000", "64488b042528000000", false },
	{ "mov x(%rip),%rax", "488b0500010000", "488b050001f0ff", false },
	{ "cmpl $imm,x(%rip)", "813d0001000078563412", "813d0001f0ff78563412", false },
	{ "movb $imm,x(%rip)", "c6050001000005", "c6050001f0ff05", false },
	{ "VEX x(%rip)", "c5fb100500010000", "c5fb10050001f0ff", false },
	{ "EVEX x(%rip)", "62f17c48100500010000", "62f17c4810050001f0ff", false },
	{ "jmp *x(%rip)", "ff2500010000", "ff250001f0ff", false },
	{ "bnd jmp *x(%rip)", "f2ff2500010000", "f2ff250001f0ff", false },
	{ "notrack jmp *%rax", "3effe0", "3effe0", false },
	{ "jmp rel8", "eb10", "e90d00f0ff", false },
	{ "jmp rel8 back", "ebfe", "e9fbffefff", false },
	{ "jmp rel32", "e900010000", "e90001f0ff", false },
	{ "je rel8", "7410", "0f840c00f0ff", false },
	{ "jg rel8 with a hint", "3e7f10", "0f8f0d00f0ff", false },
	{ "jb rel32", "0f8200010000", "0f820001f0ff", false },
	{ "loop", "e210", "e202eb05e90900f0ff", false },
	{ "loope", "e110", "e102eb05e90900f0ff", false },
	{ "loopne", "e010", "e002eb05e90900f0ff", false },
	{ "jrcxz", "e310", "e302eb05e90900f0ff", false },
	{ "jecxz", "67e310", "67e302eb05e90900f0ff", false },
	{ "call rel32", "e800010000", PUSH_RETURN("fbffefff", "f3ffefff")
	  "e9e800f0ff", false },
	{ "call rel32, padded", "666648e800010000", PUSH_RETURN("feffefff", "f6ffefff")
	  "e9eb00f0ff", false },
	{ "call of what ignores the flags", "e800010000",
	  ADD_TO_RETURN("fbffefff", "0000f0ff") "e9ee00f0ff", true },
	{ "call of what follows", "e800000000", "50" "488d05fdffefff" "48870424"
	  "e9f4ffefff", true },
	{ "call *x(%rip)", "ff1500010000", PUSH_RETURN("fcffefff", "f4ffefff")
	  "ff25e800f0ff", false },
	{ "call *%rax", "ffd0", PUSH_RETURN("f8ffefff", "f0ffefff")
	  "ffe0", false },
	{ "call *%r12", "41ffd4", PUSH_RETURN("f9ffefff", "f1ffefff")
	  "41ffe4", false },
	{ "call *8(%r12)", "41ff542408", PUSH_RETURN("fbffefff", "f3ffefff")
	  "41ff642408", false },
	{ "call *(%rax,%rbx,8)", "ff14d8", PUSH_RETURN("f9ffefff", "f1ffefff")
	  "ff24d8", false },
	{ "call *16(%rbp)", "ff5510", PUSH_RETURN("f9ffefff", "f1ffefff")
	  "ff6510", false },
	{ "call *(%rsp)", "ff1424", PUSH_RETURN("f9ffefff", "f1ffefff")
	  "ff642408", false },
	{ "call *8(%rsp)", "ff542408", PUSH_RETURN("faffefff", "f2ffefff")
	  "ff642410", false },
	{ "call *8(%rsp), with a scale that means nothing", "ff54e408",
	  PUSH_RETURN("faffefff", "f2ffefff") "ff64e410", false },
	{ "call *119(%rsp)", "ff542477", PUSH_RETURN("faffefff", "f2ffefff")
	  "ff64247f", false },
	{ "call *120(%rsp)", "ff542478", PUSH_RETURN("faffefff", "f2ffefff")
	  "ffa42480000000", false },
	{ "call *256(%rsp)", "ff942400010000", PUSH_RETURN("fdffefff", "f5ffefff")
	  "ffa42408010000", false },
};

/* Each @address is lea half(%rip),%reg; lea rest(%reg),%reg */
#define SAVED(push, address, insn, pop) "488d642480" push address insn pop "488da42480000000"
#define FAR_JUMP(address, load) "488d642480" "e801000000" "cc" "50" address load \
	"4889442408" "58" "c28000"

static const struct golden far_golden[] = {
	{ "mov x(%rip),%rbx", "488b1d00000070",
	  SAVED("50", "488d05fdffff57488d80fdffff57", "488b18", "58"), false },
	{ "mov %rax,x(%rip)", "48890500000070",
	  SAVED("51", "488d0dfdffff57488d89fdffff57", "488901", "59"), false },
	{ "mov %ah,x(%rip)", "882500000070",
	  SAVED("51", "488d0dfcffff57488d89fdffff57", "8821", "59"), false },
	{ "add %r9,x(%rip), with REX.B", "4d010d00000070",
	  SAVED("50", "488d05fdffff57488d80fdffff57", "4c0108", "58"), false },
	{ "cmpl $imm,x(%rip)", "813d0000007078563412",
	  SAVED("50", "488d05feffff57488d80ffffff57", "813878563412", "58"), false },
	{ "movb $imm,x(%rip)", "c6050000007005",
	  SAVED("50", "488d05fdffff57488d80fdffff57", "c60005", "58"), false },
	{ "mov %fs:x(%rip),%eax", "648b0500000070",
	  SAVED("51", "488d0dfdffff57488d89fdffff57", "648b01", "59"), false },
	{ "mull x(%rip)", "f72500000070",
	  SAVED("51", "488d0dfcffff57488d89fdffff57", "f721", "59"), false },
	{ "cmpxchg16b x(%rip)", "f0480fc70d00000070",
	  SAVED("56", "488d35feffff57488db6feffff57", "f0480fc70e", "5e"), false },
	{ "pcmpestri $imm,x(%rip),%xmm0", "660f3a6105000000700c",
	  SAVED("53", "488d1dfeffff57488d9bffffff57", "660f3a61030c", "5b"), false },
	{ "VEX.2 x(%rip)", "c5fb100500000070",
	  SAVED("50", "488d05fdffff57488d80feffff57", "c5fb1000", "58"), false },
	{ "VEX.3 x(%rip), with B", "c4c17c100500000070",
	  SAVED("50", "488d05feffff57488d80feffff57", "c4e17c1000", "58"), false },
	{ "EVEX x(%rip)", "62f17c48100500000070",
	  SAVED("50", "488d05feffff57488d80ffffff57", "62f17c481000", "58"), false },
	{ "EVEX x(%rip), with B", "62d17c48100500000070",
	  SAVED("50", "488d05feffff57488d80ffffff57", "62f17c481000", "58"), false },
	{ "XOP x(%rip), with B", "8fc978900500000070",
	  SAVED("50", "488d05feffff57488d80feffff57", "8fe9789000", "58"), false },
	{ "lea x(%rip),%rax", "488d0500000070", "488d0500000058488d8000000058", false },
	{ "lea x(%rip),%r13", "4c8d2d00000070", "4c8d2d000000584d8dad00000058", false },
	{ "lea x(%rip),%r12", "4c8d2500000070",
	  SAVED("50", "488d05fdffff57488d80fdffff57", "4c8d20", "58"), false },
	{ "lea x(%rip),%eax", "8d0500000070",
	  SAVED("51", "488d0dfcffff57488d89fdffff57", "8d01", "59"), false },
	{ "push x(%rip)", "ff3500000070",
	  "488d642480" "50" "488d05fcffff57488d80fdffff57" "ff30"
	  "8f842480000000" "58" "488d642478", false },
	{ "pop x(%rip)", "8f0500000070",
	  "488d642480" "50" "488d05fcffff57488d80fdffff57" "ffb42488000000"
	  "8f00" "58" "488da42488000000", false },
	{ "jmp *x(%rip)", "ff2500000070",
	  FAR_JUMP("488d05f9ffff57488d80faffff57", "488b00"), false },
	{ "call *x(%rip)", "ff1500000070",
	  PUSH_RETURN("fcffff3f", "f4ffff3f")
	  FAR_JUMP("488d05edffff57488d80eeffff57", "488b00"), false },
	{ "jmp rel32", "e900000070", FAR_JUMP("488d05f9ffff57488d80f9ffff57", ""), false },
	{ "je rel32", "0f8400000070",
	  "7523" FAR_JUMP("488d05f8ffff57488d80f9ffff57", ""), false },
	{ "call rel32", "e800000070",
	  PUSH_RETURN("fbffff3f", "f3ffff3f")
	  FAR_JUMP("488d05edffff57488d80edffff57", ""), false },
	{ "call of what ignores the flags", "e800000070",
	  ADD_TO_RETURN("fbffff3f", "00000040")
	  FAR_JUMP("488d05f0ffff57488d80f0ffff57", ""), true },
};

/* From where the loop is just in reach, what it leads to is not. */
#define BORDER (FROM + 2 - INT32_MAX + INSTR_BLOCK_MAX)

static const struct golden border_golden = {
	"loop", "e27f", "e202" "eb23" FAR_JUMP("488d05b3ffff3f488d80b4ffff3f", ""), false,
};

static const char *const unmovable[] = {
	"ff5424f8",		/* call *-8(%rsp): that is where it pushes */
	"ff14c4",		/* call *(%rsp,%rax,8): that may be */
	"ff54cc08",		/* call *8(%rsp,%rcx,8) */
	"42ff1404",		/* call *(%rsp,%r8) */
	"ff9424f8ffff7f",	/* call *0x7ffffff8(%rsp) */
	"ffd4",			/* call *%rsp */
	"66e800000000",		/* 16 bits wide on some processors */
	"667500",
	"c7f800000000",		/* xbegin */
	"c6f800",		/* xabort */
	"ff1c24",		/* call far */
	"ff2c24",		/* jmp far */
	"678d0510000000",	/* an operand relative to EIP */
};

static size_t parse_hex(const char *hex, uint8_t *bytes)
{
	size_t len = strlen(hex) / 2;
	unsigned int byte;

	for (size_t i = 0; i < len; i++) {
		sscanf(hex + 2 * i, "%2x", &byte);
		bytes[i] = (uint8_t)byte;
	}
	return len;
}

static bool moves_as(const struct golden *g, int64_t to, bool far)
{
	uint8_t old[16], expected[128], new[128];
	struct emit count = { .position = 0 };
	struct emit emit = { .bytes = new, .position = to };
	size_t len = parse_hex(g->old, old), new_len = parse_hex(g->new, expected);
	struct insn insn;

	if (!insn_decode(old, len, &insn) || insn.len != len ||
	    reloc_choose(&insn, old, FROM, to, to) != (far ? RELOC_FAR : RELOC_NEAR))
		return false;
	reloc_emit(&count, &insn, old, FROM, far, g->flags_dead);
	reloc_emit(&emit, &insn, old, FROM, far, g->flags_dead);
	if (count.len == emit.len && emit.len == new_len && !memcmp(new, expected, new_len))
		return true;
	printf("# %s: ", g->what);
	for (size_t i = 0; i < emit.len; i++)
		printf("%02x", new[i]);
	printf("\n");
	return false;
}

static void each_class_moves(void)
{
	for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
		if (!CHECK(moves_as(&golden[i], TO, false)))
			printf("# %s\n", golden[i].what);
	}
}

static void what_is_far_is_reached(void)
{
	for (size_t i = 0; i < sizeof(far_golden) / sizeof(far_golden[0]); i++) {
		if (!CHECK(moves_as(&far_golden[i], FAR_TO, true)))
			printf("# %s\n", far_golden[i].what);
	}
	CHECK(moves_as(&border_golden, BORDER, true));
}

static void what_depends_on_its_place_stays(void)
{
	uint8_t bytes[16];
	struct insn insn;

	for (size_t i = 0; i < sizeof(unmovable) / sizeof(unmovable[0]); i++) {
		size_t len = parse_hex(unmovable[i], bytes);

		if (!CHECK(insn_decode(bytes, len, &insn)) ||
		    !CHECK(reloc_choose(&insn, bytes, FROM, TO, TO) == RELOC_IMPOSSIBLE))
			printf("# %s\n", unmovable[i]);
	}
}

static enum reloc_how choose(const char *hex, int64_t lowest, int64_t highest)
{
	uint8_t bytes[16];
	struct insn insn;

	if (!insn_decode(bytes, parse_hex(hex, bytes), &insn))
		return RELOC_IMPOSSIBLE;
	return reloc_choose(&insn, bytes, FROM, lowest, highest);
}

static void far_is_what_any_block_may_not_reach(void)
{
	static const char *const near[] = { "488b0500010000", "e900010000", "eb10", "e800000000" };
	static const char *const far[] = { "488b050000007f", "e90000007f", "e80000007f",
					   "0f840000007f" };

	for (size_t i = 0; i < 4; i++) {
		CHECK(choose(near[i], TO, TO + 0x7f000000) == RELOC_NEAR);
		CHECK(choose(near[i], TO, TO + 0x80000000LL) == RELOC_IMPOSSIBLE);
		CHECK(choose(near[i], TO - 0x80200000LL, TO) == RELOC_IMPOSSIBLE);
		CHECK(choose(far[i], TO, TO) == RELOC_NEAR);
		CHECK(choose(far[i], TO - 0x2000000, TO) == RELOC_FAR);
	}
}

/* What RSP is matters to them, or they leave no register. */
static void what_needs_the_stack_pointer_is_not_far(void)
{
	static const char *const needs[] = {
		"48892500000070",	/* mov %rsp,x(%rip) */
		"40882500000070",	/* mov %spl,x(%rip) */
		"48032500000070",	/* add x(%rip),%rsp */
		"488d2500000070",	/* lea x(%rip),%rsp */
		"66ff3500000070",	/* pushw x(%rip) */
		"668f0500000070",	/* popw x(%rip) */
		"64ff2500000070",	/* jmp *%fs:x(%rip) */
	};

	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		CHECK(choose(needs[i], TO, TO) == RELOC_NEAR);
		CHECK(choose(needs[i], FAR_TO, TO) == RELOC_IMPOSSIBLE);
	}
}

/* ---- decoding --------------------------------------------------------------- */

static uint8_t registers(const char *hex)
{
	uint8_t bytes[16];

	return insn_registers(bytes, parse_hex(hex, bytes));
}

static void registers_are_all_that_matter(void)
{
	CHECK(registers("488b1d00000000") == 1 << 3);		/* mov x(%rip),%rbx */
	CHECK(registers("8a2d00000000") == 1 << 1);		/* mov x(%rip),%ch */
	CHECK(registers("408a2d00000000") == 1 << 5);		/* mov x(%rip),%bpl */
	CHECK(registers("4c8b1d00000000") == 0);		/* mov x(%rip),%r11 */
	CHECK(registers("0f100500000000") == 0);		/* movups x(%rip),%xmm0 */
	CHECK(registers("488b44b708") == (1 << 0 | 1 << 6 | 1 << 7));	/* 8(%rdi,%rsi,4) */
	CHECK(registers("f72500000000") == (1 << 0 | 1 << 2));		/* mull */
	CHECK(registers("d32500000000") == 1 << 1);			/* shll %cl */
	CHECK(registers("0fb10d00000000") == (1 << 0 | 1 << 1));	/* cmpxchg */
	CHECK(registers("0fc70d00000000") == 0x0f);			/* cmpxchg8b */
	CHECK(registers("0fae2500000000") == (1 << 0 | 1 << 2));	/* xsave */
	CHECK(registers("c4e2e3f60d00000000") == (1 << 1 | 1 << 2 | 1 << 3));	/* mulx */
	CHECK(registers("ff3500000000") == 1 << 4);			/* push */
	CHECK(registers("06") == 0xff);
}

static void prefixed_jumps_are_one_jump(void)
{
	static const char *const jump[] = { "e9cccccccc", "48e9cccccc61", "2e48e9cccccc61",
					    "2e2e48e9cccccc61" };
	uint8_t bytes[16];
	struct insn insn;

	for (size_t i = 0; i < 4; i++) {
		size_t len = parse_hex(jump[i], bytes);

		CHECK(insn_decode(bytes, len, &insn));
		CHECK(insn.kind == INSN_JMP && insn.len == len);
		CHECK(insn.target == (int64_t)len + (i ? 0x61cccccc : -0x33333334));
	}
}

static void top_bytes_are_invalid(void)
{
	static const uint8_t top[] = { 0x06, 0x0e, 0x16, 0x1e, 0xea, 0xd6, 0x3f, 0x60, 0x61,
				       0x37, 0x2f, 0x27, 0x1f };
	uint8_t bytes[16] = { 0 };
	struct insn insn;

	for (size_t i = 0; i < sizeof(top); i++) {
		bytes[0] = top[i];
		CHECK(!insn_decode(bytes, sizeof(bytes), &insn));
	}
}

static void both_decoders_agree(void)
{
	uint32_t random = 7;
	uint8_t bytes[16];

	for (int i = 0; i < 300000; i++) {
		struct insn full, branch;
		bool is_branch, is_full, is_scanned;

		for (int n = 0; n < 16; n++)
			bytes[n] = (uint8_t)((random = random * 1664525 + 1013904223) >> 24);
		is_full = insn_decode(bytes, sizeof(bytes), &full);
		is_scanned = insn_decode_branch(bytes, sizeof(bytes), &branch, &is_branch);
		if (!is_full)
			continue;
		if (!CHECK(is_scanned) || !CHECK(full.len == branch.len))
			break;
		if (full.kind == INSN_JMP || full.kind == INSN_JCC || full.kind == INSN_CALL)
			CHECK(is_branch && branch.target == full.target);
	}
}

/* ---- flags ------------------------------------------------------------------ */

static bool live(const char *hex)
{
	uint8_t bytes[64];

	return flags_are_live(NULL, 0, bytes, parse_hex(hex, bytes));
}

static void flags_are_dead_if_all_are_written_first(void)
{
	CHECK(!live("31c0"));				/* xor: AF, too */
	CHECK(!live("4883ec08"));			/* sub */
	CHECK(!live("f30f1efa" "4889e5" "85ff"));	/* endbr64; mov; test */
	CHECK(!live("ffc0" "f8"));			/* inc; clc */
	CHECK(!live("660f2ec1"));			/* ucomisd */
}

static void flags_are_live_if_any_may_be_read(void)
{
	CHECK(live(""));
	CHECK(live("c3"));
	CHECK(live("7400" "31c0"));			/* je; xor */
	CHECK(live("11c0"));				/* adc */
	CHECK(live("ffc0" "7200"));			/* inc; jb: CF is kept */
	CHECK(live("0f44c1" "31c0"));			/* cmove; xor */
	CHECK(live("9c" "31c0"));			/* pushf */
	CHECK(live("9f" "31c0"));			/* lahf */
	CHECK(live("f5" "31c0"));			/* cmc */
	CHECK(live("d3e0" "c3"));			/* shl %cl: perhaps by 0 */
	CHECK(live("c1e000" "c3"));			/* shl $0 */
	CHECK(live("0fafc7" "c3"));			/* imul: some are undefined */
	CHECK(live("0fa3c8" "c3"));			/* bt: likewise */
	CHECK(live("f3a6" "c3"));			/* repe cmpsb: perhaps none */
	CHECK(live("e800000000" "31c0"));		/* call; xor */
	CHECK(live("0f05" "31c0"));			/* syscall */
	CHECK(live("eb00" "31c0"));			/* jmp */
	CHECK(live("06"));
}

static void looking_for_flags_ends(void)
{
	char far[2 * 64 + 1] = "";

	for (int i = 0; i < 16; i++)
		strcat(far, "90");
	strcat(far, "31c0");
	CHECK(live(far));
	CHECK(!live(far + 2));
}

int main(void)
{
	RUN(each_class_moves);
	RUN(what_depends_on_its_place_stays);
	RUN(what_is_far_is_reached);
	RUN(far_is_what_any_block_may_not_reach);
	RUN(what_needs_the_stack_pointer_is_not_far);
	RUN(registers_are_all_that_matter);
	RUN(prefixed_jumps_are_one_jump);
	RUN(top_bytes_are_invalid);
	RUN(both_decoders_agree);
	RUN(flags_are_dead_if_all_are_written_first);
	RUN(flags_are_live_if_any_may_be_read);
	RUN(looking_for_flags_ends);
	return tap_done();
}

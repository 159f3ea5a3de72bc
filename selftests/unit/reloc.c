// SPDX-License-Identifier: GPL-2.0
/*
 * Relocation and what it stands on: one case for each class of instructions,
 * moved from position 0x1000 to 0x101000, and which can't be moved at all.
 */

#include <string.h>

#include "flags.h"
#include "insn.h"
#include "reloc.h"
#include "tap.h"

#define FROM 0x1000
#define TO 0x101000

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
};

static const char *const unmovable[] = {
	"ff542408",		/* call *8(%rsp) */
	"ff1424",		/* call *(%rsp) */
	"ff54e408",		/* call *8(%rsp), with a scale that means nothing */
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

static bool moves_as(const struct golden *g)
{
	uint8_t old[16], expected[128], new[128];
	struct emit count = { .position = TO };
	struct emit emit = { .bytes = new, .position = TO };
	size_t len = parse_hex(g->old, old), new_len = parse_hex(g->new, expected);
	struct insn insn;

	if (!insn_decode(old, len, &insn) || insn.len != len ||
	    !reloc_is_possible(&insn, FROM, TO, TO))
		return false;
	reloc_emit(&count, &insn, old, FROM, g->flags_dead);
	reloc_emit(&emit, &insn, old, FROM, g->flags_dead);
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
		if (!CHECK(moves_as(&golden[i])))
			printf("# %s\n", golden[i].what);
	}
}

static void what_depends_on_its_place_stays(void)
{
	uint8_t bytes[16];
	struct insn insn;

	for (size_t i = 0; i < sizeof(unmovable) / sizeof(unmovable[0]); i++) {
		size_t len = parse_hex(unmovable[i], bytes);

		if (!CHECK(insn_decode(bytes, len, &insn)) ||
		    !CHECK(!reloc_is_possible(&insn, FROM, TO, TO)))
			printf("# %s\n", unmovable[i]);
	}
}

static void what_is_out_of_reach_stays(void)
{
	static const char *const far[] = { "488b0500010000", "e900010000", "eb10", "e800000000" };
	uint8_t bytes[16];
	struct insn insn;

	for (size_t i = 0; i < 4; i++) {
		CHECK(insn_decode(bytes, parse_hex(far[i], bytes), &insn));
		CHECK(reloc_is_possible(&insn, FROM, TO, TO + 0x7f000000));
		CHECK(!reloc_is_possible(&insn, FROM, TO, TO + 0x80000000LL));
		CHECK(!reloc_is_possible(&insn, FROM, TO - 0x80200000LL, TO));
	}
}

/* ---- decoding --------------------------------------------------------------- */

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
	RUN(what_is_out_of_reach_stays);
	RUN(prefixed_jumps_are_one_jump);
	RUN(top_bytes_are_invalid);
	RUN(both_decoders_agree);
	RUN(flags_are_dead_if_all_are_written_first);
	RUN(flags_are_live_if_any_may_be_read);
	RUN(looking_for_flags_ends);
	return tap_done();
}

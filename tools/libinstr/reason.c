// SPDX-License-Identifier: GPL-2.0
/*
 * Reasons: words for how a place is probed, and why not better.
 */

#include <string.h>

#include "exits.h"
#include "libinstr.h"

const char *instr_how_name(enum instr_how how)
{
	static const char *const name[] = {
		[INSTR_HOW_REFUSED] = "refused",
		[INSTR_HOW_JUMP] = "jump",
		[INSTR_HOW_TRAP] = "trap",
		[INSTR_HOW_POINTER] = "pointer",
	};

	return how < INSTR_HOW_MAX ? name[how] : "";
}

const char *instr_way_name(enum instr_way way)
{
	static const char *const name[] = {
		[INSTR_WAY_AUTO] = "auto",
		[INSTR_WAY_RETURN] = "return",
		[INSTR_WAY_SLOT] = "slot",
	};

	return way < INSTR_WAY_MAX ? name[way] : "";
}

enum instr_way instr_way_find(const char *name)
{
	enum instr_way way = 0;

	while (way < INSTR_WAY_MAX && strcmp(name, instr_way_name(way)))
		way++;
	return way;
}

const char *instr_reason_text(enum instr_reason reason)
{
	static const char *const text[INSTR_REASON_EXITS] = {
		[INSTR_REASON_NONE] = "",
		[INSTR_REASON_SHORT] = "the function ends within the jump",
		[INSTR_REASON_PAGE] = "the jump would straddle two pages",
		[INSTR_REASON_LOOP] = "the function branches back into the jump",
		[INSTR_REASON_NEIGHBOUR] = "another function begins within the jump",
		[INSTR_REASON_INSN] = "an instruction within the jump can't be moved",
		[INSTR_REASON_INSIDE] = "it is inside of a function",
		[INSTR_REASON_PROBE] = "another probe lies within the jump",
		[INSTR_REASON_EXIT] = "there is no room for a jump where it ends",
		[INSTR_REASON_SIGNAL_FRAME] = "signal handlers return to it",
		[INSTR_REASON_UNDECODABLE] = "the instruction is not known",
		[INSTR_REASON_UNMOVABLE] = "the instruction can't be moved",
		[INSTR_REASON_BREAKPOINT] = "the instruction is a breakpoint",
		[INSTR_REASON_BOUNDARY] = "no instruction is known to begin there",
		[INSTR_REASON_SEGMENT] = "it is not in the text segment of the file",
		[INSTR_REASON_RSEQ] = "it is in a restartable sequence",
		[INSTR_REASON_READ] = "the program reads it as data",
		[INSTR_REASON_SUMMED] = "the program checks the sum of its text",
		[INSTR_REASON_STACK] = "its stack may have no room left (Go, with no check before it)",
		[INSTR_REASON_CALLED] = "nothing says that it is called",
		[INSTR_REASON_CALLER] = "it looks at who called it, or may return twice",
		[INSTR_REASON_RUNTIME] = "its runtime looks up return addresses (OCaml, V8, the JVM, Mono)",
		[INSTR_REASON_UNWINDER] = "its unwinder may be its own, and has no names",
		[INSTR_REASON_SHARED] = "it ends in another function's text",
	};

	if (reason >= INSTR_REASON_EXITS)
		return exits_reason_text(reason - INSTR_REASON_EXITS);
	return text[reason];
}

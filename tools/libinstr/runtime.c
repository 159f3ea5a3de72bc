// SPDX-License-Identifier: GPL-2.0
#include "runtime.h"

#include "symbol.h"

/*
 * By what a file is known that has such a runtime, or code for one: names that it exports or
 * imports, so that they are there when it is stripped, too.
 *
 *  - OCaml: each unit has a table of what is alive where calls of it come back to. The
 *    collector looks up all frames there, and what records backtraces does, too.
 *  - V8: a built-in function that calls one of C++ is found by where that returns to. So are
 *    those that call an add-on's.
 *  - HotSpot: where code that it made, or the interpreter, calls the VM, the pc of that frame
 *    is what lies below the stack pointer that it left.
 *  - Mono: the same for what is called with a frame of the runtime's (LMF).
 */
static const char *const marks[] = {
	"caml*frametable",
	"_ZN2v8*",
	"gHotSpotVMStructs",
	"mono_jit_init",
};

bool runtime_looks(struct instr_file *file)
{
	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
		if (symbol_matches(file, marks[i]))
			return true;
	}
	return false;
}

// SPDX-License-Identifier: GPL-2.0
#include "runtime.h"

#include <string.h>

#include "file.h"
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

static bool is_marked(struct instr_file *file)
{
	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
		if (symbol_matches(file, marks[i]))
			return true;
	}
	return false;
}

/* ---- unwinders ------------------------------------------------------------------ */

static bool is_stripped(const struct func_table *funcs)
{
	for (size_t i = 0; i < funcs->nr; i++) {
		if (funcs->func[i].source == INSTR_FROM_SYMTAB)
			return false;
	}
	return true;
}

/* What all unwinders ask the loader for frames by. */
static bool asks_loader(const struct instr_file *file, const struct import *import, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		const char *name = import_name(file, import[i].symbol);

		if (name && (!strcmp(name, "dl_iterate_phdr") || !strcmp(name, "_dl_find_object")))
			return true;
	}
	return false;
}

static bool has_no_loader(const struct instr_file *file)
{
	uint64_t needed;

	return !instr_file_interp(file) && !instr_file_soname(file) &&
	       !file_dynamic(file, DT_NEEDED, &needed);
}

/* Who has the unwinder's functions from elsewhere imports some, and who lends them exports them. */
static bool may_hide_unwinder(struct instr_file *file, const struct func_table *funcs,
			      const struct import *import, size_t nr)
{
	return is_stripped(funcs) && (asks_loader(file, import, nr) || has_no_loader(file)) &&
	       !symbol_matches(file, "_Unwind_*");
}

enum instr_reason runtime_reason(struct instr_file *file, const struct func_table *funcs,
				 const struct import *import, size_t nr)
{
	if (is_marked(file))
		return INSTR_REASON_RUNTIME;
	return may_hide_unwinder(file, funcs, import, nr) ? INSTR_REASON_UNWINDER :
							    INSTR_REASON_NONE;
}

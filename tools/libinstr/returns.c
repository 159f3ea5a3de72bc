// SPDX-License-Identifier: GPL-2.0
/*
 * Return slots.
 *
 * A function may return to one if its return address lies on top of its stack when it is
 * entered, which its frame description says, and if what that address is does not matter to
 * it: it does not load it. The dynamic loader looks whose code it is called by; for a function
 * that tail calls it, it does so too. And it must not matter to who calls it.
 */

#include "returns.h"

#include <stdlib.h>

#include "array.h"
#include "err.h"
#include "file.h"
#include "insn.h"
#include "pointer.h"
#include "runtime.h"
#include "timing.h"

_Static_assert(TIMING_SLOT_RETURN == INSTR_SLOT_RETURN &&
	       1 << TIMING_SLOT_LEN_BITS == INSTR_SLOT_LEN &&
	       offsetof(struct timing_return, to) == TIMING_RETURN_TO &&
	       offsetof(struct timing_return, record) == TIMING_RETURN_RECORD &&
	       offsetof(struct timing_return, body) == TIMING_RETURN_BODY &&
	       sizeof(struct timing_return) == INSTR_SLOT_LEN &&
	       sizeof(struct instr_return) == INSTR_SLOT_LEN, "timing.S");

/* ---- code --------------------------------------------------------------------- */

void returns_emit(struct emit *emit, uint64_t nr, int64_t returns, int64_t table)
{
	table += (int64_t)(nr * sizeof(struct timing_return));
	EMIT(emit, "\xff\x15");			/* call *body(%rip) */
	emit_relative(emit, table + (int64_t)offsetof(struct timing_return, body), 0);
	EMIT(emit, "\xff\x35");			/* push to(%rip) */
	emit_relative(emit, table + (int64_t)offsetof(struct timing_return, to), 0);
	EMIT(emit, "\x48\x8d\x64\x24\x88"	/* lea -120(%rsp),%rsp */
		   "\xe8");			/* call timing_return */
	emit_relative(emit, returns, 0);
	EMIT(emit, "\x48\x8d\x64\x24\x78"	/* lea 120(%rsp),%rsp */
		   "\xc3");			/* ret */
	while (emit->len % INSTR_SLOT_LEN)
		emit_byte(emit, 0xcc);
}

/* ---- who looks at it ------------------------------------------------------------ */

/* Of the dynamic loader; of what unwinds, or keeps the stack as it is for a second return. */
static const char *const lookers[] = {
	"dlsym", "dlvsym", "dlopen", "dlmopen", "__libc_dlsym", "__libc_dlvsym",
	"__libc_dlopen_mode", "_dl_sym", "_dl_vsym", "_dl_open", "__dlsym", "__dlvsym",
	"__dlopen", "__dlmopen", "___dlsym", "___dlvsym", "___dlopen", "___dlmopen",
	"vfork", "__vfork", "__libc_vfork",
	"setjmp", "_setjmp", "sigsetjmp", "__sigsetjmp", "savectx", "getcontext",
	"__getcontext", "swapcontext", "__swapcontext",
	"mcount", "_mcount", "__fentry__", "__morestack",
	"_dl_start", "_dl_runtime_resolve", "_dl_runtime_profile",
};

static const char unwinders[] = "_Unwind_";

static bool name_looks(const char *name)
{
	size_t len = strcspn(name, "@");

	for (size_t i = 0; i < sizeof(lookers) / sizeof(*lookers); i++) {
		if (strlen(lookers[i]) == len && !memcmp(name, lookers[i], len))
			return true;
	}
	return !strncmp(name, unwinders, sizeof(unwinders) - 1);
}

/* Under any of the names that it has. */
static bool func_looks(const struct returns *returns, size_t func)
{
	const struct func_table *funcs = returns->funcs;
	uint64_t vaddr = funcs->func[func].vaddr;

	while (func && funcs->func[func - 1].vaddr == vaddr)
		func--;
	for (; func < funcs->nr && funcs->func[func].vaddr == vaddr; func++) {
		if (name_looks(funcs->func[func].name))
			return true;
	}
	return false;
}

static bool vaddr_looks(const struct returns *returns, uint64_t vaddr)
{
	size_t func;

	return func_find(returns->funcs, vaddr, &func) &&
	       returns->funcs->func[func].vaddr == vaddr && func_looks(returns, func);
}

static bool slot_looks(const struct returns *returns, uint64_t vaddr)
{
	for (size_t i = 0; i < returns->nr; i++) {
		if (returns->slot[i] == vaddr)
			return true;
	}
	return false;
}

static bool jumps_to_looker(const struct returns *returns, const struct insn *insn,
			    uint64_t vaddr)
{
	if (insn->kind == INSN_JMP || insn->kind == INSN_JCC)
		return vaddr_looks(returns, vaddr + (uint64_t)insn->target);
	return insn->kind == INSN_JMP_INDIRECT && insn->operand_at &&
	       slot_looks(returns, vaddr + insn->len + (uint64_t)(int64_t)insn->operand);
}

/* Is it loaded, or popped, from where it lies? */
static bool loads_it(struct cfi *cfi, const uint8_t *bytes, size_t len, uint64_t vaddr)
{
	struct cfi_return at = cfi_return(cfi, vaddr);
	struct insn_effect effect;

	if (at.base == INSN_NO_REGISTER || !insn_effect(bytes, len, &effect))
		return false;
	if (effect.is_memory && effect.index == INSN_NO_REGISTER && effect.base == at.base &&
	    effect.displacement == at.displacement)
		return true;
	/* POP, with REX or not. */
	return cfi_stack(cfi, vaddr) == CFI_ENTRY &&
	       ((bytes[0] & 0xf8) == 0x58 || (bytes[0] == 0x41 && (bytes[1] & 0xf8) == 0x58));
}

/* An instruction may really be the middle of another one: so be it. */
static bool code_looks(const struct returns *returns, struct cfi *cfi,
		       const struct instr_func *func)
{
	const uint8_t *code = file_bytes_at(returns->file, func->vaddr, func->size);
	struct insn insn;

	for (uint64_t at = 0; code && at < func->size; at += insn.len) {
		if (!insn_decode(code + at, func->size - at, &insn)) {
			insn.len = 1;
			continue;
		}
		if (jumps_to_looker(returns, &insn, func->vaddr + at) ||
		    loads_it(cfi, code + at, insn.len, func->vaddr + at))
			return true;
	}
	return false;
}

enum instr_reason returns_check(const struct returns *returns, struct cfi *cfi, size_t func)
{
	const struct instr_func *in = &returns->funcs->func[func];
	const struct frame *frame = cfi_frame(cfi, in->vaddr);

	if (!frame || frame->start != in->vaddr || cfi_stack(cfi, in->vaddr) != CFI_ENTRY)
		return INSTR_REASON_CALLED;
	if (returns->none)
		return returns->none;
	return func_looks(returns, func) || code_looks(returns, cfi, in) ?
	       INSTR_REASON_CALLER : INSTR_REASON_NONE;
}

/* ---- files ---------------------------------------------------------------------- */

int returns_init(struct returns *returns, struct instr_file *file,
		 const struct func_table *funcs, struct instr_err *err)
{
	struct import *import = NULL;
	size_t nr;
	int code = imports_read(file, &import, &nr, err);

	*returns = (struct returns){ .file = file, .funcs = funcs };
	if (!code)
		returns->none = runtime_reason(file, funcs, import, nr);
	for (size_t i = 0; i < nr && !code; i++) {
		const char *name = import_name(file, import[i].symbol);

		if (name && name_looks(name) &&
		    !ARRAY_PUSH(returns->slot, returns->nr, import[i].vaddr))
			code = err_memory(err);
	}
	free(import);
	if (code)
		returns_exit(returns);
	return code;
}

void returns_exit(struct returns *returns)
{
	free(returns->slot);
	*returns = (struct returns){ 0 };
}

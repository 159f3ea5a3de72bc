// SPDX-License-Identifier: GPL-2.0
/*
 * The procedure linkage table: a stub jumps through the slot of an import, which
 * has a relocation with the import's name. Stubs are all of one length.
 */

#include "plt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "err.h"
#include "file.h"
#include "insn.h"
#include "pointer.h"

#define STUB_LEN 16
#define STUB_INSNS 2	/* ENDBR64 may come first */

/* The slot that the code of a stub jumps through, or 0. */
static uint64_t stub_slot(const uint8_t *code, size_t len, uint64_t vaddr)
{
	struct insn insn;
	size_t at = 0;

	for (int i = 0; i < STUB_INSNS && insn_decode(code + at, len - at, &insn); i++) {
		at += insn.len;
		if (insn.kind == INSN_JMP_INDIRECT && insn.operand_at)
			return vaddr + at + (uint64_t)(int64_t)insn.operand;
		if (insn.kind != INSN_NOP && insn.kind != INSN_PLAIN)
			return 0;
	}
	return 0;
}

static int stub_add(struct instr_file *file, const char *import, uint64_t vaddr,
		    struct symbol **symbol, size_t *nr, struct instr_err *err)
{
	char *name = NULL;

	if (asprintf(&name, "%s@plt", import) < 0)
		return err_memory(err);

	struct symbol new = {
		.name = file_keep_name(file, name),
		.vaddr = vaddr,
		.size = STUB_LEN,
		.source = INSTR_FROM_DYNSYM,
		.is_stub = true,
	};

	return new.name && ARRAY_PUSH(*symbol, *nr, new) ? 0 : err_memory(err);
}

/* What the slots are of. */
struct imports {
	struct import *import;
	size_t nr;
};

static const char *import_at(const struct instr_file *file, const struct imports *imports,
			     uint64_t vaddr)
{
	size_t i = ARRAY_LOWER(imports->import, imports->nr, .vaddr, vaddr);

	return i < imports->nr && imports->import[i].vaddr == vaddr ?
	       import_name(file, imports->import[i].symbol) : NULL;
}

static int section_read(struct instr_file *file, const struct file_section *section,
			const struct imports *imports, struct symbol **symbol, size_t *nr,
			struct instr_err *err)
{
	uint64_t len = section->end - section->start;
	const uint8_t *code = file_bytes_at(file, section->start, len);
	int result = 0;

	for (uint64_t at = 0; code && at + STUB_LEN <= len && !result; at += STUB_LEN) {
		uint64_t vaddr = section->start + at;
		uint64_t slot = stub_slot(code + at, STUB_LEN, vaddr);
		const char *import = slot ? import_at(file, imports, slot) : NULL;

		if (import)
			result = stub_add(file, import, vaddr, symbol, nr, err);
	}
	return result;
}

int plt_read(struct instr_file *file, struct symbol **symbol, size_t *nr,
	     struct instr_err *err)
{
	struct imports imports;
	int code = imports_read(file, &imports.import, &imports.nr, err);

	if (code)
		return code;
	for (size_t i = 0; i < file->nr_sections && !code; i++) {
		if (!strncmp(file->section[i].name, ".plt", 4))
			code = section_read(file, &file->section[i], &imports, symbol, nr, err);
	}
	free(imports.import);
	return code;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Pointers: what the loader, or the program, fills in with the address of a
 * function. Imports have a relocation with their name; variables have symbols.
 */

#include "pointer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdalign.h>

#include "array.h"
#include "clean.h"
#include "err.h"
#include "file.h"
#include "match.h"
#include "symbol.h"

#define PAGE 4096ULL

const struct pointer *pointer_find(const struct instr_file *file, uint64_t vaddr)
{
	for (size_t i = 0; i < file->nr_pointers; i++) {
		if (file->pointer[i].vaddr == vaddr)
			return &file->pointer[i];
	}
	return NULL;
}

static int pointer_note(struct instr_file *file, const char *name, uint64_t vaddr,
			bool is_lazy, uint64_t lazy, struct instr_err *err)
{
	struct pointer new = { .vaddr = vaddr, .is_lazy = is_lazy, .lazy = lazy };

	if (pointer_find(file, vaddr))
		return 0;
	new.name = file_keep_name(file, strdup(name));
	return new.name && ARRAY_PUSH(file->pointer, file->nr_pointers, new) ?
	       0 : err_memory(err);
}

bool pointers_ready(const struct instr_file *file, uint64_t *vaddr)
{
	*vaddr = 0;
	if (!file->nr_dynamic)
		return true;
	for (size_t i = 0; i < file->nr_segments; i++) {
		const Elf64_Phdr *segment = &file->segment[i];
		uint64_t start = segment->p_vaddr & -PAGE;

		/* The loader protects whole pages. */
		if (segment->p_type != PT_GNU_RELRO ||
		    start >= ((segment->p_vaddr + segment->p_memsz) & -PAGE))
			continue;
		*vaddr = start;
		return true;
	}
	return false;
}

/* ---- imports ---------------------------------------------------------------- */

const char *import_name(const struct instr_file *file, uint64_t symbol)
{
	const Elf64_Sym *found;
	uint64_t symbols;

	if (!symbol || !file_dynamic(file, DT_SYMTAB, &symbols))
		return NULL;
	found = file_table_at(file, symbols + symbol * sizeof(*found), sizeof(*found),
			      alignof(Elf64_Sym));
	return found ? file_dynamic_string(file, found->st_name) : NULL;
}

/* The slots in one table of relocations. */
struct imports {
	const Elf64_Rela *rela;
	uint64_t nr;
};

static struct imports imports_of(const struct instr_file *file, int64_t table_tag,
				 int64_t len_tag)
{
	uint64_t table, len;

	if (!file_dynamic(file, table_tag, &table) || !file_dynamic(file, len_tag, &len))
		return (struct imports){ 0 };
	return (struct imports){
		.rela = file_table_at(file, table, len, alignof(Elf64_Rela)),
		.nr = len / sizeof(Elf64_Rela),
	};
}

static bool is_slot(const Elf64_Rela *rela)
{
	uint32_t type = ELF64_R_TYPE(rela->r_info);

	return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT;
}

/* The first slot that has @name. */
static const Elf64_Rela *import_find_in(const struct instr_file *file, struct imports in,
					const char *name)
{
	for (uint64_t i = 0; in.rela && i < in.nr; i++) {
		const char *import = NULL;

		if (is_slot(&in.rela[i]))
			import = import_name(file, ELF64_R_SYM(in.rela[i].r_info));
		if (import && !strcmp(import, name))
			return &in.rela[i];
	}
	return NULL;
}

static const Elf64_Rela *import_find(const struct instr_file *file, const char *name)
{
	const Elf64_Rela *rela =
		import_find_in(file, imports_of(file, DT_JMPREL, DT_PLTRELSZ), name);

	return rela ? rela : import_find_in(file, imports_of(file, DT_RELA, DT_RELASZ), name);
}

static bool imports_add(struct imports in, struct import **import, size_t *nr)
{
	for (uint64_t i = 0; in.rela && i < in.nr; i++) {
		struct import new = {
			.vaddr = in.rela[i].r_offset,
			.symbol = ELF64_R_SYM(in.rela[i].r_info),
		};

		if (is_slot(&in.rela[i]) && !ARRAY_PUSH(*import, *nr, new))
			return false;
	}
	return true;
}

static int import_compare(const void *a, const void *b)
{
	const struct import *x = a, *y = b;

	return (x->vaddr > y->vaddr) - (x->vaddr < y->vaddr);
}

int imports_read(const struct instr_file *file, struct import **ret, size_t *nr,
		 struct instr_err *err)
{
	CLEAN(free) struct import *import = NULL;

	*nr = 0;
	if (!imports_add(imports_of(file, DT_JMPREL, DT_PLTRELSZ), &import, nr) ||
	    !imports_add(imports_of(file, DT_RELA, DT_RELASZ), &import, nr))
		return err_memory(err);
	if (*nr)
		qsort(import, *nr, sizeof(*import), import_compare);
	*ret = TAKE(import);
	return 0;
}

static int import_match(struct instr_file *file, const char *pattern, const char *name,
			uint64_t *vaddr, struct instr_err *err)
{
	const Elf64_Rela *rela = import_find(file, name);
	const void *bytes = NULL;
	uint64_t initial = 0;

	if (!rela)
		return instr_fail(err, -ENOENT, "%s: has no slot for an import '%s'",
				  file->path, name);
	*vaddr = rela->r_offset;
	if (ELF64_R_TYPE(rela->r_info) == R_X86_64_JUMP_SLOT)
		bytes = file_bytes_at(file, *vaddr, sizeof(initial));
	if (bytes)
		memcpy(&initial, bytes, sizeof(initial));
	return pointer_note(file, pattern, *vaddr, initial, initial, err);
}

/* ---- variables -------------------------------------------------------------- */

/* NAME, NAME+OFFSET or 0xADDR. */
static bool variable_find(struct instr_file *file, const char *name, uint64_t *vaddr)
{
	CLEAN(free) char *base = strdup(name);
	char *plus = base ? strrchr(base, '+') : NULL;
	uint64_t at = 0;

	if (!base)
		return false;
	if (match_address(name, vaddr) || symbol_find_object(file, name, vaddr))
		return true;
	if (!plus || !match_offset(plus + 1, &at))
		return false;
	*plus = '\0';
	if (!symbol_find_object(file, base, vaddr))
		return false;
	*vaddr += at;
	return true;
}

/* Is there memory for a pointer, that is no code? */
static bool in_data(const struct instr_file *file, uint64_t vaddr)
{
	for (size_t i = 0; i < file->nr_segments; i++) {
		const Elf64_Phdr *segment = &file->segment[i];

		if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_X) &&
		    vaddr >= segment->p_vaddr &&
		    vaddr - segment->p_vaddr + sizeof(uint64_t) <= segment->p_memsz)
			return true;
	}
	return false;
}

static int variable_match(struct instr_file *file, const char *pattern, const char *name,
			  uint64_t *vaddr, struct instr_err *err)
{
	if (!variable_find(file, name, vaddr))
		return instr_fail(err, -ENOENT, "%s: no variable is called '%s'", file->path,
				  name);
	return pointer_note(file, pattern, *vaddr, false, 0, err);
}

/* ---- both ------------------------------------------------------------------- */

static int pointer_check(const struct instr_file *file, const char *pattern, uint64_t vaddr,
			 struct instr_err *err)
{
	uint64_t ready;

	if (!in_data(file, vaddr))
		return instr_fail(err, -EINVAL, "%s: %s is not in its data", file->path,
				  pattern);
	if (vaddr % sizeof(uint64_t))
		return instr_fail(err, -EINVAL, "%s: %s is not aligned", file->path, pattern);
	if (!pointers_ready(file, &ready))
		return instr_fail(err, -EINVAL,
				  "%s: nothing tells when its pointers are relocated (no RELRO)",
				  file->path);
	return 0;
}

int pointer_match(struct instr_file *file, const char *pattern, struct instr_place *ret,
		  struct instr_err *err)
{
	const char *kind = strrchr(pattern, '@');
	bool is_import = kind && !strcmp(kind, "@got");
	uint64_t vaddr;
	int code;

	if (!kind || (!is_import && strcmp(kind, "@ptr")))
		return 1;

	CLEAN(free) char *name = strndup(pattern, (size_t)(kind - pattern));

	if (!name)
		return err_memory(err);
	code = is_import ? import_match(file, pattern, name, &vaddr, err) :
			   variable_match(file, pattern, name, &vaddr, err);
	if (!code)
		code = pointer_check(file, pattern, vaddr, err);
	*ret = (struct instr_place){ INSTR_POINTER, vaddr };
	return code;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Pointers: what the loader, or the program, fills in with the address of a
 * function. Imports have a relocation with their name; variables have symbols.
 */

#include "pointer.h"

#include <errno.h>
#include <inttypes.h>

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

static const char *import_name(const struct instr_file *file, const Elf64_Rela *rela)
{
	uint64_t symbols, nr = ELF64_R_SYM(rela->r_info);
	const Elf64_Sym *symbol;

	if (!nr || !file_dynamic(file, DT_SYMTAB, &symbols))
		return NULL;
	symbol = file_bytes_at(file, symbols + nr * sizeof(*symbol), sizeof(*symbol));
	return symbol ? file_dynamic_string(file, symbol->st_name) : NULL;
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
		.rela = file_bytes_at(file, table, len),
		.nr = len / sizeof(Elf64_Rela),
	};
}

/* The first slot at @vaddr, or with @name if that is not NULL. */
static const Elf64_Rela *import_find_in(const struct instr_file *file, struct imports in,
					const char *name, uint64_t vaddr)
{
	for (uint64_t i = 0; in.rela && i < in.nr; i++) {
		const Elf64_Rela *rela = &in.rela[i];
		uint32_t type = ELF64_R_TYPE(rela->r_info);
		const char *import;

		if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT)
			continue;
		if (!name && rela->r_offset == vaddr)
			return rela;
		import = name ? import_name(file, rela) : NULL;
		if (import && !strcmp(import, name))
			return rela;
	}
	return NULL;
}

static const Elf64_Rela *import_find(const struct instr_file *file, const char *name,
				     uint64_t vaddr)
{
	const Elf64_Rela *rela =
		import_find_in(file, imports_of(file, DT_JMPREL, DT_PLTRELSZ), name, vaddr);

	return rela ? rela : import_find_in(file, imports_of(file, DT_RELA, DT_RELASZ), name,
					    vaddr);
}

const char *import_at(const struct instr_file *file, uint64_t vaddr)
{
	const Elf64_Rela *rela = import_find(file, NULL, vaddr);

	return rela ? import_name(file, rela) : NULL;
}

static int import_match(struct instr_file *file, const char *pattern, const char *name,
			uint64_t *vaddr, struct instr_err *err)
{
	const Elf64_Rela *rela = import_find(file, name, 0);
	const uint64_t *initial = NULL;

	if (!rela)
		return instr_fail(err, -ENOENT, "%s: has no slot for an import '%s'",
				  file->path, name);
	*vaddr = rela->r_offset;
	if (ELF64_R_TYPE(rela->r_info) == R_X86_64_JUMP_SLOT)
		initial = file_bytes_at(file, *vaddr, sizeof(*initial));
	return pointer_note(file, pattern, *vaddr, initial && *initial,
			    initial ? *initial : 0, err);
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

// SPDX-License-Identifier: GPL-2.0
/*
 * Symbols: .symtab, which only section headers lead to, of the file or of the debug file with
 * its build id, or else what Go has for itself; and the dynamic table, found as the loader
 * does. Both are read: a stripped library has the one, a static program the other.
 */

#include "symbol.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdalign.h>
#include <stdio.h>

#include "array.h"
#include "clean.h"
#include "err.h"
#include "file.h"
#include "pclntab.h"

/* Where symbols go: the file that they are of, and what was found so far. */
struct symbol_list {
	struct instr_file *file;
	struct symbol *symbol;
	size_t nr;
};

struct symbol_table {
	const Elf64_Sym *symbol;
	uint64_t nr;
	const char *names;
	uint64_t names_len;
	enum instr_func_source source;
};

/* "memcpy@@GLIBC_2.14" is how a link editor writes memcpy in .symtab. */
static const char *symbol_name(struct instr_file *file, const char *name)
{
	const char *version = strchr(name, '@');

	if (!version || version == name)
		return name;
	return file_keep_name(file, strndup(name, (size_t)(version - name)));
}

static bool symbol_is_function(const struct instr_file *file, const Elf64_Sym *symbol)
{
	unsigned int type = ELF64_ST_TYPE(symbol->st_info);

	return (type == STT_FUNC || type == STT_GNU_IFUNC) &&
	       symbol->st_shndx != SHN_UNDEF && symbol->st_value &&
	       file_segment_find(file, symbol->st_value);
}

static int list_add(struct symbol_list *list, const struct symbol_table *table,
		    const Elf64_Sym *symbol, struct instr_err *err)
{
	const char *name = file_string(table->names, table->names_len, symbol->st_name);

	if (!name || !*name || !symbol_is_function(list->file, symbol))
		return 0;
	name = symbol_name(list->file, name);
	if (!name)
		return err_memory(err);

	struct symbol new = {
		.name = name,
		.vaddr = symbol->st_value,
		.size = symbol->st_size,
		.source = table->source,
		.is_global = ELF64_ST_BIND(symbol->st_info) != STB_LOCAL,
		.is_ifunc = ELF64_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC,
	};

	return ARRAY_PUSH(list->symbol, list->nr, new) ? 0 : err_memory(err);
}

static int list_add_table(struct symbol_list *list, const struct symbol_table *table,
			  struct instr_err *err)
{
	for (uint64_t i = 0; i < table->nr; i++) {
		int code = list_add(list, table, &table->symbol[i], err);

		if (code)
			return code;
	}
	return 0;
}

/* ---- .symtab ---------------------------------------------------------------- */

/* .symtab of @file; false: it has none that can be read. */
static bool static_table(const struct instr_file *file, struct symbol_table *table)
{
	Elf64_Shdr symbols;

	if (!file_section_of_type(file, SHT_SYMTAB, &symbols))
		return false;

	Elf_Scn *section = elf_getscn(file->elf, symbols.sh_link);
	const Elf64_Shdr *names = section ? elf64_getshdr(section) : NULL;

	if (!names)
		return false;
	*table = (struct symbol_table){
		.symbol = file_bytes(file, symbols.sh_offset, symbols.sh_size),
		.nr = symbols.sh_size / sizeof(Elf64_Sym),
		.names = file_bytes(file, names->sh_offset, names->sh_size),
		.names_len = names->sh_size,
		.source = INSTR_FROM_SYMTAB,
	};
	return table->symbol && table->names;
}

/* Where distributions put what they stripped; a file that isn't there is fine. */
static void file_find_debug(struct instr_file *file)
{
	const char *id = file->build_id;
	char path[256];

	if (!id || strlen(id) < 4)
		return;
	snprintf(path, sizeof(path), "/usr/lib/debug/.build-id/%.2s/%s.debug", id, id + 2);
	file_open_debug(path, &file->debug, NULL);
}

/* Of the file, or of its debug file. */
static bool best_static_table(struct instr_file *file, struct symbol_table *table)
{
	if (static_table(file, table))
		return true;
	if (!file->debug)
		file_find_debug(file);
	return file->debug && static_table(file->debug, table);
}

/* ---- the dynamic table ------------------------------------------------------ */

/* DT_HASH: as many symbols as chain entries. */
static uint64_t count_by_hash(const struct instr_file *file)
{
	uint64_t vaddr;
	const uint32_t *hash;

	if (!file_dynamic(file, DT_HASH, &vaddr))
		return 0;
	hash = file_table_at(file, vaddr, 2 * sizeof(*hash), alignof(uint32_t));
	return hash ? hash[1] : 0;
}

/*
 * DT_GNU_HASH does not say: the last symbol ends the chain of the bucket that
 * begins last. The words of a chain stand at the symbols' indices.
 */
static uint64_t count_by_gnu_hash(const struct instr_file *file)
{
	struct { uint32_t nr_buckets, first, bloom_len, shift; } head;
	uint64_t vaddr, last = 0;
	const void *bytes;

	if (!file_dynamic(file, DT_GNU_HASH, &vaddr))
		return 0;
	bytes = file_bytes_at(file, vaddr, sizeof(head));
	if (!bytes)
		return 0;
	memcpy(&head, bytes, sizeof(head));

	vaddr += sizeof(head) + 8ULL * head.bloom_len;

	const uint32_t *bucket = file_table_at(file, vaddr, 4ULL * head.nr_buckets,
					       alignof(uint32_t));

	for (uint32_t i = 0; bucket && i < head.nr_buckets; i++)
		last = bucket[i] > last ? bucket[i] : last;
	if (last < head.first)
		return head.first;

	vaddr += 4ULL * head.nr_buckets + 4 * (last - head.first);

	uint64_t room = file_room_at(file, vaddr) / 4;
	const uint32_t *chain = file_table_at(file, vaddr, 4 * room, alignof(uint32_t));

	for (uint64_t i = 0; chain && i < room; i++) {
		if (chain[i] & 1)
			return last + i + 1;
	}
	return 0;
}

static bool dynamic_table(const struct instr_file *file, struct symbol_table *table)
{
	uint64_t vaddr, nr = count_by_hash(file);

	if (!nr)
		nr = count_by_gnu_hash(file);
	if (!nr || !file_dynamic(file, DT_SYMTAB, &vaddr))
		return false;
	*table = (struct symbol_table){
		.symbol = file_table_at(file, vaddr, nr * sizeof(Elf64_Sym), alignof(Elf64_Sym)),
		.nr = nr,
		.names = file->dynstr,
		.names_len = file->dynstr_len,
		.source = INSTR_FROM_DYNSYM,
	};
	return table->symbol;
}

/* ---- all of them ------------------------------------------------------------ */

int symbols_read(struct instr_file *file, struct symbol **ret, size_t *nr,
		 struct instr_err *err)
{
	struct symbol_list list = { .file = file };
	struct symbol_table table;
	int code = 0;

	if (best_static_table(file, &table))
		code = list_add_table(&list, &table, err);
	else
		code = pclntab_read(file, &list.symbol, &list.nr, err);
	if (!code && dynamic_table(file, &table))
		code = list_add_table(&list, &table, err);
	if (code) {
		free(list.symbol);
		return code;
	}
	*ret = list.symbol;
	*nr = list.nr;
	return 0;
}

/* The name of @symbol, if it begins as @name does: there may be a million, and few begin alike. */
static const char *name_like(const struct symbol_table *table, const Elf64_Sym *symbol,
			     const char *name)
{
	if (symbol->st_name >= table->names_len || table->names[symbol->st_name] != *name)
		return NULL;
	return file_string(table->names, table->names_len, symbol->st_name);
}

/* The first symbol called @name, of @type unless that is -1. */
static bool table_find(const struct symbol_table *table, const char *name, int type,
		       uint64_t *vaddr)
{
	for (uint64_t i = 0; i < table->nr; i++) {
		const Elf64_Sym *symbol = &table->symbol[i];
		const char *is = name_like(table, symbol, name);

		if ((type >= 0 && ELF64_ST_TYPE(symbol->st_info) != type) ||
		    symbol->st_shndx == SHN_UNDEF || !symbol->st_value || !is || strcmp(is, name))
			continue;
		*vaddr = symbol->st_value;
		return true;
	}
	return false;
}

static bool find(struct instr_file *file, const char *name, int type, uint64_t *vaddr)
{
	struct symbol_table table;

	return (best_static_table(file, &table) && table_find(&table, name, type, vaddr)) ||
	       (dynamic_table(file, &table) && table_find(&table, name, type, vaddr));
}

bool symbol_find_object(struct instr_file *file, const char *name, uint64_t *vaddr)
{
	return find(file, name, STT_OBJECT, vaddr);
}

bool symbol_find_value(struct instr_file *file, const char *name, uint64_t *vaddr)
{
	return find(file, name, -1, vaddr);
}

static bool table_matches(const struct symbol_table *table, const char *pattern)
{
	for (uint64_t i = 0; i < table->nr; i++) {
		const char *name = name_like(table, &table->symbol[i], pattern);

		if (name && !fnmatch(pattern, name, 0))
			return true;
	}
	return false;
}

bool symbol_matches(struct instr_file *file, const char *pattern)
{
	struct symbol_table table;

	return (dynamic_table(file, &table) && table_matches(&table, pattern)) ||
	       (best_static_table(file, &table) && table_matches(&table, pattern));
}

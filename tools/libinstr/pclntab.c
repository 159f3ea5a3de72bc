// SPDX-License-Identifier: GPL-2.0
/*
 * The table: a header, whose words say where the others are; a list of functions, ordered by
 * where they begin, which ends with where the last one ends; for each a description, which
 * says where the name is.
 *
 *	1.2	{ magic, nr } list, of { address, description at }; all from the table's start
 *	1.16	{ magic, nr, files, names at, ..., functions at }, the same list, from there
 *	1.18	{ magic, nr, files, text, names at, ..., functions at }, the list is of 32-bit
 *		words, and addresses are told from the text's start; 1.20: as that
 */

#include "pclntab.h"

#include <string.h>

#include "array.h"
#include "err.h"
#include "file.h"
#include "relative.h"

#define HEAD_WORDS	9
#define QUANTUM		1	/* code is aligned to that on x86 */
#define WORD_LEN	8

struct head {
	uint32_t magic;
	uint8_t pad[2];
	uint8_t quantum, word_len;
};

/* Which of the header's words are what; 0: there is none. */
struct layout {
	uint32_t magic;
	uint8_t nr_words;
	uint8_t text, names, functions;
	uint8_t entry_len;	/* of the addresses in the list, and beside them */
};

static const struct layout layouts[] = {
	{ 0xfffffffb, 2, 0, 0, 0, 8 },
	{ 0xfffffffa, 8, 0, 3, 7, 8 },
	{ 0xfffffff0, 9, 3, 4, 8, 4 },
	{ 0xfffffff1, 9, 3, 4, 8, 4 },
};

struct table {
	const struct layout *layout;
	const uint8_t *bytes;
	uint64_t len;
	uint64_t nr;
	uint64_t text;
	uint64_t names, functions;	/* where they begin; no more than @len */
};

/* ---- where it is ------------------------------------------------------------- */

static const struct layout *layout_find(const uint8_t *bytes)
{
	struct head head;

	memcpy(&head, bytes, sizeof(head));
	if (head.pad[0] || head.pad[1] || head.quantum != QUANTUM || head.word_len != WORD_LEN)
		return NULL;
	for (size_t i = 0; i < sizeof(layouts) / sizeof(*layouts); i++) {
		if (layouts[i].magic == head.magic)
			return &layouts[i];
	}
	return NULL;
}

/* Is there one at @at of a section? */
static bool table_at(const struct instr_file *file, const Elf64_Shdr *section, uint64_t at,
		     struct table *ret)
{
	uint64_t words[HEAD_WORDS] = { 0 };
	const uint8_t *bytes = file_bytes(file, section->sh_offset, section->sh_size);
	const struct layout *layout;

	if (!bytes || section->sh_size - at < sizeof(words))
		return false;
	layout = layout_find(bytes + at);
	if (!layout)
		return false;
	memcpy(words, bytes + at, layout->nr_words * sizeof(*words));
	relative_apply(file, words, layout->nr_words, section->sh_addr + at);
	*ret = (struct table){
		.layout = layout,
		.bytes = bytes + at,
		.len = section->sh_size - at,
		.nr = words[1],
		.text = layout->text ? words[layout->text] : 0,
		.names = layout->names ? words[layout->names] : 0,
		.functions = layout->functions ? words[layout->functions] : 0,
	};
	return ret->names < ret->len && ret->functions < ret->len;
}

/* A linker that isn't Go's may have put it behind other data that is relocated. */
static bool table_search(const struct instr_file *file, struct table *ret)
{
	Elf64_Shdr section;

	if (!file_section_header(file, ".note.go.buildid", &section) ||
	    !file_section_header(file, ".data.rel.ro", &section))
		return false;
	for (uint64_t at = 0; at < section.sh_size; at += WORD_LEN) {
		if (table_at(file, &section, at, ret))
			return true;
	}
	return false;
}

static bool table_find(const struct instr_file *file, struct table *ret)
{
	Elf64_Shdr section;

	return ((file_section_header(file, ".gopclntab", &section) ||
		 file_section_header(file, ".data.rel.ro.gopclntab", &section)) &&
		table_at(file, &section, 0, ret)) ||
	       table_search(file, ret);
}

/* ---- what it says ------------------------------------------------------------ */

/* @len bytes at @at of the table. False: they aren't there. */
static bool read_word(const struct table *table, uint64_t at, size_t len, uint64_t *ret)
{
	if (at > table->len || len > table->len - at)
		return false;
	*ret = 0;
	memcpy(ret, table->bytes + at, len);
	return true;
}

/* Entry @i of the list; that behind the last one has an address only. */
static bool read_entry(const struct table *table, uint64_t i, uint64_t *vaddr, uint64_t *what)
{
	size_t len = table->layout->entry_len;
	uint64_t at = table->functions + 2 * len * i;

	if (!table->layout->functions)
		at += 2 * WORD_LEN;
	if (!read_word(table, at, len, vaddr))
		return false;
	*vaddr += table->text;
	return read_word(table, at + len, len, what) || i == table->nr;
}

/* NULL: it has none. */
static const char *read_name(const struct table *table, uint64_t what)
{
	uint64_t at;

	if (what > table->len ||
	    !read_word(table, table->functions + what + table->layout->entry_len,
		       sizeof(uint32_t), &at))
		return NULL;
	return file_string((const char *)table->bytes + table->names, table->len - table->names,
			   at);
}

static int add_function(const struct instr_file *file, const char *name, uint64_t vaddr,
			uint64_t size, struct symbol **symbol, size_t *nr, struct instr_err *err)
{
	const struct symbol new = {
		.name = name,
		.vaddr = vaddr,
		.size = size,
		.source = INSTR_FROM_PCLNTAB,
	};

	if (!name || !*name || !vaddr || !file_segment_find(file, vaddr))
		return 0;
	return ARRAY_PUSH(*symbol, *nr, new) ? 0 : err_memory(err);
}

int pclntab_read(struct instr_file *file, struct symbol **symbol, size_t *nr,
		 struct instr_err *err)
{
	uint64_t vaddr, end, what, next;
	struct table table;
	int code = 0;

	if (!table_find(file, &table) || table.nr > table.len ||
	    !read_entry(&table, 0, &vaddr, &what))
		return 0;
	for (uint64_t i = 0; i < table.nr && !code; i++) {
		if (!read_entry(&table, i + 1, &end, &next))
			return 0;
		code = add_function(file, read_name(&table, what), vaddr,
				    end > vaddr ? end - vaddr : 0, symbol, nr, err);
		vaddr = end;
		what = next;
	}
	return code;
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An open ELF file, for the library's own files. What these return belongs to
 * the file and lives until instr_file_close(). All of it is bounded: nothing
 * that the file says about itself is believed.
 */
#ifndef LIBINSTR_FILE_H
#define LIBINSTR_FILE_H

#include <elf.h>
#include <libelf.h>

#include "libinstr.h"

struct func_table;
struct pointer;

/* An allocated section with code in it; there are none if they were stripped. */
struct file_section {
	const char *name;
	uint64_t start, end;	/* vaddr */
	uint64_t offset;
};

#define FILE_DISTANCES_MAX 16

struct instr_file {
	char *path;
	int fd;
	uint64_t size;
	Elf *elf;
	bool fixed;

	const Elf64_Phdr *segment;
	size_t nr_segments;
	const Elf64_Phdr *text;		/* the largest executable one */
	uint64_t skew;			/* vaddr - offset, in the text */
	uint64_t text_len;		/* bytes of it that the file has */

	struct file_section *section;	/* by ascending start */
	size_t nr_sections;

	const Elf64_Dyn *dynamic;
	size_t nr_dynamic;
	const char *dynstr;
	uint64_t dynstr_len;

	char *build_id;
	struct instr_distance distance[FILE_DISTANCES_MAX];

	struct instr_file *debug;	/* the separate one, or NULL */
	char **names;			/* that are in no string table */
	size_t nr_names;
	struct func_table *funcs;	/* func.c; NULL until asked for */
	struct pointer *pointer;	/* pointer.c: those that were asked for */
	size_t nr_pointers;
};

/*
 * Opens a file of debug information: as instr_file_open(), but it needs no text.
 */
int file_open_debug(const char *path, struct instr_file **ret, struct instr_err *err);

/* NULL: not all of these bytes are in the file. */
const void *file_bytes(const struct instr_file *file, uint64_t offset, uint64_t len);

/* The bytes at @vaddr; NULL: not all of them are in one segment of the file. */
const void *file_bytes_at(const struct instr_file *file, uint64_t vaddr, uint64_t len);

/* The same, of a table whose entries are aligned; NULL if they are not, too. */
const void *file_table_at(const struct instr_file *file, uint64_t vaddr, uint64_t len,
			  size_t align);

/* How many bytes the file has at @vaddr and behind it, in one segment. */
uint64_t file_room_at(const struct instr_file *file, uint64_t vaddr);

/* The text's bytes, text_len of them, the first at file->text->p_vaddr. */
const uint8_t *file_text(const struct instr_file *file);

/* The executable segment that has @vaddr in memory, or NULL. */
const Elf64_Phdr *file_segment_find(const struct instr_file *file, uint64_t vaddr);

/* The section with code that has @vaddr, or NULL. */
const struct file_section *file_section_find(const struct instr_file *file, uint64_t vaddr);

/* The header of the section called @name; false: there is none. */
bool file_section_header(const struct instr_file *file, const char *name, Elf64_Shdr *ret);

/* The first section of @type. */
bool file_section_of_type(const struct instr_file *file, uint32_t type, Elf64_Shdr *ret);

/* The value of the first dynamic entry with @tag. */
bool file_dynamic(const struct instr_file *file, int64_t tag, uint64_t *ret);

/* A string of the dynamic string table, or NULL. */
const char *file_dynamic_string(const struct instr_file *file, uint64_t at);

/* A terminated string in a table of @len bytes, or NULL. */
const char *file_string(const char *table, uint64_t len, uint64_t at);

/* Takes @name, which may be NULL; NULL: out of memory, and it is freed. */
const char *file_keep_name(struct instr_file *file, char *name);

#endif

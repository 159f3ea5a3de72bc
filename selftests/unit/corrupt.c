// SPDX-License-Identifier: GPL-2.0
/*
 * Broken files: cut off, with bytes changed, with tables that lie. Whatever they
 * are, there is an error or a plan, and it comes soon. The sanitizers watch.
 */

#include <elf.h>
#include <string.h>

#include "clean.h"
#include "random.h"
#include "scratch.h"
#include "tap.h"

static const char *const paths[] = { "/bin/true", "/lib/x86_64-linux-gnu/libz.so.1", "/bin/ls" };

#define NR_PATHS (sizeof(paths) / sizeof(paths[0]))

static struct scratch scratch;
static unsigned int opened, planned;

static void plan_all(struct instr_file *file, struct instr_err *err)
{
	const char *const all = "*";
	CLEAN(plan) struct instr_plan *plan = NULL;
	CLEAN(free) struct instr_place *found = NULL;
	size_t nr;

	if (instr_places_match(file, &all, 1, &found, &nr, err) || !instr_distances(file)->top)
		return;
	if (!instr_plan_create(file, found, nr, *instr_distances(file), &plan, err))
		planned++;
}

/* Does all that can be done with the file as it is now. */
static bool is_survived(void)
{
	CLEAN(file) struct instr_file *file = NULL;
	struct instr_err err = { 0 };
	char **libraries;
	size_t nr;

	if (instr_file_open(scratch.path, &file, &err))
		return err.code < 0 && err.text[0];
	opened++;
	instr_file_soname(file);
	instr_file_interp(file);
	instr_file_build_id(file);
	plan_all(file, &err);
	if (opened % 16 == 0 && !instr_file_needed(file, NULL, &libraries, &nr, &err))
		instr_paths_free(libraries, nr);
	return true;
}

static void for_each_file(void (*test)(void))
{
	for (size_t i = 0; i < NR_PATHS; i++) {
		if (CHECK(scratch_read(&scratch, paths[i])))
			test();
		scratch_exit(&scratch);
	}
	printf("# %u opened, %u planned\n", opened, planned);
}

static void cut_off(void)
{
	for (size_t len = 0; len < scratch.len; len += len < 1200 ? 7 : scratch.len / 150)
		CHECK(scratch_write(&scratch, scratch.bytes, len) && is_survived());
}

static void truncated_files_are_survived(void)
{
	for_each_file(cut_off);
}

/* Changes bytes in [at, at + len), and puts them back. */
static void change_within(size_t at, size_t len, unsigned int times)
{
	static const uint8_t odd[] = { 0, 1, 0x7f, 0x80, 0xff };
	CLEAN(free) uint8_t *saved = malloc(scratch.len);

	if (!len || at > scratch.len || len > scratch.len - at)
		return;
	memcpy(saved, scratch.bytes, scratch.len);
	while (times--) {
		for (uint32_t n = random_next() % 4 + 1; n; n--) {
			uint32_t value = random_next();

			scratch.bytes[at + random_next() % len] =
				value & 0x100 ? odd[value % sizeof(odd)] : (uint8_t)value;
		}
		CHECK(scratch_write(&scratch, scratch.bytes, scratch.len) && is_survived());
		memcpy(scratch.bytes, saved, scratch.len);
	}
}

static void change_headers(void)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)scratch.bytes;

	change_within(EI_VERSION, sizeof(*header) - EI_VERSION, 200);
	change_within(header->e_phoff, header->e_phnum * sizeof(Elf64_Phdr), 500);
	change_within(header->e_shoff, header->e_shnum * sizeof(Elf64_Shdr), 300);
}

static void changed_headers_are_survived(void)
{
	for_each_file(change_headers);
}

static void change_tables(void)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)scratch.bytes;
	const Elf64_Phdr *segment = (const Elf64_Phdr *)(scratch.bytes + header->e_phoff);

	for (unsigned int i = 0; i < header->e_phnum; i++) {
		switch (segment[i].p_type) {
		case PT_DYNAMIC:
		case PT_NOTE:
		case PT_GNU_EH_FRAME:
		case PT_INTERP:
			change_within(segment[i].p_offset, segment[i].p_filesz, 100);
			break;
		case PT_LOAD:
			change_within(segment[i].p_offset, segment[i].p_filesz, 60);
			break;
		}
	}
}

static void changed_tables_are_survived(void)
{
	for_each_file(change_tables);
}

/* The dynamic symbols, their hash table and .eh_frame, by section. */
static void change_sections(void)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)scratch.bytes;
	const Elf64_Shdr *section = (const Elf64_Shdr *)(scratch.bytes + header->e_shoff);

	for (unsigned int i = 1; i < header->e_shnum; i++) {
		if (section[i].sh_type != SHT_NOBITS && section[i].sh_flags & SHF_ALLOC)
			change_within(section[i].sh_offset, section[i].sh_size, 30);
	}
}

static void changed_sections_are_survived(void)
{
	for_each_file(change_sections);
}

/* .eh_frame found through its header, as there are no sections. */
static void change_bare(void)
{
	Elf64_Ehdr *header = (Elf64_Ehdr *)scratch.bytes;
	Elf64_Shdr section[64] = { 0 };
	unsigned int nr = header->e_shnum < 64 ? header->e_shnum : 64;

	memcpy(section, scratch.bytes + header->e_shoff, nr * sizeof(*section));
	header->e_shoff = 0;
	header->e_shnum = 0;
	header->e_shstrndx = 0;
	for (unsigned int i = 1; i < nr; i++) {
		if (section[i].sh_type != SHT_NOBITS && section[i].sh_flags & SHF_ALLOC)
			change_within(section[i].sh_offset, section[i].sh_size, 15);
	}
}

static void changed_bare_files_are_survived(void)
{
	for_each_file(change_bare);
}

int main(void)
{
	RUN(truncated_files_are_survived);
	RUN(changed_headers_are_survived);
	RUN(changed_tables_are_survived);
	RUN(changed_sections_are_survived);
	RUN(changed_bare_files_are_survived);
	CHECK(opened > 1000 && planned > 500);
	return tap_done();
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Files and their functions, of real ones: what they say they are, which
 * functions are found by each source, and how those are matched.
 */

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "clean.h"
#include "functions.h"
#include "scratch.h"
#include "tap.h"

#define LIBC "/lib/x86_64-linux-gnu/libc.so.6"
#define LIBZ "/lib/x86_64-linux-gnu/libz.so.1"

/* What is true of each list. */
static bool list_is_sound(void)
{
	for (size_t i = 0; i < nr; i++) {
		bool same = i && func[i].vaddr == func[i - 1].vaddr;

		if (!func[i].size || !func[i].name[0] || func[i].is_alias != same)
			return false;
		if (i && func[i].vaddr < func[i - 1].vaddr)
			return false;
		if (i && !same && func[i - 1].vaddr + func[i - 1].size > func[i].vaddr)
			return false;
		if (same && func[i].size != func[i - 1].size)
			return false;
		if (func[i].source == INSTR_FROM_EH_FRAME && strncmp(func[i].name, "func_", 5))
			return false;
	}
	return nr > 0;
}

static void lists_are_ordered_and_do_not_overlap(void)
{
	static const char *const paths[] = {
		LIBC, LIBZ, "/usr/lib/x86_64-linux-gnu/libstdc++.so.6", "/bin/bash",
		"/usr/bin/python3.11", "/sbin/ldconfig", "/proc/self/exe",
		"/usr/lib/gcc/x86_64-linux-gnu/12/cc1",
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (access(paths[i], R_OK))
			continue;

		CLEAN(file) struct instr_file *file = functions_open(paths[i]);

		if (!CHECK(file) || !CHECK(list_is_sound()))
			printf("# %s\n", paths[i]);
	}
}

static void libc_is_known(void)
{
	CLEAN(file) struct instr_file *file = functions_open(LIBC);

	if (!CHECK(file))
		return;
	CHECK(!strcmp(instr_file_soname(file), "libc.so.6"));
	CHECK(strlen(instr_file_build_id(file)) == 40);
	CHECK(!instr_file_fixed(file));
	CHECK(find("malloc") && find("printf") && !find("printf")->is_ifunc);
	CHECK(find("memcpy") && find("memcpy")->is_ifunc);
	CHECK(!strcmp(instr_file_interp(file), "/lib64/ld-linux-x86-64.so.2"));
	CHECK(instr_distances(file)[0].top == 0xcc);
}

static void fixed_programs_are_known(void)
{
	CLEAN(file) struct instr_file *file = functions_open("/usr/bin/python3.11");

	if (!CHECK(file))
		return;
	CHECK(instr_file_fixed(file) && instr_distances(file)[0].top == 0x61);
	CHECK(find("Py_Main") && find("Py_Main")->source == INSTR_FROM_DYNSYM);
	CHECK(instr_file_text_vaddr(file, find("Py_Main")->offset) == find("Py_Main")->vaddr);
}

static void functions_of_a_stripped_static_program_are_found(void)
{
	CLEAN(file) struct instr_file *file = functions_open("/sbin/ldconfig");

	if (!CHECK(file))
		return;
	CHECK(nr > 1000 && func[0].source == INSTR_FROM_EH_FRAME);
	CHECK(!instr_file_interp(file) && !instr_file_soname(file));
}

/* ---- without section headers ------------------------------------------------ */

static bool drop_sections(struct scratch *scratch)
{
	Elf64_Ehdr *header = (Elf64_Ehdr *)scratch->bytes;

	header->e_shoff = 0;
	header->e_shnum = 0;
	header->e_shstrndx = 0;
	return scratch_write(scratch, scratch->bytes, scratch->len);
}

static void section_headers_are_not_needed(void)
{
	CLEAN(file) struct instr_file *whole = functions_open("/bin/bash");
	struct scratch scratch;
	size_t nr_whole = nr;

	for (size_t i = 0; whole && i < nr; i++)
		nr_whole -= strstr(func[i].name, "@plt") != NULL;

	if (!CHECK(scratch_read(&scratch, "/bin/bash")) || !CHECK(drop_sections(&scratch)))
		return;

	CLEAN(file) struct instr_file *bare = functions_open(scratch.path);

	CHECK(whole && bare && list_is_sound());
	/*
	 * All but the stubs of imports: only sections tell where these are. A frame
	 * that begins where one does is a function then.
	 */
	if (!CHECK(nr >= nr_whole && nr <= nr_whole + 3))
		printf("# %zu functions without, %zu with\n", nr, nr_whole);
	CHECK(find("maybe_make_export_env"));
	scratch_exit(&scratch);
}

static void add_executable_segment(uint8_t *bytes)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)bytes;
	Elf64_Phdr *segment = (Elf64_Phdr *)(bytes + header->e_phoff);

	while (segment->p_type != PT_LOAD)
		segment++;
	CHECK(!(segment->p_flags & PF_X));
	segment->p_flags |= PF_X;
}

/* node has .init and .plt in a segment before the one with all of its functions. */
static void text_is_the_largest_executable_segment(void)
{
	CLEAN(file) struct instr_file *file = NULL;
	CLEAN(plan) struct instr_plan *plan = NULL;
	CLEAN(free) struct instr_place *found = NULL;
	const char *const name = "crc32";
	struct scratch copy;
	size_t nr_found;

	if (!CHECK(scratch_read(&copy, LIBZ)))
		return;
	add_executable_segment(copy.bytes);
	CHECK(scratch_write(&copy, copy.bytes, copy.len));
	file = functions_open(copy.path);
	if (CHECK(file) && CHECK(!instr_places_match(file, &name, 1, &found, &nr_found, NULL)))
		CHECK(!instr_plan_create(file, found, nr_found, *instr_distances(file), &plan,
					 NULL));
	scratch_exit(&copy);
}

static Elf64_Phdr *segments_of(uint8_t *bytes, size_t *nr)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)bytes;

	*nr = header->e_phnum;
	return (Elf64_Phdr *)(bytes + header->e_phoff);
}

/* As lld lays files out: what is read only comes first, and text a page further on. */
static void skew_text(uint8_t *bytes)
{
	size_t nr;
	Elf64_Phdr *segment = segments_of(bytes, &nr);

	for (; nr--; segment++) {
		if (segment->p_type == PT_LOAD && segment->p_flags & PF_X)
			segment->p_vaddr += 4096;
	}
}

static void text_may_be_further_on_in_memory(void)
{
	CLEAN(file) struct instr_file *file = NULL;
	CLEAN(free) struct instr_place *found = NULL;
	const char *const name = "crc32";
	struct scratch copy;
	size_t nr_found;

	if (!CHECK(scratch_read(&copy, LIBZ)))
		return;
	skew_text(copy.bytes);
	CHECK(scratch_write(&copy, copy.bytes, copy.len));
	file = functions_open(copy.path);
	if (CHECK(file) && CHECK(!instr_places_match(file, &name, 1, &found, &nr_found, NULL))) {
		for (const struct instr_distance *d = instr_distances(file); d->top; d++) {
			CLEAN(plan) struct instr_plan *plan = NULL;

			CHECK(!instr_plan_create(file, found, nr_found, *d, &plan, NULL));
		}
	}
	scratch_exit(&copy);
}

/* We keep a copy of each segment: a small file may not make that a large one. */
static void segments_may_not_be_the_file_many_times(void)
{
	struct instr_err err = { 0 };
	struct instr_file *file = NULL;
	struct scratch copy;
	Elf64_Phdr *segment, *text;
	size_t nr;

	if (!CHECK(scratch_read(&copy, LIBZ)))
		return;
	segment = text = segments_of(copy.bytes, &nr);
	while (!(text->p_flags & PF_X) || text->p_type != PT_LOAD)
		text++;
	for (; nr--; segment++)
		*segment = *text;
	CHECK(scratch_write(&copy, copy.bytes, copy.len));
	CHECK(instr_file_open(copy.path, &file, &err) == -ENOEXEC && strstr(err.text, "overlap"));
	scratch_exit(&copy);
}

/* ---- matching --------------------------------------------------------------- */

static struct instr_place *found;
static size_t nr_found;
static struct instr_err err;

static int match(struct instr_file *file, const char *glob, const char *second)
{
	const char *globs[] = { glob, second };

	free(found);
	found = NULL;
	nr_found = 0;
	memset(&err, 0, sizeof(err));
	return instr_places_match(file, globs, second ? 2 : 1, &found, &nr_found, &err);
}

static bool found_only(const char *name)
{
	return nr_found == 1 && !strcmp(func[found[0].func].name, name);
}

static void names_match(void)
{
	CLEAN(file) struct instr_file *file = functions_open(LIBC);
	char address[32];

	if (!CHECK(file))
		return;
	CHECK(!match(file, "malloc", NULL) && found_only("malloc"));
	CHECK(!match(file, "malloc", "mallo[c]") && found_only("malloc"));
	CHECK(!match(file, "__libc_malloc", NULL) && found_only("__libc_malloc"));
	snprintf(address, sizeof(address), "0x%llx", (unsigned long long)find("qsort")->vaddr);
	CHECK(!match(file, address, NULL) && nr_found == 1 &&
	      func[found[0].func].vaddr == find("qsort")->vaddr);
	CHECK(!match(file, "qsort+0", NULL) && found_only("qsort") && !found[0].at);
	CHECK(!match(file, "str*", "mem*") && nr_found > 20);
	for (size_t i = 1; i < nr_found; i++)
		CHECK(func[found[i].func].vaddr > func[found[i - 1].func].vaddr);
}

/* push %rbx and the like come first in many a function: nothing else is assumed. */
static void instructions_match(void)
{
	CLEAN(file) struct instr_file *file = functions_open(LIBC);
	unsigned int boundaries = 0;
	char place[32];

	if (!CHECK(file))
		return;
	for (unsigned int at = 1; at < 40; at++) {
		snprintf(place, sizeof(place), at % 2 ? "qsort_r+%u" : "qsort_r+0x%x", at);

		int code = match(file, place, NULL);

		CHECK(code == -EINVAL ? !!strstr(err.text, "is within an instruction, from +0x") :
					!code && nr_found == 1 && found[0].at == at);
		boundaries += !code;
	}
	CHECK(boundaries >= 3 && boundaries < 39);
	CHECK(match(file, "qsort_r+0x100000", NULL) == -EINVAL && strstr(err.text, "has only 0x"));
	CHECK(match(file, "qsort_r+", NULL) == -ENOENT);
	CHECK(match(file, "qsort_r+-1", NULL) == -ENOENT);
	CHECK(match(file, "qsort_r+0x", NULL) == -ENOENT);
	CHECK(match(file, "qsort_r+1z", NULL) == -ENOENT);
}

static void what_does_not_match_is_told(void)
{
	CLEAN(file) struct instr_file *file = functions_open(LIBC);

	if (!CHECK(file))
		return;
	CHECK(match(file, "malloc", "mallok") == -ENOENT && err.code == -ENOENT);
	CHECK(!strcmp(err.text, LIBC ": no function matches 'mallok'"));
	CHECK(!strcmp(err.hint, "the nearest name is 'malloc'"));
	CHECK(match(file, "0x1", NULL) == -ENOENT);
	CHECK(match(file, "nothing_is_called_so_*", NULL) == -ENOENT && !err.hint[0]);
	CHECK(match(file, "", NULL) == -ENOENT);
	CHECK(match(file, "0xg", NULL) == -ENOENT);
	CHECK(!found);
}

/* ---- what is no file of ours ------------------------------------------------ */

static bool fails(const char *path, int code, const char *text)
{
	struct instr_file *file = NULL;
	char expected[512];

	snprintf(expected, sizeof(expected), "%s: %s", path, text);
	memset(&err, 0, sizeof(err));
	if (instr_file_open(path, &file, &err) == code && err.code == code && !file &&
	    !strcmp(err.text, expected))
		return true;
	printf("# %s\n", err.text);
	return false;
}

static void other_files_are_told(void)
{
	struct scratch scratch;

	CHECK(fails("/nonexistent", -ENOENT, "No such file or directory"));
	CHECK(fails("/tmp", -EISDIR, "Is a directory"));
	CHECK(fails("/dev/null", -ENOEXEC, "not a regular file"));
	CHECK(fails("/etc/passwd", -ENOEXEC, "not an ELF file"));
	CHECK(instr_file_open("/etc/passwd", NULL, NULL) == -ENOEXEC);
	if (!CHECK(scratch_read(&scratch, "/bin/true")))
		return;
	CHECK(scratch_write(&scratch, "", 0) && fails(scratch.path, -ENOEXEC, "not an ELF file"));
	CHECK(scratch_write(&scratch, scratch.bytes, 40) &&
	      fails(scratch.path, -ENOEXEC, "a corrupt ELF file: it ends within its header"));
	scratch.bytes[EI_CLASS] = ELFCLASS32;
	CHECK(scratch_write(&scratch, scratch.bytes, scratch.len) &&
	      fails(scratch.path, -EINVAL, "a 32-bit program; instr works on x86-64 ones"));
	scratch.bytes[EI_CLASS] = ELFCLASS64;
	scratch.bytes[18] = EM_AARCH64;
	CHECK(scratch_write(&scratch, scratch.bytes, scratch.len) &&
	      fails(scratch.path, -EINVAL,
		    "a program for another machine; instr works on x86-64 ones"));
	scratch_exit(&scratch);
}

/* ---- libraries -------------------------------------------------------------- */

static bool has_path(char **paths, size_t nr_paths, const char *name)
{
	for (size_t i = 0; i < nr_paths; i++) {
		if (strstr(paths[i], name))
			return true;
	}
	return false;
}

static void needed_libraries_are_found(void)
{
	CLEAN(file) struct instr_file *file = functions_open("/usr/bin/python3.11");
	char **paths;
	size_t nr_paths;

	if (!CHECK(file) || !CHECK(!instr_file_needed(file, NULL, &paths, &nr_paths, &err)))
		return;
	CHECK(has_path(paths, nr_paths, "/libc.so.6"));
	CHECK(has_path(paths, nr_paths, "/libz.so.1"));
	CHECK(has_path(paths, nr_paths, "/ld-linux-x86-64.so.2"));
	instr_paths_free(paths, nr_paths);
}

static void library_path_comes_first(void)
{
	CLEAN(file) struct instr_file *file = functions_open("/usr/bin/python3.11");
	char folder[] = "/tmp/instr-unit-XXXXXX", copy[64], command[256];
	char **paths;
	size_t nr_paths;

	if (!CHECK(file) || !CHECK(mkdtemp(folder)))
		return;
	snprintf(copy, sizeof(copy), "%s/libz.so.1", folder);
	snprintf(command, sizeof(command), "cp " LIBZ " %s", copy);
	CHECK(!system(command));
	if (CHECK(!instr_file_needed(file, folder, &paths, &nr_paths, &err))) {
		CHECK(has_path(paths, nr_paths, copy));
		instr_paths_free(paths, nr_paths);
	}
	unlink(copy);
	rmdir(folder);
}

static void static_programs_need_nothing(void)
{
	CLEAN(file) struct instr_file *file = functions_open("/sbin/ldconfig");
	char **paths;
	size_t nr_paths;

	if (!CHECK(file) || !CHECK(!instr_file_needed(file, NULL, &paths, &nr_paths, &err)))
		return;
	CHECK(!nr_paths);
	instr_paths_free(paths, nr_paths);
}

int main(void)
{
	RUN(lists_are_ordered_and_do_not_overlap);
	RUN(libc_is_known);
	RUN(fixed_programs_are_known);
	RUN(functions_of_a_stripped_static_program_are_found);
	RUN(section_headers_are_not_needed);
	RUN(text_is_the_largest_executable_segment);
	RUN(text_may_be_further_on_in_memory);
	RUN(segments_may_not_be_the_file_many_times);
	RUN(names_match);
	RUN(instructions_match);
	RUN(what_does_not_match_is_told);
	RUN(other_files_are_told);
	RUN(needed_libraries_are_found);
	RUN(library_path_comes_first);
	RUN(static_programs_need_nothing);
	free(found);
	return tap_done();
}

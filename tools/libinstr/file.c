// SPDX-License-Identifier: GPL-2.0
/*
 * Files: an ELF executable or shared library, as its program headers show it.
 *
 * Section headers are a hint where there are any. Nothing is mapped: a file that
 * is truncated meanwhile must not be able to kill us by SIGBUS.
 */

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>

#include "array.h"
#include "clean.h"
#include "err.h"
#include "func.h"

/* Room that is kept free behind the image of the text for what does not fit in. */
#define SLAB_MARGIN (64ULL << 20)

#define PAGE 4096ULL

static int file_corrupt(const struct instr_file *file, struct instr_err *err,
			const char *what)
{
	return instr_fail(err, -ENOEXEC, "%s: a corrupt ELF file: %s", file->path, what);
}

/* ---- bytes ------------------------------------------------------------------ */

const void *file_bytes(const struct instr_file *file, uint64_t offset, uint64_t len)
{
	if (!len || len > file->size || offset > file->size - len)
		return NULL;

	Elf_Data *data = elf_getdata_rawchunk(file->elf, (int64_t)offset, len, ELF_T_BYTE);

	return data && data->d_size == len ? data->d_buf : NULL;
}

static bool segment_has(const Elf64_Phdr *segment, uint64_t vaddr, uint64_t size)
{
	return segment->p_type == PT_LOAD && vaddr >= segment->p_vaddr &&
	       vaddr - segment->p_vaddr < size;
}

static uint64_t segment_file_len(const struct instr_file *file, const Elf64_Phdr *segment)
{
	if (segment->p_offset >= file->size)
		return 0;

	uint64_t left = file->size - segment->p_offset;

	return segment->p_filesz < left ? segment->p_filesz : left;
}

static const Elf64_Phdr *segment_of_bytes(const struct instr_file *file, uint64_t vaddr)
{
	for (size_t i = 0; i < file->nr_segments; i++) {
		const Elf64_Phdr *segment = &file->segment[i];

		if (segment_has(segment, vaddr, segment_file_len(file, segment)))
			return segment;
	}
	return NULL;
}

uint64_t file_room_at(const struct instr_file *file, uint64_t vaddr)
{
	const Elf64_Phdr *segment = segment_of_bytes(file, vaddr);

	return segment ? segment_file_len(file, segment) - (vaddr - segment->p_vaddr) : 0;
}

const void *file_bytes_at(const struct instr_file *file, uint64_t vaddr, uint64_t len)
{
	const Elf64_Phdr *segment = segment_of_bytes(file, vaddr);

	const uint8_t *bytes;
	uint64_t before;

	if (!len || len > file_room_at(file, vaddr))
		return NULL;
	/*
	 * libelf copies what it is asked for, and keeps a list of it: there shall be few.
	 * What is aligned in memory is to be aligned in the copy.
	 */
	before = segment->p_vaddr % alignof(max_align_t);
	if (before > segment->p_offset)
		return NULL;
	bytes = file_bytes(file, segment->p_offset - before,
			   segment_file_len(file, segment) + before);
	return bytes ? bytes + before + (vaddr - segment->p_vaddr) : NULL;
}

const void *file_table_at(const struct instr_file *file, uint64_t vaddr, uint64_t len,
			  size_t align)
{
	const void *table = file_bytes_at(file, vaddr, len);

	return (uintptr_t)table % align ? NULL : table;
}

const uint8_t *file_text(const struct instr_file *file)
{
	return file_bytes_at(file, file->text->p_vaddr, file->text_len);
}

const Elf64_Phdr *file_segment_find(const struct instr_file *file, uint64_t vaddr)
{
	for (size_t i = 0; i < file->nr_segments; i++) {
		const Elf64_Phdr *segment = &file->segment[i];

		if (segment->p_flags & PF_X && segment_has(segment, vaddr, segment->p_memsz))
			return segment;
	}
	return NULL;
}

const char *file_string(const char *table, uint64_t len, uint64_t at)
{
	if (!table || at >= len || !memchr(table + at, '\0', len - at))
		return NULL;
	return table + at;
}

const char *file_keep_name(struct instr_file *file, char *name)
{
	if (!name)
		return NULL;
	if (!ARRAY_PUSH(file->names, file->nr_names, name)) {
		free(name);
		return NULL;
	}
	return name;
}

/* ---- sections --------------------------------------------------------------- */

static const char *section_name(const struct instr_file *file, const Elf64_Shdr *header)
{
	size_t names;

	if (elf_getshdrstrndx(file->elf, &names))
		return NULL;
	return elf_strptr(file->elf, names, header->sh_name);
}

bool file_section_header(const struct instr_file *file, const char *name, Elf64_Shdr *ret)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(file->elf, section))) {
		const Elf64_Shdr *header = elf64_getshdr(section);
		const char *found = header ? section_name(file, header) : NULL;

		if (found && !strcmp(found, name)) {
			*ret = *header;
			return true;
		}
	}
	return false;
}

bool file_section_of_type(const struct instr_file *file, uint32_t type, Elf64_Shdr *ret)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(file->elf, section))) {
		const Elf64_Shdr *header = elf64_getshdr(section);

		if (header && header->sh_type == type) {
			*ret = *header;
			return true;
		}
	}
	return false;
}

static int section_compare(const void *a, const void *b)
{
	const struct file_section *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static int file_read_sections(struct instr_file *file, struct instr_err *err)
{
	const uint64_t code = SHF_ALLOC | SHF_EXECINSTR;
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(file->elf, section))) {
		const Elf64_Shdr *header = elf64_getshdr(section);

		if (!header || (header->sh_flags & code) != code ||
		    header->sh_addr + header->sh_size <= header->sh_addr)
			continue;

		const char *name = section_name(file, header);
		struct file_section new = {
			.name = name ? name : "",
			.start = header->sh_addr,
			.end = header->sh_addr + header->sh_size,
			.offset = header->sh_offset,
		};

		if (!ARRAY_PUSH(file->section, file->nr_sections, new))
			return err_memory(err);
	}
	if (file->nr_sections)
		qsort(file->section, file->nr_sections, sizeof(*file->section),
		      section_compare);
	return 0;
}

const struct file_section *file_section_find(const struct instr_file *file, uint64_t vaddr)
{
	size_t first = 0, end = file->nr_sections;

	while (first < end) {
		size_t middle = first + (end - first) / 2;
		const struct file_section *section = &file->section[middle];

		if (vaddr < section->start)
			end = middle;
		else if (vaddr >= section->end)
			first = middle + 1;
		else
			return section;
	}
	return NULL;
}

/* ---- the dynamic section ---------------------------------------------------- */

bool file_dynamic(const struct instr_file *file, int64_t tag, uint64_t *ret)
{
	for (size_t i = 0; i < file->nr_dynamic; i++) {
		if (file->dynamic[i].d_tag != tag)
			continue;
		*ret = file->dynamic[i].d_un.d_val;
		return true;
	}
	return false;
}

const char *file_dynamic_string(const struct instr_file *file, uint64_t at)
{
	return file_string(file->dynstr, file->dynstr_len, at);
}

static const Elf64_Phdr *file_segment_of_type(const struct instr_file *file, uint32_t type)
{
	for (size_t i = 0; i < file->nr_segments; i++) {
		if (file->segment[i].p_type == type)
			return &file->segment[i];
	}
	return NULL;
}

/* A file without a readable one is taken as static: it can still be probed. */
static void file_read_dynamic(struct instr_file *file)
{
	const Elf64_Phdr *segment = file_segment_of_type(file, PT_DYNAMIC);
	uint64_t vaddr, len, nr;

	if (!segment)
		return;
	file->dynamic = file_bytes(file, segment->p_offset, segment->p_filesz);
	if (!file->dynamic)
		return;
	nr = segment->p_filesz / sizeof(*file->dynamic);
	while (file->nr_dynamic < nr && file->dynamic[file->nr_dynamic].d_tag != DT_NULL)
		file->nr_dynamic++;

	if (!file_dynamic(file, DT_STRTAB, &vaddr) || !file_dynamic(file, DT_STRSZ, &len))
		return;
	file->dynstr = file_bytes_at(file, vaddr, len);
	file->dynstr_len = file->dynstr ? len : 0;
}

/* ---- the build id ----------------------------------------------------------- */

static char *hex(const uint8_t *bytes, size_t len)
{
	char *text = malloc(2 * len + 1);

	for (size_t i = 0; text && i < len; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	return text;
}

/* Looks for the build id in one segment of notes. */
static char *notes_build_id(const uint8_t *notes, uint64_t len, uint64_t align)
{
	uint64_t at = 0, mask = align == 8 ? 7 : 3;

	while (len >= sizeof(Elf64_Nhdr) && at <= len - sizeof(Elf64_Nhdr)) {
		const Elf64_Nhdr *note = (const void *)(notes + at);
		uint64_t name = at + sizeof(*note);
		uint64_t desc = (name + note->n_namesz + mask) & ~mask;

		if (desc > len || note->n_descsz > len - desc)
			return NULL;
		if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
		    note->n_descsz && note->n_descsz <= 64 &&
		    !memcmp(notes + name, ELF_NOTE_GNU, 4))
			return hex(notes + desc, note->n_descsz);
		at = (desc + note->n_descsz + mask) & ~mask;
	}
	return NULL;
}

static void file_read_build_id(struct instr_file *file)
{
	for (size_t i = 0; i < file->nr_segments && !file->build_id; i++) {
		const Elf64_Phdr *segment = &file->segment[i];

		if (segment->p_type != PT_NOTE)
			continue;

		const uint8_t *notes = file_bytes(file, segment->p_offset, segment->p_filesz);

		if (notes)
			file->build_id = notes_build_id(notes, segment->p_filesz,
							segment->p_align);
	}
}

/* ---- distances -------------------------------------------------------------- */

/*
 * No zeros: that ends the list. The header says what a distance is. Downwards
 * first: upwards there may come a heap, which is not there yet. Where the first is
 * not free the second has nothing in common with it.
 */
static const struct instr_distance anywhere[] = {
	{ 0xcc, 0xe8 }, { 0xea, 0 }, { 0xcc, 0 }, { 0xd6, 0 }, { 0x06, 0 }, { 0x0e, 0 },
	{ 0x16, 0 }, { 0x1e, 0 }, { 0x3f, 0 }, { 0x60, 0 }, { 0, 0 },
};
static const struct instr_distance fixed[] = {
	{ 0x61, 0 }, { 0x60, 0 }, { 0x3f, 0 }, { 0x37, 0 }, { 0x2f, 0 }, { 0x27, 0 },
	{ 0x1f, 0 }, { 0, 0 },
};

/* Would the slab lie in the file's own image, or outside of the address space? */
static bool distance_is_sane(const struct instr_file *file, uint8_t top)
{
	int64_t distance = (int32_t)((uint32_t)top << 24 | 0xcccccc) + 5;
	int64_t start = (int64_t)file->text->p_vaddr + distance - (int64_t)PAGE;
	int64_t end = start + (int64_t)(file->text->p_memsz + SLAB_MARGIN);
	int64_t base = file->fixed ? 0 : 1LL << 46;

	if (base + start < (int64_t)PAGE || base + end > 1LL << 47)
		return false;
	for (size_t i = 0; i < file->nr_segments; i++) {
		const Elf64_Phdr *segment = &file->segment[i];

		if (segment->p_type == PT_LOAD && start < (int64_t)(segment->p_vaddr + segment->p_memsz) &&
		    (int64_t)segment->p_vaddr < end)
			return false;
	}
	return true;
}

static void file_choose_distances(struct instr_file *file)
{
	const struct instr_distance *distance = file->fixed ? fixed : anywhere;
	size_t nr = 0;

	for (; distance->top; distance++) {
		if (distance_is_sane(file, distance->top) &&
		    (!distance->annex || distance_is_sane(file, distance->annex)))
			file->distance[nr++] = *distance;
	}
}

const struct instr_distance *instr_distances(const struct instr_file *file)
{
	return file->distance;
}

/* ---- opening ---------------------------------------------------------------- */

static int file_check_header(const struct instr_file *file, struct instr_err *err)
{
	Elf64_Ehdr header = { 0 };
	ssize_t len = pread(file->fd, &header, sizeof(header), 0);

	if (len < 0)
		return err_errno(err, -errno, file->path);
	if (len < SELFMAG || memcmp(header.e_ident, ELFMAG, SELFMAG))
		return instr_fail(err, -ENOEXEC, "%s: not an ELF file", file->path);
	if (len < (ssize_t)sizeof(header))
		return file_corrupt(file, err, "it ends within its header");
	if (header.e_ident[EI_CLASS] == ELFCLASS32)
		return instr_fail(err, -EINVAL,
				  "%s: a 32-bit program; instr works on x86-64 ones",
				  file->path);
	if (header.e_ident[EI_CLASS] != ELFCLASS64)
		return file_corrupt(file, err, "it is neither 32-bit nor 64-bit");
	if (header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != EM_X86_64)
		return instr_fail(err, -EINVAL,
				  "%s: a program for another machine; instr works on x86-64 ones",
				  file->path);
	if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
		return instr_fail(err, -ENOEXEC,
				  "%s: an ELF file, but neither a program nor a library",
				  file->path);
	return 0;
}

static int file_read_segments(struct instr_file *file, struct instr_err *err)
{
	const Elf64_Ehdr *header = elf64_getehdr(file->elf);

	if (!header || elf_getphdrnum(file->elf, &file->nr_segments))
		return file_corrupt(file, err, elf_errmsg(-1));
	file->fixed = header->e_type == ET_EXEC;
	if (!file->nr_segments)
		return file_corrupt(file, err, "it has no program headers");
	file->segment = elf64_getphdr(file->elf);
	if (!file->segment)
		return file_corrupt(file, err, "its program headers are not all there");
	return 0;
}

/* Addresses that add up to no more than user space has: no sum below can wrap. */
static int file_check_segments(const struct instr_file *file, struct instr_err *err)
{
	const uint64_t limit = 1ULL << 47;
	uint64_t len = 0;

	for (size_t i = 0; i < file->nr_segments; i++) {
		const Elf64_Phdr *segment = &file->segment[i];

		if (segment->p_type != PT_LOAD)
			continue;
		if (segment->p_vaddr >= limit || segment->p_memsz >= limit ||
		    segment->p_offset >= limit || segment->p_filesz > segment->p_memsz)
			return file_corrupt(file, err, "a segment has an absurd place or size");
		if ((segment->p_vaddr - segment->p_offset) % PAGE)
			return file_corrupt(file, err, "a segment can't be mapped");
		len += segment_file_len(file, segment);
	}
	/* We keep a copy of each. */
	return len / 2 > file->size ? file_corrupt(file, err, "its segments overlap") : 0;
}

/* Linkers may put .init and .plt, or parts that are aligned on their own, beside it. */
static void file_choose_text(struct instr_file *file)
{
	for (size_t i = 0; i < file->nr_segments; i++) {
		const Elf64_Phdr *segment = &file->segment[i];

		if (segment->p_type == PT_LOAD && segment->p_flags & PF_X &&
		    (!file->text || segment->p_filesz > file->text->p_filesz))
			file->text = segment;
	}
}

static int file_find_text(struct instr_file *file, struct instr_err *err)
{
	file_choose_text(file);
	if (!file->text)
		return instr_fail(err, -ENOEXEC, "%s: there is no code in it", file->path);
	file->skew = file->text->p_vaddr - file->text->p_offset;
	file->text_len = segment_file_len(file, file->text);
	if (!file->text_len)
		return file_corrupt(file, err, "it ends before its code");
	return 0;
}

/* Not O_RDONLY alone: opening a fifo must not wait for its writer. */
static int file_open_fd(struct instr_file *file, struct instr_err *err)
{
	struct stat stat;

	file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (file->fd < 0 || fstat(file->fd, &stat))
		return err_errno(err, -errno, file->path);
	if (S_ISDIR(stat.st_mode))
		return err_errno(err, -EISDIR, file->path);
	if (!S_ISREG(stat.st_mode))
		return instr_fail(err, -ENOEXEC, "%s: not a regular file", file->path);
	file->size = (uint64_t)stat.st_size;
	return 0;
}

static int file_open_elf(const char *path, struct instr_file **ret, struct instr_err *err)
{
	CLEAN(file) struct instr_file *file = calloc(1, sizeof(*file));
	int code;

	if (!file)
		return err_memory(err);
	file->fd = -1;
	file->path = strdup(path);
	if (!file->path)
		return err_memory(err);
	code = file_open_fd(file, err);
	if (code)
		return code;
	code = file_check_header(file, err);
	if (code)
		return code;

	elf_version(EV_CURRENT);
	file->elf = elf_begin(file->fd, ELF_C_READ, NULL);
	if (!file->elf)
		return file_corrupt(file, err, elf_errmsg(-1));
	code = file_read_segments(file, err);
	if (code)
		return code;
	*ret = TAKE(file);
	return 0;
}

int file_open_debug(const char *path, struct instr_file **ret, struct instr_err *err)
{
	return file_open_elf(path, ret, err);
}

int instr_file_open(const char *path, struct instr_file **ret, struct instr_err *err)
{
	CLEAN(file) struct instr_file *file = NULL;
	int code;

	code = file_open_elf(path, &file, err);
	if (code)
		return code;
	code = file_check_segments(file, err);
	if (code)
		return code;
	code = file_find_text(file, err);
	if (code)
		return code;
	code = file_read_sections(file, err);
	if (code)
		return code;
	file_read_dynamic(file);
	file_read_build_id(file);
	file_choose_distances(file);
	*ret = TAKE(file);
	return 0;
}

void instr_file_close(struct instr_file *file)
{
	if (!file)
		return;
	func_table_destroy(file->funcs);
	free(file->pointer);
	instr_file_close(file->debug);
	for (size_t i = 0; i < file->nr_names; i++)
		free(file->names[i]);
	free(file->names);
	free(file->build_id);
	free(file->section);
	elf_end(file->elf);
	if (file->fd >= 0)
		close(file->fd);
	free(file->path);
	free(file);
}

/* ---- what it is ------------------------------------------------------------- */

const char *instr_file_path(const struct instr_file *file)
{
	return file->path;
}

const char *instr_file_soname(const struct instr_file *file)
{
	uint64_t at;

	return file_dynamic(file, DT_SONAME, &at) ? file_dynamic_string(file, at) : NULL;
}

const char *instr_file_interp(const struct instr_file *file)
{
	const Elf64_Phdr *segment = file_segment_of_type(file, PT_INTERP);

	if (!segment)
		return NULL;
	return file_string(file_bytes(file, segment->p_offset, segment->p_filesz),
			   segment->p_filesz, 0);
}

int instr_file_fd(const struct instr_file *file)
{
	return file->fd;
}

const char *instr_file_build_id(const struct instr_file *file)
{
	return file->build_id;
}

bool instr_file_fixed(const struct instr_file *file)
{
	return file->fixed;
}

uint64_t instr_file_text_vaddr(const struct instr_file *file, uint64_t offset)
{
	return offset + file->skew;
}

void instr_file_text(const struct instr_file *file, uint64_t *offset, uint64_t *len)
{
	*offset = file->text->p_offset;
	*len = file->text_len;
}

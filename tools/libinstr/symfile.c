// SPDX-License-Identifier: GPL-2.0
/*
 * Files of symbols.
 *
 * Slabs are farther from each other than 32 bits reach, so that what unwinds is not relative
 * to anything: addresses are whole. A debugger wants .eh_frame to have an address all the
 * same; it gets one that nothing can have.
 *
 * The file is emitted twice: once to see how long its parts are.
 */

#include "symfile.h"

#include <dwarf.h>
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "clean.h"
#include "emit.h"
#include "err.h"

#define ALIGN 8
#define NOWHERE (1ULL << 63)
#define RIP 16

/* Sections, behind the one that is none; slabs follow. */
enum { NOTE = 1, FRAMES, NAMES, TEXT, HEADS, SLABS };

struct layout {
	struct {
		uint64_t at, len;
	} part[SLABS];
	uint64_t headers;
};

/* It follows the file's header, so that it is found without looking at sections. */
static const struct {
	Elf64_Nhdr head;
	char name[8];
} note = { { .n_namesz = sizeof("instr"), .n_type = 1 }, "instr" };

static const char heads[] =
	"\0.note.instr\0.eh_frame\0.symtab\0.strtab\0.shstrtab\0.text";

static uint32_t head_of(const char *name)
{
	uint32_t at = 1;

	while (strcmp(heads + at, name))
		at += (uint32_t)strlen(heads + at) + 1;
	return at;
}

static void emit_u32(struct emit *emit, uint32_t value)
{
	emit_bytes(emit, &value, sizeof(value));
}

static void emit_u64(struct emit *emit, uint64_t value)
{
	emit_bytes(emit, &value, sizeof(value));
}

static void emit_align(struct emit *emit)
{
	while (emit->len % ALIGN)
		emit_byte(emit, 0);
}

/* ---- .eh_frame ------------------------------------------------------------------ */

/* Zeros are instructions that do nothing. */
static void emit_rules(struct emit *emit, const struct instr_symbols *symbols, size_t begin,
		       size_t at, size_t len)
{
	uint32_t entry_len;

	emit_bytes(emit, symbols->rules + at, len);
	emit_align(emit);
	entry_len = (uint32_t)(emit->len - begin - sizeof(entry_len));
	if (emit->bytes)
		memcpy(emit->bytes + begin, &entry_len, sizeof(entry_len));
}

static void emit_cie(struct emit *emit, const struct instr_symbols *symbols,
		     const struct symbols_cie *cie)
{
	static const char augmentation[] = "zR";
	size_t begin = emit->len;

	emit_u32(emit, 0);
	emit_u32(emit, 0);
	emit_byte(emit, 1);
	emit_bytes(emit, augmentation, sizeof(augmentation));
	emit_byte(emit, 1);
	emit_byte(emit, cie->data_align);
	emit_byte(emit, RIP);
	emit_byte(emit, 1);
	emit_byte(emit, DW_EH_PE_absptr);
	emit_rules(emit, symbols, begin, cie->rules, cie->rules_len);
}

static void emit_fde(struct emit *emit, const struct instr_symbols *symbols,
		     const struct symbols_fde *fde, size_t cie)
{
	size_t begin = emit->len;

	emit_u32(emit, 0);
	emit_u32(emit, (uint32_t)(emit->len - cie));
	emit_u64(emit, fde->range.start);
	emit_u64(emit, fde->range.len);
	emit_byte(emit, 0);
	emit_rules(emit, symbols, begin, fde->rules, fde->rules_len);
}

static void emit_frames(struct emit *emit, const struct instr_symbols *symbols)
{
	size_t cie[symbols->nr_cies + 1];

	for (size_t i = 0; i < symbols->nr_cies; i++) {
		cie[i] = emit->len;
		emit_cie(emit, symbols, &symbols->cie[i]);
	}
	for (size_t i = 0; i < symbols->nr_fdes; i++)
		emit_fde(emit, symbols, &symbols->fde[i], cie[symbols->fde[i].cie]);
	emit_u32(emit, 0);
}

/* ---- the other sections ----------------------------------------------------------- */

/* Local ones: who asks for a function by its name shall not get ours. */
static void emit_names(struct emit *emit, const struct instr_symbols *symbols)
{
	Elf64_Sym none = { 0 };

	emit_bytes(emit, &none, sizeof(none));
	for (size_t i = 0; i < symbols->nr_names; i++) {
		const struct symbols_name *name = &symbols->name[i];
		Elf64_Sym sym = {
			.st_name = name->name,
			.st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC),
			.st_shndx = (uint16_t)(SLABS + name->slab),
			.st_value = name->range.start,
			.st_size = name->range.len,
		};

		emit_bytes(emit, &sym, sizeof(sym));
	}
}

static void emit_headers(struct emit *emit, const struct instr_symbols *symbols,
			 const struct layout *layout)
{
	Elf64_Shdr part[SLABS] = {
		[NOTE] = { .sh_name = head_of(".note.instr"), .sh_type = SHT_NOTE },
		[FRAMES] = { .sh_name = head_of(".eh_frame"), .sh_type = SHT_PROGBITS,
			     .sh_flags = SHF_ALLOC, .sh_addr = NOWHERE },
		[NAMES] = { .sh_name = head_of(".symtab"), .sh_type = SHT_SYMTAB,
			    .sh_link = TEXT, .sh_info = (uint32_t)symbols->nr_names + 1,
			    .sh_entsize = sizeof(Elf64_Sym) },
		[TEXT] = { .sh_name = head_of(".strtab"), .sh_type = SHT_STRTAB },
		[HEADS] = { .sh_name = head_of(".shstrtab"), .sh_type = SHT_STRTAB },
	};

	for (size_t i = NOTE; i < SLABS; i++) {
		part[i].sh_offset = layout->part[i].at;
		part[i].sh_size = layout->part[i].len;
		part[i].sh_addralign = i == NOTE ? 4 : ALIGN;
	}
	emit_bytes(emit, part, sizeof(part));
	for (size_t i = 0; i < symbols->nr_slabs; i++) {
		Elf64_Shdr slab = {
			.sh_name = head_of(".text"),
			.sh_type = SHT_NOBITS,
			.sh_flags = SHF_ALLOC | SHF_EXECINSTR,
			.sh_addr = symbols->slab[i].start,
			.sh_offset = layout->headers,
			.sh_size = symbols->slab[i].len,
			.sh_addralign = 1,
		};

		emit_bytes(emit, &slab, sizeof(slab));
	}
}

static void emit_file_header(struct emit *emit, const struct instr_symbols *symbols,
			     const struct layout *layout)
{
	Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_shoff = layout->headers,
		.e_ehsize = sizeof(header),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = (uint16_t)(SLABS + symbols->nr_slabs),
		.e_shstrndx = HEADS,
	};

	emit_bytes(emit, &header, sizeof(header));
}

static void emit_part(struct emit *emit, const struct instr_symbols *symbols, int part)
{
	switch (part) {
	case NOTE:
		emit_bytes(emit, &note, sizeof(note));
		break;
	case FRAMES:
		emit_frames(emit, symbols);
		break;
	case NAMES:
		emit_names(emit, symbols);
		break;
	case TEXT:
		emit_bytes(emit, symbols->text, symbols->text_len);
		break;
	case HEADS:
		emit_bytes(emit, heads, sizeof(heads));
		break;
	}
}

/* @layout: as an earlier pass found it, and found again. */
static void emit_file(struct emit *emit, const struct instr_symbols *symbols,
		      struct layout *layout)
{
	emit_file_header(emit, symbols, layout);
	for (int i = NOTE; i < SLABS; i++) {
		emit_align(emit);
		layout->part[i].at = emit->len;
		emit_part(emit, symbols, i);
		layout->part[i].len = emit->len - layout->part[i].at;
	}
	emit_align(emit);
	layout->headers = emit->len;
	emit_headers(emit, symbols, layout);
}

int symfile_elf(const struct instr_symbols *symbols, uint8_t **ret, size_t *len,
		struct instr_err *err)
{
	struct emit emit = { 0 };
	struct layout layout = { 0 };

	if (symbols->nr_slabs > SYMFILE_SLABS_MAX)
		return instr_fail(err, -E2BIG, "there are too many slabs");
	emit_file(&emit, symbols, &layout);
	*ret = calloc(emit.len, 1);
	if (!*ret)
		return err_memory(err);
	emit = (struct emit){ .bytes = *ret };
	emit_file(&emit, symbols, &layout);
	*len = emit.len;
	return 0;
}

/* ---- perf ------------------------------------------------------------------------- */

int symfile_perf_map(const struct instr_symbols *symbols, uint8_t **ret, size_t *len,
		     struct instr_err *err)
{
	char *text;
	FILE *out = open_memstream(&text, len);

	if (!out)
		return err_memory(err);
	for (size_t i = 0; i < symbols->nr_names; i++) {
		const struct symbols_name *name = &symbols->name[i];

		fprintf(out, "%" PRIx64 " %" PRIx64 " %s\n", name->range.start, name->range.len,
			symbols->text + name->name);
	}
	if (fclose(out)) {
		free(text);
		return err_memory(err);
	}
	*ret = (uint8_t *)text;
	return 0;
}

/* ---- files that are there ----------------------------------------------------------- */

/* Each line of a map of ours ends in our suffix. */
static bool is_perf_map(const char *text)
{
	size_t len = strcspn(text, "\n"), suffix = strlen(SYMBOLS_SUFFIX);

	return text[len] && len > suffix &&
	       !memcmp(text + len - suffix, SYMBOLS_SUFFIX, suffix);
}

bool symfile_is_ours(int fd)
{
	char head[4096] = { 0 };
	ssize_t len = pread(fd, head, sizeof(head) - 1, 0);

	if (len < (ssize_t)(sizeof(Elf64_Ehdr) + sizeof(note)))
		return len > 0 && is_perf_map(head);
	if (!memcmp(head, ELFMAG, SELFMAG))
		return !memcmp(head + sizeof(Elf64_Ehdr), &note, sizeof(note));
	return is_perf_map(head);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Frames: the ranges that .eh_frame describes. They survive stripping, so they
 * are how functions without a symbol are found. This is the only file that uses
 * libdw. What the descriptions say of the stack is read by cfi.c.
 */

#include "frame.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>

#include "array.h"
#include "clean.h"
#include "err.h"
#include "file.h"

/* A copy of .eh_frame, and where it lies in memory. */
struct frame_data {
	const uint8_t *bytes;
	uint64_t len;
	uint64_t vaddr;
};

/* What the FDEs of one CIE have in common. */
struct frame_common {
	Dwarf_Off at;
	bool is_known;		/* else its FDEs can't be read */
	uint8_t encoding;	/* DW_EH_PE_ of their addresses */
	uint8_t landing_encoding;	/* ... of where their landing pads are listed */
	bool is_sized;		/* their augmentation has a length */
	bool is_signal;
	const uint8_t *rules, *rules_end;
	uint64_t code_align;
	int64_t data_align;
};

/* ---- encoded pointers ------------------------------------------------------- */

static size_t encoding_len(uint8_t encoding)
{
	switch (encoding & 0x0f) {
	case DW_EH_PE_udata2:
	case DW_EH_PE_sdata2:
		return 2;
	case DW_EH_PE_udata4:
	case DW_EH_PE_sdata4:
		return 4;
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		return 8;
	default:
		return 0;
	}
}

static uint64_t encoding_extend(uint8_t encoding, uint64_t value)
{
	switch (encoding & 0x0f) {
	case DW_EH_PE_sdata2:
		return (uint64_t)(int16_t)value;
	case DW_EH_PE_sdata4:
		return (uint64_t)(int32_t)value;
	default:
		return value;
	}
}

size_t frame_read_pointer(const uint8_t *bytes, const uint8_t *end, uint64_t vaddr,
			  uint8_t encoding, uint64_t *ret)
{
	size_t len = encoding_len(encoding);
	uint64_t value = 0;

	if (!len || end < bytes || (size_t)(end - bytes) < len)
		return 0;
	memcpy(&value, bytes, len);
	value = encoding_extend(encoding, value);

	switch (encoding & 0xf0) {
	case DW_EH_PE_absptr:
		break;
	case DW_EH_PE_pcrel:
		value += vaddr;
		break;
	default:
		return 0;
	}
	*ret = value;
	return len;
}

bool frame_read_uleb(const uint8_t **at, const uint8_t *end, uint64_t *ret)
{
	*ret = 0;
	for (unsigned int shift = 0; *at < end && shift < 63; shift += 7) {
		*ret |= (uint64_t)(**at & 0x7f) << shift;
		if (!(*(*at)++ & 0x80))
			return true;
	}
	return false;
}

/* ---- CIEs ------------------------------------------------------------------- */

/*
 * Walks the letters behind 'z'. An 'R' or 'S' behind an unknown letter can't be
 * found: the CIE is then not understood.
 */
static bool common_read_letters(struct frame_common *common, const char *letter,
				const uint8_t *data, const uint8_t *end)
{
	for (; *letter; letter++) {
		switch (*letter) {
		case 'S':
			common->is_signal = true;
			break;
		case 'B':
			break;
		case 'R':
			if (data >= end)
				return false;
			common->encoding = *data++;
			break;
		case 'L':
			if (data >= end)
				return false;
			common->landing_encoding = *data++;
			break;
		case 'P':
			if (data >= end || !encoding_len(*data))
				return false;
			data += 1 + encoding_len(*data);
			break;
		default:
			return false;
		}
	}
	return true;
}

static void common_read(struct frame_common *common, Dwarf_Off at, const Dwarf_CIE *cie)
{
	const uint8_t *data = cie->augmentation_data;

	*common = (struct frame_common){
		.at = at,
		.encoding = DW_EH_PE_absptr,
		.landing_encoding = DW_EH_PE_omit,
		.is_sized = cie->augmentation[0] == 'z',
		.rules = cie->initial_instructions,
		.rules_end = cie->initial_instructions_end,
		.code_align = cie->code_alignment_factor,
		.data_align = cie->data_alignment_factor,
	};
	if (!cie->augmentation[0])
		common->is_known = true;
	else if (cie->augmentation[0] == 'z' && data)
		common->is_known = common_read_letters(common, cie->augmentation + 1, data,
						       data + cie->augmentation_data_size);
}

/* ---- FDEs ------------------------------------------------------------------- */

/* A walk over .eh_frame. */
struct frame_walk {
	const struct instr_file *file;
	struct frame_data data;
	const unsigned char *ident;
	Elf_Data elf_data;
	struct frame_common common;
};

static bool walk_find_common(struct frame_walk *walk, Dwarf_Off at)
{
	Dwarf_CFI_Entry entry;
	Dwarf_Off next;

	if (walk->common.at == at)
		return walk->common.is_known;
	if (at >= walk->data.len ||
	    dwarf_next_cfi(walk->ident, &walk->elf_data, true, at, &next, &entry) ||
	    !dwarf_cfi_cie_p(&entry))
		return false;
	common_read(&walk->common, at, &entry.cie);
	return walk->common.is_known;
}

static bool starts_with(const uint8_t *code, const char *bytes, size_t len)
{
	return !memcmp(code, bytes, len);
}

/* An indirect jump through the GOT is all that a PLT begins with. */
static bool frame_is_plt(const struct instr_file *file, const struct frame *frame)
{
	const struct file_section *section = file_section_find(file, frame->start);

	if (section)
		return !strncmp(section->name, ".plt", 4);
	if (file->nr_sections)
		return false;

	uint64_t offset = frame->start - file->skew - file->text->p_offset;
	const uint8_t *code = file_text(file);

	if (!code || offset >= file->text_len || file->text_len - offset < 6)
		return false;
	code += offset;
	return starts_with(code, "\xff\x25", 2) || starts_with(code, "\xff\x35", 2) ||
	       starts_with(code, "\xf3\x0f\x1e\xfa\xf2\xff", 6) ||
	       starts_with(code, "\xf3\x0f\x1e\xfa\xff\x25", 6);
}

/* False: it is none that we can use. */
static bool walk_read_fde(struct frame_walk *walk, Dwarf_Off at, const Dwarf_FDE *fde,
			  struct frame *ret)
{
	uint64_t vaddr = walk->data.vaddr + (uint64_t)(fde->start - walk->data.bytes);
	const Elf64_Phdr *segment;
	uint64_t start, len;
	size_t size;

	if (!walk_find_common(walk, fde->CIE_pointer))
		return false;

	uint8_t encoding = walk->common.encoding;

	size = frame_read_pointer(fde->start, fde->end, vaddr, encoding, &start);
	if (!size || !frame_read_pointer(fde->start + size, fde->end, 0, encoding & 0x0f, &len))
		return false;
	segment = file_segment_find(walk->file, start);
	if (!start || !len || !segment ||
	    len > segment->p_memsz - (start - segment->p_vaddr))
		return false;

	*ret = (struct frame){
		.start = start,
		.end = start + len,
		.at = at,
		.is_signal = walk->common.is_signal,
	};
	return !frame_is_plt(walk->file, ret);
}

static int walk_run(struct frame_walk *walk, struct frame **ret, size_t *nr,
		    struct instr_err *err)
{
	CLEAN(free) struct frame *frame = NULL;
	Dwarf_CFI_Entry entry;
	Dwarf_Off at = 0, next;
	struct frame new;
	size_t found = 0;

	/* A negative result with a @next to go to is an entry to be skipped. */
	for (; at < walk->data.len; at = next) {
		next = at;

		int code = dwarf_next_cfi(walk->ident, &walk->elf_data, true, at, &next, &entry);

		if (code > 0 || next <= at || next == (Dwarf_Off)-1)
			break;
		if (code || dwarf_cfi_cie_p(&entry) ||
		    !walk_read_fde(walk, at, &entry.fde, &new))
			continue;
		if (!ARRAY_PUSH(frame, found, new))
			return err_memory(err);
	}
	*ret = TAKE(frame);
	*nr = found;
	return 0;
}

/* ---- finding it ------------------------------------------------------------- */

static bool data_by_section(const struct instr_file *file, struct frame_data *data)
{
	Elf64_Shdr header;

	if (!file_section_header(file, ".eh_frame", &header) || header.sh_type == SHT_NOBITS)
		return false;
	data->bytes = file_bytes(file, header.sh_offset, header.sh_size);
	data->len = header.sh_size;
	data->vaddr = header.sh_addr;
	return data->bytes;
}

/* The segment PT_GNU_EH_FRAME: a version, three encodings, then the pointer. */
static bool data_by_segment(const struct instr_file *file, struct frame_data *data)
{
	for (size_t i = 0; i < file->nr_segments; i++) {
		const Elf64_Phdr *segment = &file->segment[i];
		const uint8_t *head;

		if (segment->p_type != PT_GNU_EH_FRAME)
			continue;
		head = file_bytes(file, segment->p_offset, segment->p_filesz);
		if (!head || segment->p_filesz < 8 || head[0] != 1 ||
		    !frame_read_pointer(head + 4, head + segment->p_filesz,
					segment->p_vaddr + 4, head[1], &data->vaddr))
			return false;
		data->len = file_room_at(file, data->vaddr);
		data->bytes = file_bytes_at(file, data->vaddr, data->len);
		return data->bytes;
	}
	return false;
}

static int frame_compare(const void *a, const void *b)
{
	const struct frame *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->end > y->end) - (x->end < y->end);
}

/* ---- rules ------------------------------------------------------------------ */

/* The augmentation of a frame: all that is known to be in it is one pointer. */
static bool rules_read_landing(const struct frame_walk *walk, const uint8_t *at,
			       const uint8_t *end, struct frame_rules *ret)
{
	uint8_t encoding = walk->common.landing_encoding;
	const uint8_t *field = at;
	uint64_t vaddr = walk->data.vaddr + (uint64_t)(at - walk->data.bytes);

	ret->landing = 0;
	if (encoding == DW_EH_PE_omit)
		return true;
	/* Relative or not: a field of 0 says that there are none. */
	if (!frame_read_pointer(field, end, 0, encoding & 0x0f, &ret->landing))
		return false;
	return !ret->landing || frame_read_pointer(field, end, vaddr, encoding, &ret->landing);
}

static bool rules_read(struct frame_walk *walk, const Dwarf_FDE *fde, struct frame_rules *ret)
{
	const struct frame_common *common = &walk->common;
	const uint8_t *at = fde->start + 2 * encoding_len(common->encoding);
	uint64_t len = 0;

	*ret = (struct frame_rules){
		.common = common->rules,
		.common_end = common->rules_end,
		.own_end = fde->end,
		.code_align = common->code_align,
		.data_align = common->data_align,
	};
	if (at > fde->end || (common->is_sized && !frame_read_uleb(&at, fde->end, &len)) ||
	    len > (uint64_t)(fde->end - at))
		return false;
	ret->own = at + len;
	return rules_read_landing(walk, at, at + len, ret);
}

bool frame_rules_read(struct frame_walk *walk, const struct frame *frame,
		      struct frame_rules *ret)
{
	Dwarf_CFI_Entry entry;
	Dwarf_Off next;

	return !dwarf_next_cfi(walk->ident, &walk->elf_data, true, frame->at, &next, &entry) &&
	       !dwarf_cfi_cie_p(&entry) && walk_find_common(walk, entry.fde.CIE_pointer) &&
	       rules_read(walk, &entry.fde, ret);
}

/* ---- for others ------------------------------------------------------------- */

/* False: there is no .eh_frame. */
static bool walk_init(struct frame_walk *walk, const struct instr_file *file)
{
	*walk = (struct frame_walk){ .file = file, .common.at = (Dwarf_Off)-1 };
	if (!data_by_section(file, &walk->data) && !data_by_segment(file, &walk->data))
		return false;
	walk->ident = elf64_getehdr(file->elf)->e_ident;
	walk->elf_data = (Elf_Data){
		.d_buf = (void *)walk->data.bytes,
		.d_type = ELF_T_BYTE,
		.d_size = walk->data.len,
		.d_version = EV_CURRENT,
	};
	return true;
}

struct frame_walk *frame_walk_create(const struct instr_file *file)
{
	struct frame_walk *walk = malloc(sizeof(*walk));

	if (walk && !walk_init(walk, file)) {
		free(walk);
		walk = NULL;
	}
	return walk;
}

int frames_read(const struct instr_file *file, struct frame **ret, size_t *nr,
		struct instr_err *err)
{
	struct frame_walk walk;
	int code;

	*ret = NULL;
	*nr = 0;
	if (!walk_init(&walk, file))
		return 0;
	code = walk_run(&walk, ret, nr, err);
	if (!code && *nr)
		qsort(*ret, *nr, sizeof(**ret), frame_compare);
	return code;
}

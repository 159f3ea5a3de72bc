// SPDX-License-Identifier: GPL-2.0
/* | header, segment | text at SPACE_TEXT | symbols | names | sections | */

#include "elf.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "space.h"

enum { SECTION_NONE, SECTION_SYMBOLS, SECTION_NAMES, NR_SECTIONS };

static const char names[] = "\0f\0.symtab\0.strtab";

struct image {
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	Elf64_Shdr section[NR_SECTIONS];
	uint64_t symbols_at, names_at, sections_at;
};

static void image_set_header(struct image *image, bool fixed)
{
	Elf64_Ehdr *header = &image->header;

	memcpy(header->e_ident, ELFMAG "\2\1\1", 7);
	header->e_type = fixed ? ET_EXEC : ET_DYN;
	header->e_machine = EM_X86_64;
	header->e_version = EV_CURRENT;
	header->e_phoff = sizeof(*header);
	header->e_shoff = image->sections_at;
	header->e_ehsize = sizeof(*header);
	header->e_phentsize = sizeof(Elf64_Phdr);
	header->e_phnum = 1;
	header->e_shentsize = sizeof(Elf64_Shdr);
	header->e_shnum = NR_SECTIONS;
	header->e_shstrndx = SECTION_NAMES;
}

static void image_set_segment(struct image *image, size_t text_len, uint64_t base)
{
	image->segment = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_offset = SPACE_TEXT,
		.p_vaddr = base + SPACE_TEXT,
		.p_paddr = base + SPACE_TEXT,
		.p_filesz = text_len,
		.p_memsz = text_len,
		.p_align = 4096,
	};
}

static void image_set_sections(struct image *image, size_t nr)
{
	image->section[SECTION_SYMBOLS] = (Elf64_Shdr){
		.sh_name = 3,
		.sh_type = SHT_SYMTAB,
		.sh_offset = image->symbols_at,
		.sh_size = (nr + 1) * sizeof(Elf64_Sym),
		.sh_link = SECTION_NAMES,
		.sh_info = 1,
		.sh_addralign = 8,
		.sh_entsize = sizeof(Elf64_Sym),
	};
	image->section[SECTION_NAMES] = (Elf64_Shdr){
		.sh_name = 11,
		.sh_type = SHT_STRTAB,
		.sh_offset = image->names_at,
		.sh_size = sizeof(names),
		.sh_addralign = 1,
	};
}

static void write_symbols(Elf64_Sym *symbol, const struct elf_function *function, size_t nr,
			  uint64_t base)
{
	for (size_t i = 0; i < nr; i++)
		symbol[i + 1] = (Elf64_Sym){
			.st_name = 1,
			.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
			.st_shndx = SHN_ABS,
			.st_value = base + function[i].position,
			.st_size = function[i].size,
		};
}

static int memory_file(const void *bytes, size_t len)
{
	int fd = memfd_create("sequences", MFD_CLOEXEC);

	if (fd >= 0 && pwrite(fd, bytes, len, 0) != (ssize_t)len) {
		close(fd);
		return -1;
	}
	return fd;
}

int elf_create(const uint8_t *text, size_t text_len, const struct elf_function *function,
	       size_t nr, bool fixed)
{
	uint64_t base = fixed ? BASE_FIXED : 0;
	struct image image = { .symbols_at = SPACE_TEXT + ((text_len + 7) & ~7ULL) };
	uint8_t *bytes;
	size_t len;
	int fd;

	image.names_at = image.symbols_at + (nr + 1) * sizeof(Elf64_Sym);
	image.sections_at = (image.names_at + sizeof(names) + 7) & ~7ULL;
	len = image.sections_at + sizeof(image.section);
	bytes = calloc(1, len);
	if (!bytes)
		return -1;
	image_set_header(&image, fixed);
	image_set_segment(&image, text_len, base);
	image_set_sections(&image, nr);
	memcpy(bytes, &image.header, sizeof(image.header));
	memcpy(bytes + sizeof(image.header), &image.segment, sizeof(image.segment));
	memcpy(bytes + SPACE_TEXT, text, text_len);
	write_symbols((Elf64_Sym *)(bytes + image.symbols_at), function, nr, base);
	memcpy(bytes + image.names_at, names, sizeof(names));
	memcpy(bytes + image.sections_at, image.section, sizeof(image.section));
	fd = memory_file(bytes, len);
	free(bytes);
	return fd;
}

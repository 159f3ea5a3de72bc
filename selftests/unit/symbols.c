// SPDX-License-Identifier: GPL-2.0
/*
 * Symbols of slabs: what is told of the slab of a real file, and that whatever the bytes of
 * one are, all that is told is of that slab. The sanitizers watch.
 */

#include <dwarf.h>
#include <elf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clean.h"
#include "random.h"
#include "rules.h"
#include "slab.h"
#include "symfile.h"
#include "tap.h"
#include "unwinding.h"

#define BASE 0x7f1234560000ULL
#define PAGE 4096

static const char libc_path[] = "/lib/x86_64-linux-gnu/libc.so.6";
static const char small_path[] = "/bin/true";

/* A slab as it would be in a process whose offset 0 is at BASE. */
struct image {
	struct instr_file *file;
	struct instr_plan *plan;
	uint8_t *bytes, *annex;
	uint64_t start;
	uint32_t missing;	/* each page that this divides can't be read; 0: none */
};

static bool image_read(void *arg, uint64_t vaddr, void *to, size_t len)
{
	const struct image *image = arg;
	uint64_t at = vaddr - image->start, limit = image->plan->code_len;

	if (image->missing && at && (at / PAGE) % image->missing == 0)
		return false;
	if (!CHECK(at <= limit && len <= limit - at))
		return false;
	memcpy(to, image->bytes + at, len);
	return true;
}

/* @measure: INSTR_CALLS or another. */
static bool image_init(struct image *image, const char *path, enum instr_measure measure,
		       const char *glob)
{
	CLEAN(free) struct instr_place *place = NULL;
	struct instr_err err = { 0 };
	size_t nr;
	int code;

	*image = (struct image){ 0 };
	if (instr_file_open(path, &image->file, &err) ||
	    instr_places_match(image->file, &glob, 1, &place, &nr, &err))
		return false;
	code = measure == INSTR_CALLS ?
	       instr_plan_create(image->file, place, nr, *instr_distances(image->file),
				 &image->plan, &err) :
	       instr_plan_exits(image->file, measure, INSTR_WAY_AUTO, place, nr,
				*instr_distances(image->file), &image->plan, &err);
	if (code)
		return false;
	image->start = BASE + (uint64_t)image->plan->slab_start;
	image->bytes = calloc(image->plan->code_len, 1);
	for (size_t i = 0; i < image->plan->nr_chunks; i++) {
		const struct instr_chunk *chunk = &image->plan->chunk[i];

		if (chunk->offset < image->plan->code_len)
			memcpy(image->bytes + chunk->offset, chunk->bytes, chunk->len);
	}
	return true;
}

static void image_exit(struct image *image)
{
	free(image->bytes);
	instr_plan_destroy(image->plan);
	instr_file_close(image->file);
}

static struct symbols_slab image_slab(struct image *image)
{
	return (struct symbols_slab){
		.start = image->start,
		.len = image->plan->code_len,
		.file = image->file,
		.read = image_read,
		.arg = image,
	};
}

/* Of the slab that begins with @start. */
static const struct symbols_name *name_at(const struct instr_symbols *symbols, uint64_t vaddr)
{
	for (size_t i = 0; i < symbols->nr_names; i++) {
		if (vaddr == symbols->name[i].range.start)
			return &symbols->name[i];
	}
	return NULL;
}

static bool is_described(const struct instr_symbols *symbols, struct symbols_range range)
{
	for (size_t i = 0; i < symbols->nr_fdes; i++) {
		const struct symbols_range *fde = &symbols->fde[i].range;

		if (range.start >= fde->start && range.start + range.len <= fde->start + fde->len)
			return true;
	}
	return false;
}

static const char *text_of(const struct instr_symbols *symbols, const struct symbols_name *name)
{
	return symbols->text + name->name;
}

/* ---- what is told ------------------------------------------------------------------ */

static void check_site(const struct instr_symbols *symbols, const struct instr_plan_site *site)
{
	uint64_t block = BASE + (uint64_t)site->block, slot = BASE + (uint64_t)site->slot;
	const struct symbols_name *name = name_at(symbols, block);

	if (!CHECK(name) || !CHECK(name->range.len == site->block_len))
		return;
	CHECK(is_described(symbols, name->range));
	CHECK(site->how != INSTR_HOW_JUMP || name_at(symbols, slot));
}

static void timed_code_is_named_and_described(void)
{
	struct image image;
	struct instr_symbols symbols = { 0 };
	struct instr_err err = { 0 };
	bool found = false;

	if (!CHECK(image_init(&image, libc_path, INSTR_TIMES, "mem*")))
		return;

	struct symbols_slab slab = image_slab(&image);
	uint64_t base;

	CHECK(!symbols_base(&slab, &base, &err) && base == BASE);
	CHECK(!symbols_add(&symbols, &slab, &err));
	CHECK(symbols.nr_slabs == 1 && !symbols.nr_bare && !symbols.nr_broken);
	CHECK(symbols.nr_cies == 3);
	for (size_t i = 0; i < image.plan->nr; i++) {
		if (image.plan->site[i].how != INSTR_HOW_REFUSED)
			check_site(&symbols, &image.plan->site[i]);
	}
	for (size_t i = 0; i < symbols.nr_names; i++)
		found |= !strcmp(text_of(&symbols, &symbols.name[i]), "memmem" SYMBOLS_SUFFIX);
	CHECK(found);
	symbols_exit(&symbols);
	image_exit(&image);
}

/* By where they begin, or 0: the number of each site, and 1. */
static uint32_t *number_sites(const struct image *image)
{
	const struct instr_plan *plan = image->plan;
	uint32_t *number = calloc(plan->code_len, sizeof(*number));

	for (uint32_t i = 0; i < plan->nr; i++) {
		const struct instr_plan_site *site = &plan->site[i];
		const int64_t at[] = { site->slot, site->block, site->slow };

		for (int j = 0; j < 3 && site->how != INSTR_HOW_REFUSED; j++) {
			if (at[j] - plan->slab_start < (int64_t)plan->code_len)
				number[at[j] - plan->slab_start] = i + 1;
		}
	}
	return number;
}

/*
 * Slots of the plan, and what they lead to, under the right name. What a trap or the annex
 * leads to can't be known.
 */
static void counted_code_is_named(void)
{
	struct image image;
	struct instr_symbols symbols = { 0 };
	size_t nr = 0, nr_right = 0;

	if (!CHECK(image_init(&image, libc_path, INSTR_CALLS, "*")))
		return;

	CLEAN(free) uint32_t *number = number_sites(&image);
	struct symbols_slab slab = image_slab(&image);

	CHECK(!symbols_add(&symbols, &slab, NULL));
	CHECK(symbols.nr_fdes == 0 && symbols.nr_bare == symbols.nr_names);
	for (size_t i = 0; i < image.plan->nr; i++)
		nr += image.plan->site[i].how == INSTR_HOW_JUMP && !image.plan->site[i].annex;
	/* The first is the gate. */
	for (size_t i = 1; i < symbols.nr_names; i++) {
		const struct symbols_name *name = &symbols.name[i];
		uint32_t site = number[name->range.start - image.start];

		if (!CHECK(site))
			continue;

		struct instr_place_info info =
			instr_place_info(image.file, image.plan->site[site - 1].place);
		char text[1024];

		snprintf(text, sizeof(text), "%s" SYMBOLS_SUFFIX, info.name);
		CHECK(!strcmp(text, text_of(&symbols, name)));
		nr_right += name->range.start - image.start ==
			    (uint64_t)(image.plan->site[site - 1].slot - image.plan->slab_start);
	}
	printf("# %zu of %zu slots, %zu names\n", nr_right, nr, symbols.nr_names);
	CHECK(nr > 1000 && nr_right == nr);
	symbols_exit(&symbols);
	image_exit(&image);
}

/* ---- files ------------------------------------------------------------------------- */

static int file_of(const uint8_t *bytes, size_t len)
{
	int fd = memfd_create("symbols", 0);

	return write(fd, bytes, len) == (ssize_t)len ? fd : -1;
}

static void check_symbols(Elf *elf, Elf_Scn *section, const struct instr_symbols *symbols)
{
	Elf_Data *data = elf_getdata(section, NULL);
	GElf_Shdr header, own;
	GElf_Sym sym;

	gelf_getshdr(section, &header);
	CHECK(header.sh_size / header.sh_entsize == symbols->nr_names + 1);
	for (size_t i = 0; i < symbols->nr_names; i++) {
		gelf_getsym(data, (int)i + 1, &sym);
		gelf_getshdr(elf_getscn(elf, sym.st_shndx), &own);
		CHECK(sym.st_value >= own.sh_addr &&
		      sym.st_value + sym.st_size <= own.sh_addr + own.sh_size);
		CHECK(!strcmp(elf_strptr(elf, header.sh_link, sym.st_name),
			      text_of(symbols, &symbols->name[i])));
	}
}

/* As many as there are, each where it should be. */
static void check_frames(Elf *elf, Elf_Scn *section, const struct instr_symbols *symbols)
{
	Elf_Data *data = elf_getdata(section, NULL);
	Dwarf_CFI_Entry entry;
	Dwarf_Off offset = 0, next;
	size_t nr = 0;

	while (!dwarf_next_cfi((unsigned char *)elf_getident(elf, NULL), data, true, offset,
			       &next, &entry)) {
		offset = next;
		if (dwarf_cfi_cie_p(&entry))
			continue;
		CHECK(!memcmp(entry.fde.start, &symbols->fde[nr].range,
			      sizeof(symbols->fde[nr].range)));
		nr++;
	}
	CHECK(nr == symbols->nr_fdes);
}

static void check_sections(Elf *elf, const struct instr_symbols *symbols)
{
	unsigned int nr_text = 0, nr_symtab = 0, nr_frames = 0;
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t names;

	CHECK(!elf_getshdrstrndx(elf, &names));
	while ((section = elf_nextscn(elf, section))) {
		const char *name = elf_strptr(elf, names, gelf_getshdr(section, &header)->sh_name);

		if (!strcmp(name, ".text"))
			nr_text++;
		if (!strcmp(name, ".symtab") && ++nr_symtab)
			check_symbols(elf, section, symbols);
		if (!strcmp(name, ".eh_frame") && ++nr_frames)
			check_frames(elf, section, symbols);
	}
	CHECK(nr_text == symbols->nr_slabs && nr_symtab == 1 && nr_frames == 1);
}

/* It is silent where nothing is wrong. */
static void check_readelf(int fd)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "readelf -SsnW --debug-dump=frames-interp /proc/%d/fd/%d 2>&1 >/dev/null | grep -q .",
		 getpid(), fd);
	CHECK(WEXITSTATUS(system(command)) == 1);
}

static void the_file_is_one(void)
{
	struct image timed, counted;
	struct instr_symbols symbols = { 0 };
	struct instr_err err = { 0 };
	uint8_t *bytes;
	size_t len;
	int fd;

	if (!CHECK(image_init(&timed, libc_path, INSTR_TIMES, "mem*")) ||
	    !CHECK(image_init(&counted, libc_path, INSTR_CALLS, "str*")))
		return;
	counted.start += 1ULL << 40;

	struct symbols_slab slab[2] = { image_slab(&timed), image_slab(&counted) };

	for (int i = 0; i < 2; i++)
		CHECK(!symbols_add(&symbols, &slab[i], &err));
	if (!CHECK(!symfile_elf(&symbols, &bytes, &len, &err)))
		return;
	fd = file_of(bytes, len);
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	check_sections(elf, &symbols);
	elf_end(elf);
	check_readelf(fd);
	CHECK(symfile_is_ours(fd));
	close(fd);
	free(bytes);

	CHECK(!symfile_perf_map(&symbols, &bytes, &len, &err));
	fd = file_of(bytes, len);
	CHECK(symfile_is_ours(fd));
	CHECK(memmem(bytes, len, " memmem" SYMBOLS_SUFFIX "\n", 15 + strlen(SYMBOLS_SUFFIX) - 7));
	close(fd);
	free(bytes);
	symbols_exit(&symbols);
	image_exit(&timed);
	image_exit(&counted);
}

static void other_files_are_not_ours(void)
{
	static const char *const texts[] = { "", "\n", "7f00 10 jitted\n7f10 10 more" SYMBOLS_SUFFIX "\n",
					     SYMBOLS_SUFFIX "\n", "\x7f" "ELF" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		int fd = file_of((const uint8_t *)texts[i], strlen(texts[i]));

		CHECK(!symfile_is_ours(fd));
		close(fd);
	}
	int fd = open(libc_path, O_RDONLY);

	CHECK(!symfile_is_ours(fd));
	close(fd);
}

/* ---- rules --------------------------------------------------------------------------- */

#define SANE(...) ({							\
	const uint8_t __rules[] = { __VA_ARGS__ };			\
	rules_are_sane(__rules, sizeof(__rules));			\
})
#define EXPRESSION(len, ...) SANE(DW_CFA_val_expression, 16, len, __VA_ARGS__)

static void rules_that_do_not_end_are_refused(void)
{
	CHECK(SANE(DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1, DW_CFA_nop));
	CHECK(!SANE(DW_CFA_def_cfa, 7));
	CHECK(!SANE(DW_CFA_def_cfa, 7, 0x80));
	CHECK(!SANE(DW_CFA_def_cfa, 0xff, 0x7f, 8));
	CHECK(!SANE(DW_CFA_set_loc, 0, 0, 0, 0, 0, 0, 0, 0));
	CHECK(!SANE(0x3f));
	CHECK(EXPRESSION(2, DW_OP_breg16, 0));
	CHECK(!EXPRESSION(3, DW_OP_breg16, 0));
	CHECK(!EXPRESSION(1, DW_OP_breg16, 0));
	CHECK(!EXPRESSION(0));
	CHECK(!EXPRESSION(1, DW_OP_call_frame_cfa));
	CHECK(EXPRESSION(5, DW_OP_lit0, DW_OP_skip, 1, 0, DW_OP_nop));
	CHECK(!EXPRESSION(5, DW_OP_lit0, DW_OP_skip, 2, 0, DW_OP_nop));
	CHECK(!EXPRESSION(5, DW_OP_lit0, DW_OP_skip, 0xfd, 0xff, DW_OP_nop));
	/* Into an operand. */
	CHECK(!EXPRESSION(6, DW_OP_lit0, DW_OP_skip, 1, 0, DW_OP_const1u, 0));
}

/* ---- lies ---------------------------------------------------------------------------- */

static bool is_inside(const struct image *image, struct symbols_range range)
{
	uint64_t at = range.start - image->start, limit = image->plan->code_len;

	return at < limit && range.len && range.len <= limit - at;
}

static unsigned int nr_broken, nr_described;

static void survive(struct image *image)
{
	struct symbols_slab slab = image_slab(image);
	struct instr_symbols symbols = { 0 };
	struct instr_err err = { 0 };
	uint8_t *bytes;
	size_t len;

	if (symbols_add(&symbols, &slab, &err)) {
		CHECK(err.code == -EINVAL && !symbols.nr_slabs);
		symbols_exit(&symbols);
		return;
	}
	for (size_t i = 0; i < symbols.nr_names; i++)
		CHECK(is_inside(image, symbols.name[i].range) &&
		      !strchr(text_of(&symbols, &symbols.name[i]), '\n'));
	for (size_t i = 0; i < symbols.nr_fdes; i++)
		CHECK(is_inside(image, symbols.fde[i].range) &&
		      symbols.fde[i].cie < symbols.nr_cies &&
		      rules_are_sane(symbols.rules + symbols.fde[i].rules,
				     symbols.fde[i].rules_len));
	if (CHECK(!symfile_elf(&symbols, &bytes, &len, &err)))
		free(bytes);
	if (CHECK(!symfile_perf_map(&symbols, &bytes, &len, &err)))
		free(bytes);
	nr_broken += symbols.nr_broken;
	nr_described += symbols.nr_fdes;
	symbols_exit(&symbols);
}

static void change(struct image *image, uint64_t at, uint64_t len, unsigned int times)
{
	static const uint8_t odd[] = { 0, 1, 0x7f, 0x80, 0xff };
	CLEAN(free) uint8_t *saved = malloc(len);

	memcpy(saved, image->bytes + at, len);
	while (times--) {
		for (uint32_t n = random_next() % 4 + 1; n; n--) {
			uint32_t value = random_next();

			image->bytes[at + random_next() % len] =
				value & 0x100 ? odd[value % sizeof(odd)] : (uint8_t)value;
		}
		image->missing = random_next() % 8 ? 0 : random_next() % 16;
		survive(image);
		memcpy(image->bytes + at, saved, len);
	}
}

static void lies_of_timed_slabs_are_survived(void)
{
	struct image image;

	if (!CHECK(image_init(&image, small_path, INSTR_TIMES, "*")))
		return;

	const struct instr_plan *plan = image.plan;

	change(&image, 0, sizeof(struct instr_descriptor), 200);
	change(&image, plan->unwind, sizeof(struct unwind_head), 300);
	change(&image, plan->unwind + UNWIND_FIND_AT, UNWIND_LEN - UNWIND_FIND_AT, 500);
	for (uint32_t i = 0; i < plan->nr_cells; i++)
		change(&image, plan->cells + i * sizeof(struct instr_cell),
		       sizeof(struct instr_cell), 1000 / plan->nr_cells + 1);
	printf("# %u descriptions taken, %u not\n", nr_described, nr_broken);
	CHECK(nr_broken > 500 && nr_described > 1000);
	image_exit(&image);
}

/* Each byte of a description alone, in each of some ways. */
static void each_byte_of_a_description(void)
{
	struct image image;

	if (!CHECK(image_init(&image, small_path, INSTR_TIMES, "*")))
		return;

	uint64_t cell = image.plan->cells;
	uint16_t at;

	memcpy(&at, image.bytes + cell + UNWIND_OF_CELL, sizeof(at));
	for (uint64_t i = cell; i < cell + sizeof(struct instr_cell); i++) {
		uint8_t was = image.bytes[i];

		if (i >= cell + sizeof(struct instr_cell) - sizeof(((struct instr_cell *)0)->code) &&
		    i < cell + at)
			continue;
		for (unsigned int value = 0; value < 256; value += 51) {
			image.bytes[i] = (uint8_t)value;
			survive(&image);
		}
		image.bytes[i] = was;
	}
	image_exit(&image);
}

static void lies_of_counting_slabs_are_survived(void)
{
	struct image image;

	if (!CHECK(image_init(&image, small_path, INSTR_CALLS, "*")))
		return;
	change(&image, 0, sizeof(struct instr_descriptor), 200);
	change(&image, 0, image.plan->code_len, 200);
	/* Chains of jumps anywhere. */
	for (uint64_t i = PAGE; i < image.plan->code_len; i++)
		image.bytes[i] = (uint8_t)(random_next() % 3 ? 0xe9 : random_next());
	survive(&image);
	image_exit(&image);
}

int main(void)
{
	random_state = 54321;
	RUN(timed_code_is_named_and_described);
	RUN(counted_code_is_named);
	RUN(the_file_is_one);
	RUN(other_files_are_not_ours);
	RUN(rules_that_do_not_end_are_refused);
	RUN(lies_of_timed_slabs_are_survived);
	RUN(each_byte_of_a_description);
	RUN(lies_of_counting_slabs_are_survived);
	return tap_done();
}

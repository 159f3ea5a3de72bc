// SPDX-License-Identifier: GPL-2.0
/*
 * Programs of Go: how functions look at their stack; those of stripped programs, as Debian's
 * are, in all formats of their table that there are, and in tables that lie. The sanitizers
 * watch.
 */

#include <elf.h>
#include <string.h>

#include "clean.h"
#include "functions.h"
#include "go.h"
#include "random.h"
#include "scratch.h"
#include "tap.h"

static const char gofmt_path[] = "/usr/bin/gofmt";

static struct scratch scratch;
static Elf64_Shdr table;		/* of the scratch file */
static uint64_t text;			/* where its functions begin */

static bool scratch_open(void)
{
	const Elf64_Ehdr *header;
	const Elf64_Shdr *section;
	const char *names;

	if (!scratch_read(&scratch, gofmt_path) ||
	    !scratch_write(&scratch, scratch.bytes, scratch.len))
		return false;
	header = (const Elf64_Ehdr *)scratch.bytes;
	section = (const Elf64_Shdr *)(scratch.bytes + header->e_shoff);
	names = (const char *)scratch.bytes + section[header->e_shstrndx].sh_offset;
	for (int i = 0; i < header->e_shnum; i++) {
		if (!strcmp(names + section[i].sh_name, ".gopclntab"))
			table = section[i];
		if (!strcmp(names + section[i].sh_name, ".text"))
			text = section[i].sh_addr;
	}
	return table.sh_size && text;
}

#define LOOK(...) ({							\
	const uint8_t __code[] = { __VA_ARGS__ };			\
	unsigned int __len = go_look_len(__code, sizeof(__code));	\
	/* And nothing that is cut off. */				\
	for (size_t i = 0; __len && i < __len; i++)			\
		CHECK(!go_look_len(__code, i));				\
	__len;								\
})

/* cmp 16(%r14),%rsp; %r12; and cmp 16(%rcx),%rsp */
#define CMP_RSP	0x49, 0x3b, 0x66, 0x10
#define CMP_R12	0x4d, 0x3b, 0x66, 0x10
#define CMP_TLS	0x48, 0x3b, 0x61, 0x10
#define LOAD_TLS 0x64, 0x48, 0x8b, 0x0c, 0x25, 0xf8, 0xff, 0xff, 0xff
#define JBE8	0x76, 0x55
#define JBE32	0x0f, 0x86, 1, 2, 0, 0
#define JB32	0x0f, 0x82, 1, 2, 0, 0
#define BEHIND	0x48, 0x83, 0xec, 0x30, 0x90, 0x90, 0x90, 0x90

static void looks_are_known(void)
{
	CHECK(LOOK(CMP_RSP, JBE8, BEHIND) == 6);
	CHECK(LOOK(CMP_RSP, JBE32, BEHIND) == 10);
	CHECK(LOOK(0x4c, 0x8d, 0x64, 0x24, 0xf8, CMP_R12, JBE8, BEHIND) == 11);
	CHECK(LOOK(0x4c, 0x8d, 0xa4, 0x24, 0, 0xf8, 0xff, 0xff, CMP_R12, JBE32, BEHIND) == 18);
	CHECK(LOOK(0x49, 0x89, 0xe4, 0x49, 0x81, 0xec, 0, 0x20, 0, 0, JB32, CMP_R12, JBE32,
		   BEHIND) == 26);
	CHECK(LOOK(0x49, 0x89, 0xe4, 0x49, 0x81, 0xec, 0, 0x20, 0, 0, 0x72, 9, CMP_R12, JBE8,
		   BEHIND) == 18);
	CHECK(LOOK(LOAD_TLS, CMP_TLS, JBE8, BEHIND) == 15);
	/* Others than "below", or nothing behind it. */
	CHECK(!LOOK(CMP_RSP, 0x77, 0x55, BEHIND));
	CHECK(!LOOK(0x49, 0x89, 0xe4, 0x49, 0x81, 0xec, 0, 0x20, 0, 0, CMP_R12, JBE32, BEHIND));
	CHECK(!LOOK(BEHIND));
	CHECK(go_look_has_goroutine((const uint8_t[]){ CMP_RSP, JBE8 }));
	CHECK(!go_look_has_goroutine((const uint8_t[]){ LOAD_TLS, CMP_TLS, JBE8 }));
}

static void functions_of_a_stripped_program_have_names(void)
{
	CLEAN(file) struct instr_file *file = functions_open(gofmt_path);

	if (!CHECK(file && scratch_open()))
		return;
	CHECK(nr > 2000);
	CHECK(find("main.main") && find("main.main")->source == INSTR_FROM_PCLNTAB);
	CHECK(find("go/parser.(*parser).parseFile") && find("runtime.memmove"));
	CHECK(find("main.main") && find("main.main")->size > 16 && find("main.main")->size < 4096);
}

/* ---- formats --------------------------------------------------------------------------- */

/* The table is written to the scratch file, and opened. */
static struct instr_file *open_table(const void *bytes, size_t len)
{
	if (pwrite(scratch.fd, bytes, len, (off_t)table.sh_offset) != (ssize_t)len)
		return NULL;
	return functions_open(scratch.path);
}

#define HEAD(magic)	(magic), 0x08010000
#define WORD(value)	(uint32_t)(value), (uint32_t)((uint64_t)(value) >> 32)

/* "one" at 64 bytes behind where the text begins, "two" at 128, up to 192. */
static void check_functions(const char *format, const uint32_t *words, size_t len)
{
	CLEAN(file) struct instr_file *file = open_table(words, len);
	bool good = file && nr == 2 && !strcmp(func[0].name, "one") &&
		    !strcmp(func[1].name, "two") && func[0].vaddr == text + 64 &&
		    func[0].size == 64 && func[1].vaddr == text + 128 && func[1].size == 64;

	if (!CHECK(good))
		printf("# %s: %zu functions\n", format, nr);
}

static void all_formats_are_known(void)
{
	const uint32_t names[] = { 0x656e6f00, 0x6f777400, 0, 0 };	/* "", "one", "two" */
	uint32_t go12[] = {
		HEAD(0xfffffffb), WORD(2),
		WORD(text + 64), WORD(56), WORD(text + 128), WORD(68), WORD(text + 192),
		WORD(text + 64), 81, WORD(text + 128), 85,
		names[0], names[1], names[2], names[3],
	};
	uint32_t go116[] = {
		HEAD(0xfffffffa), WORD(2), WORD(0), WORD(64), WORD(0), WORD(0), WORD(0), WORD(80),
		names[0], names[1], names[2], names[3],
		WORD(text + 64), WORD(40), WORD(text + 128), WORD(52), WORD(text + 192),
		WORD(text + 64), 1, WORD(text + 128), 5,
	};
	uint32_t go118[] = {
		HEAD(0xfffffff0), WORD(2), WORD(0), WORD(text), WORD(72), WORD(0), WORD(0),
		WORD(0), WORD(88),
		names[0], names[1], names[2], names[3],
		64, 20, 128, 28, 192,
		64, 1, 128, 5,
	};

	check_functions("1.2", go12, sizeof(go12));
	check_functions("1.16", go116, sizeof(go116));
	check_functions("1.18", go118, sizeof(go118));
	go118[0] = 0xfffffff1;
	check_functions("1.20", go118, sizeof(go118));
	go118[0] = 0xffffffff;

	CLEAN(file) struct instr_file *file = open_table(go118, sizeof(go118));

	CHECK(file && !find("one"));
}

/* ---- lies ------------------------------------------------------------------------------ */

static bool list_is_sound(const struct instr_file *file)
{
	uint64_t offset, len;

	instr_file_text(file, &offset, &len);
	for (size_t i = 0; i < nr; i++) {
		if (!*func[i].name || !func[i].size || func[i].offset < offset ||
		    func[i].offset - offset >= len)
			return false;
		if (i && func[i].vaddr < func[i - 1].vaddr)
			return false;
	}
	return true;
}

static void tables_that_lie_do_no_harm(void)
{
	const uint8_t *whole = scratch.bytes + table.sh_offset;
	size_t len = 256 << 10;
	uint8_t *bytes = malloc(len);

	for (int i = 0; i < 200; i++) {
		memcpy(bytes, whole, len);
		for (int n = 0; n < 4; n++) {
			/* Half of them in the header. */
			size_t at = random_next() % (n % 2 ? 72 : len - 8);
			uint32_t value = random_next() >> random_next() % 32;

			memcpy(bytes + at, &value, random_next() % 4 + 1);
		}

		CLEAN(file) struct instr_file *file = open_table(bytes, len);

		if (!CHECK(file && list_is_sound(file)))
			break;
	}
	free(bytes);
}

int main(void)
{
	RUN(looks_are_known);
	if (access(gofmt_path, R_OK)) {
		printf("# there is no %s\n", gofmt_path);
		return tap_done();
	}
	RUN(functions_of_a_stripped_program_have_names);
	RUN(all_formats_are_known);
	RUN(tables_that_lie_do_no_harm);
	scratch_exit(&scratch);
	return tap_done();
}

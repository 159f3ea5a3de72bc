// SPDX-License-Identifier: GPL-2.0
#include "go.h"

#include <string.h>

#include "file.h"

/* What is compared with the limit, RSP or less; R14, or thread-local memory, leads to that. */
static const struct {
	unsigned int len;
	unsigned int any;	/* bytes at the end that may be anything */
	bool borrows;		/* there is a branch for a frame that is larger than RSP */
	uint8_t bytes[10];
} below[] = {
	{ 0, 0, false, { 0 } },
	{ 5, 1, false, { 0x4c, 0x8d, 0x64, 0x24 } },		/* lea -n(%rsp),%r12 */
	{ 8, 4, false, { 0x4c, 0x8d, 0xa4, 0x24 } },
	/* mov %rsp,%r12; sub $n,%r12; jb */
	{ 10, 4, true, { 0x49, 0x89, 0xe4, 0x49, 0x81, 0xec } },
	{ 9, 0, false, { 0x64, 0x48, 0x8b, 0x0c, 0x25, 0xf8, 0xff, 0xff, 0xff } },
};

static const uint8_t compare[][4] = {
	{ 0x49, 0x3b, 0x66, 0x10 },				/* cmp 16(%r14),%rsp */
	{ 0x4d, 0x3b, 0x66, 0x10 },				/* cmp 16(%r14),%r12 */
	{ 0x48, 0x3b, 0x61, 0x10 },				/* cmp 16(%rcx),%rsp */
};

#define COMPARE_LEN sizeof(compare[0])

bool go_made(const struct instr_file *file)
{
	Elf64_Shdr header;

	return file_section_header(file, ".gopclntab", &header) ||
	       file_section_header(file, ".note.go.buildid", &header);
}

#define JB	0x72
#define JBE	0x76

static unsigned int branch_len(const uint8_t *code, uint64_t len, uint8_t opcode)
{
	if (len >= 2 && code[0] == opcode)
		return 2;
	return len >= 6 && code[0] == 0x0f && code[1] == opcode + 0x10 ? 6 : 0;
}

static unsigned int look_len_behind(const uint8_t *code, uint64_t len, unsigned int at)
{
	unsigned int branch;

	if (len < at + COMPARE_LEN)
		return 0;
	for (size_t i = 0; i < sizeof(compare) / sizeof(compare[0]); i++) {
		if (memcmp(code + at, compare[i], COMPARE_LEN))
			continue;
		at += COMPARE_LEN;
		branch = branch_len(code + at, len - at, JBE);
		return branch ? at + branch : 0;
	}
	return 0;
}

bool go_look_has_goroutine(const uint8_t *code)
{
	return code[0] != 0x64;
}

unsigned int go_look_len(const uint8_t *code, uint64_t len)
{
	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
		unsigned int at = below[i].len, found = 0;

		if (len < at || memcmp(code, below[i].bytes, at - below[i].any))
			continue;
		if (below[i].borrows)
			found = branch_len(code + at, len - at, JB);
		if (below[i].borrows && !found)
			continue;
		found = look_len_behind(code, len, at + found);
		if (found)
			return found;
	}
	return 0;
}

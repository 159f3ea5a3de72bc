// SPDX-License-Identifier: GPL-2.0
#include "go.h"

#include <string.h>

#include "file.h"

/* What is compared with the limit, RSP or less; R14, or thread-local memory, leads to that. */
static const struct {
	unsigned int len;
	unsigned int any;	/* bytes at the end that may be anything */
	uint8_t bytes[9];
} below[] = {
	{ 0, 0, { 0 } },
	{ 5, 1, { 0x4c, 0x8d, 0x64, 0x24 } },			/* lea -n(%rsp),%r12 */
	{ 8, 4, { 0x4c, 0x8d, 0xa4, 0x24 } },
	{ 9, 0, { 0x64, 0x48, 0x8b, 0x0c, 0x25, 0xf8, 0xff, 0xff, 0xff } },
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

/* jbe */
static unsigned int branch_len(const uint8_t *code, uint64_t len)
{
	if (len >= 2 && code[0] == 0x76)
		return 2;
	return len >= 6 && code[0] == 0x0f && code[1] == 0x86 ? 6 : 0;
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
		branch = branch_len(code + at, len - at);
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
		unsigned int found;

		if (len < below[i].len ||
		    memcmp(code, below[i].bytes, below[i].len - below[i].any))
			continue;
		found = look_len_behind(code, len, below[i].len);
		if (found)
			return found;
	}
	return 0;
}

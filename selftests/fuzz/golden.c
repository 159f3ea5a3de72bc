// SPDX-License-Identifier: GPL-2.0
/*
 * golden [-r] FILE: each line of FILE is
 *
 *	NAME DISTANCE BYTES = HOW
 *
 * (the distance: cc, or e8cc with the annex e8) and says what becomes of a function of
 * these bytes: jump or trap, the patch, whether
 * the flags are kept, and the instructions as they are moved, with what they lead to
 * in place of a displacement: {+0x10} is 16 bytes behind the entry. With -r, HOW is
 * written anew.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batch.h"
#include "insn.h"

#define LINE_MAX_LEN	1024
#define OTHER_AT	256
#define TEXT_LEN	(OTHER_AT + 16)

static unsigned int nr_cases, nr_failed;

/* ---- what it becomes -------------------------------------------------------- */

static void print_hex(FILE *to, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		fprintf(to, "%02x", bytes[i]);
}

/* Where in the instruction there are 32 bits that are relative; 0: nowhere. */
static unsigned int relative_at(const struct insn *insn)
{
	bool is_branch = insn->kind == INSN_JMP || insn->kind == INSN_JCC ||
			 insn->kind == INSN_CALL;

	if (is_branch && insn->len - insn->opcode_at >= 5)
		return insn->len - 4;
	return insn->operand_at;
}

/* The instruction at @position, seen from @from. */
static void print_insn(FILE *to, const uint8_t *bytes, const struct insn *insn,
		       int64_t position, int64_t from)
{
	unsigned int at = relative_at(insn);
	int32_t value;

	if (!at) {
		print_hex(to, bytes, insn->len);
		return;
	}
	memcpy(&value, bytes + at, sizeof(value));

	long long distance = position + insn->len + value - from;

	print_hex(to, bytes, at);
	fprintf(to, "{%c0x%llx}", distance < 0 ? '-' : '+', llabs(distance));
	print_hex(to, bytes + at + sizeof(value), insn->len - at - sizeof(value));
}

/* [at, end) of the block. */
static void print_block(FILE *to, const struct instr_plan *plan,
			const struct instr_plan_site *site, unsigned int at, unsigned int end)
{
	const uint8_t *block = instr_plan_block(plan, site);
	struct insn insn;

	for (; at < end; at += insn.len) {
		if (!insn_decode(block + at, end - at, &insn))
			return;
		print_insn(to, block + at, &insn, site->block + at, (int64_t)site->offset);
	}
}

static void print_site(FILE *to, const struct instr_plan *plan,
		       const struct instr_plan_site *site)
{
	unsigned int end = site->displaced_at;

	fprintf(to, "%s", instr_how_name(site->how));
	if (site->reason)
		fprintf(to, " (%s)", instr_reason_text(site->reason));
	if (site->how == INSTR_HOW_REFUSED)
		return;
	fprintf(to, " ");
	print_hex(to, site->new, site->patch_len);
	fprintf(to, "%s flags %s", site->fragile ? " fragile" : "",
		site->flags_live ? "live" : "dead");
	for (size_t i = 0; i < site->nr_moved; i++) {
		end = site->moved[i].new_at + site->moved[i].new_len;
		fprintf(to, " | ");
		print_block(to, plan, site, site->moved[i].new_at, end);
	}
	if (end < site->block_len) {
		fprintf(to, " | ");
		print_block(to, plan, site, end, site->block_len);
	}
}

/* ---- cases ------------------------------------------------------------------ */

static size_t parse_hex(const char *hex, uint8_t *bytes, size_t max)
{
	size_t len = strlen(hex) / 2;
	unsigned int byte;

	for (size_t i = 0; i < len && i < max; i++) {
		sscanf(hex + 2 * i, "%2x", &byte);
		bytes[i] = (uint8_t)byte;
	}
	return len < max ? len : max;
}

/* A function of those bytes in a file of its own; padding follows, and another one. */
static int plan_bytes(struct batch *batch, unsigned int tops, const char *hex,
		      struct instr_err *err)
{
	struct instr_distance distance = { (uint8_t)tops, (uint8_t)(tops >> 8) };
	size_t len;

	memset(batch, 0, sizeof(*batch));
	batch->fixed = distance.top == 0x61;
	batch->text = malloc(TEXT_LEN);
	if (!batch->text)
		return instr_fail(err, -ENOMEM, "no memory");
	memset(batch->text, 0xcc, OTHER_AT);
	memset(batch->text + OTHER_AT, 0x90, TEXT_LEN - OTHER_AT);
	batch->text_len = TEXT_LEN;
	len = parse_hex(hex, batch->text, OTHER_AT);
	batch->function[batch->nr++] = (struct elf_function){ SPACE_TEXT, len };
	batch->function[batch->nr++] = (struct elf_function){ SPACE_TEXT + OTHER_AT, 16 };
	return batch_plan(batch, distance, err);
}

static void print_case(FILE *to, unsigned int tops, const char *hex)
{
	static struct batch batch;
	struct instr_err err;

	if (plan_bytes(&batch, tops, hex, &err))
		fprintf(to, "%s", err.text);
	else
		print_site(to, batch.plan, &batch.plan->site[0]);
	batch_destroy(&batch);
}

static void check_line(char *line, FILE *to)
{
	char name[64], hex[256], *now;
	const char *expected = strstr(line, " = ");
	unsigned int top;
	size_t len;

	if (line[0] == '#' || sscanf(line, "%63s %x %255s", name, &top, hex) != 3) {
		if (to)
			fprintf(to, "%s\n", line);
		return;
	}

	FILE *memory = open_memstream(&now, &len);

	print_case(memory, top, hex);
	fclose(memory);
	nr_cases++;
	if (to) {
		fprintf(to, "%s %02x %s = %s\n", name, top, hex, now);
	} else if (!expected || strcmp(expected + 3, now)) {
		printf("# %s %02x %s\n#  was %s\n#  now %s\n", name, top, hex,
		       expected ? expected + 3 : "nothing", now);
		nr_failed++;
	}
	free(now);
}

static bool check_file(const char *path, FILE *to)
{
	FILE *from = fopen(path, "r");
	char line[LINE_MAX_LEN];

	if (!from)
		return false;
	while (fgets(line, sizeof(line), from)) {
		line[strcspn(line, "\n")] = '\0';
		check_line(line, to);
	}
	fclose(from);
	return true;
}

static bool rebase(const char *path)
{
	char temporary[256];
	FILE *to;
	bool good;

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	to = fopen(temporary, "w");
	good = to && check_file(path, to);
	if (to)
		good &= !fclose(to);
	return good && !rename(temporary, path);
}

int main(int argc, char **argv)
{
	bool again = argc == 3 && !strcmp(argv[1], "-r");
	bool good;

	if (argc != 2 && !again) {
		fprintf(stderr, "usage: golden [-r] FILE\n");
		return 2;
	}
	good = again ? rebase(argv[2]) : check_file(argv[1], NULL) && !nr_failed && nr_cases;
	printf("%sok 1 - %u golden cases, %u differ\n1..1\n", good ? "" : "not ", nr_cases,
	       nr_failed);
	return !good;
}

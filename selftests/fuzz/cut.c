// SPDX-License-Identifier: GPL-2.0
/*
 * Real code in a place that is not its own: operands that are relative to RIP lead
 * to the memory, branches to exits and callees, all else stays as it is.
 */

#include "cut.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "class.h"
#include "insn.h"
#include "space.h"

int source_open(struct source *source, const char *path, struct instr_err *err)
{
	struct stat stat;
	int code;

	code = instr_file_open(path, &source->file, err);
	if (code)
		return code;
	code = instr_file_funcs(source->file, &source->func, &source->nr_funcs, err);
	if (code)
		return code;
	if (!source->nr_funcs || fstat(instr_file_fd(source->file), &stat))
		return instr_fail(err, -ENOENT, "%s: no functions", path);
	source->len = (size_t)stat.st_size;
	source->bytes = mmap(NULL, source->len, PROT_READ, MAP_PRIVATE,
			     instr_file_fd(source->file), 0);
	return source->bytes == MAP_FAILED ? instr_fail(err, -errno, "%s: can't map it", path) : 0;
}

/* ---- what can't be compared ------------------------------------------------- */

/* 0F 01, 0F AE and 0F C7: some of what is there tells the time, or the place. */
static bool two_byte_is_fit(const uint8_t *opcode)
{
	unsigned int reg = opcode[2] >> 3 & 7;
	bool is_register = opcode[2] >> 6 == 3;

	switch (opcode[1]) {
	case 0x01:				/* xgetbv, rdtscp, rdpkru */
	case 0xa2:				/* cpuid */
	case 0xaa:				/* rsm */
	case 0x31:				/* rdtsc */
	case 0x33:				/* rdpmc */
	case 0x37:				/* getsec */
		return false;
	case 0xae:				/* fxsave, xsave: FIP; wrfsbase */
		return is_register ? reg >= 5 : reg == 2 || reg == 3 || reg == 7;
	case 0xc7:				/* rdrand, rdseed, rdpid; xsavec, xrstors */
		return !is_register && reg == 1;
	default:
		return true;
	}
}

/* POPF may set TF; FNSTENV and FNSAVE tell where the last x87 instruction was. */
static bool opcode_is_fit(const uint8_t *opcode, size_t len)
{
	unsigned int reg = len > 1 ? opcode[1] >> 3 & 7 : 0;
	bool is_register = len > 1 && opcode[1] >> 6 == 3;

	switch (opcode[0]) {
	case 0x9d:				/* popf */
	case 0xcf:				/* iret */
		return false;
	case 0xd9:
	case 0xdd:
		return is_register || reg != 6;
	case 0x0f:
		return len < 3 || two_byte_is_fit(opcode);
	default:
		return true;
	}
}

static bool insn_is_fit(const struct insn *insn, const uint8_t *bytes)
{
	if (insn->kind == INSN_SYSTEM || insn->kind == INSN_UNMOVABLE)
		return false;
	return opcode_is_fit(bytes + insn->opcode_at, insn->len - insn->opcode_at);
}

/* ---- cutting ---------------------------------------------------------------- */

static int64_t operand_place(const struct insn *insn, struct random *random)
{
	if (insn->kind == INSN_CALL_INDIRECT || insn->kind == INSN_JMP_INDIRECT)
		return SPACE_MEMORY + 8 * (int64_t)random_below(random, NR_POINTERS);
	return SPACE_MEMORY + 64 * (int64_t)(1 + random_below(random, ARENA_LEN / 64 - 2)) +
	       (insn->operand & 15);
}

static void fix_insn(struct sequence *sequence, const struct insn *insn, unsigned int at,
		     struct random *random)
{
	bool is_branch = insn->kind == INSN_JMP || insn->kind == INSN_JCC ||
			 insn->kind == INSN_LOOP || insn->kind == INSN_CALL;

	if (insn->operand_at)
		sequence_add_fix(sequence, at + insn->operand_at, 4, FIX_POSITION,
				 operand_place(insn, random));
	if (is_branch) {
		unsigned int len = insn->len - insn->opcode_at >= 5 ? 4 : 1;

		sequence_fix_branch(sequence, random, at + insn->len - len, len,
				    insn->kind == INSN_CALL, false);
	}
}

/* Copies the instruction at @bytes; its length, or 0. */
static size_t cut_insn(struct sequence *sequence, const uint8_t *bytes, size_t len,
		       struct random *random)
{
	unsigned int at = sequence->len;
	struct insn insn;

	if (!insn_decode(bytes, len, &insn) || !insn_is_fit(&insn, bytes))
		return 0;
	sequence_begin_insn(sequence);
	sequence_add(sequence, bytes, insn.len);
	fix_insn(sequence, &insn, at, random);
	sequence_end_insn(sequence);
	return insn.len;
}

/* An instruction of the function, not too far from the entry: it has to be found. */
static uint64_t somewhere_inside(const uint8_t *bytes, uint64_t size, struct random *random)
{
	unsigned int skip = 1 + random_below(random, 60);
	uint64_t at = 0;
	struct insn insn;
	bool is_branch;

	while (skip-- && insn_decode_branch(bytes + at, size - at, &insn, &is_branch) &&
	       at + insn.len < size)
		at += insn.len;
	return at;
}

bool cut_generate(struct sequence *sequence, const struct source *source,
		  struct random *random)
{
	const struct instr_func *func =
		&source->func[random_below(random, (unsigned int)source->nr_funcs)];
	bool inside = random_percent(random, 60);
	unsigned int nr = 2 + random_below(random, 7);
	uint64_t at = 0;
	size_t len = 1;

	if (func->offset > source->len || func->size > source->len - func->offset)
		return false;

	const uint8_t *bytes = source->bytes + func->offset;

	sequence_init(sequence, inside ? CLASS_REAL_INSIDE : CLASS_REAL_ENTRY);
	if (inside)
		at = somewhere_inside(bytes, func->size, random);
	while (len && at < func->size && !sequence_is_full(sequence) &&
	       (nr > sequence->nr_insns || sequence->len < 10)) {
		len = cut_insn(sequence, bytes + at, func->size - at, random);
		at += len;
	}
	if (!sequence->nr_insns)
		return false;
	sequence_finish(sequence);
	return true;
}

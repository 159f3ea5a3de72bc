// SPDX-License-Identifier: GPL-2.0
/*
 * Text that its own program reads. Two ways can be seen in a file:
 *
 *  - An instruction loads from it: there is data in the text, or somebody looks for
 *    breakpoints. To look at all bytes for what could be such an operand is much
 *    faster than to decode all instructions; what is found is decoded only when it
 *    concerns a site.
 *  - It lies between the symbols by which validated cryptographic modules find what
 *    they have to sum up (FIPS 140: BoringSSL and its kin, OpenSSL's old module).
 *
 * Whoever takes an address and reads from there is not seen.
 */

#include "selfread.h"

#include <string.h>

#include "array.h"
#include "err.h"
#include "file.h"
#include "insn.h"
#include "symbol.h"

#define TAIL_MAX	4	/* bytes of an immediate behind a displacement */
#define LOAD_LEN	8	/* bytes that are read; of wider loads the first */

static const char *const sums[][2] = {
	{ "BORINGSSL_bcm_text_start", "BORINGSSL_bcm_text_end" },
	{ "FIPS_text_start", "FIPS_text_end" },
};

static int target_compare(const void *a, const void *b)
{
	const struct selfread_load *const *x = a, *const *y = b;

	return ((*x)->target > (*y)->target) - ((*x)->target < (*y)->target);
}

/* Is this the ModRM byte of an operand that is relative to RIP? */
static bool is_relative(uint8_t modrm)
{
	return (modrm & 0xc7) == 0x05;
}

/*
 * The last byte of opcodes that programs read bytes and words by: arithmetic and
 * comparisons, MOV, MOVZX, MOVSX, TEST, MOVUPS, MOVAPS and MOVDQU. Not LEA.
 */
static bool is_load(uint8_t opcode)
{
	static const uint8_t others[] = { 0x63, 0x6f, 0x80, 0x81, 0x83, 0x84, 0x85, 0x8a, 0x8b,
					  0xb6, 0xb7, 0xbe, 0xbf, 0xf6, 0xf7 };

	return (opcode < 0x40 && (opcode & 7) < 4) || memchr(others, opcode, sizeof(others));
}

static bool find_loads(struct selfread *selfread)
{
	const uint8_t *code = selfread->code;
	int32_t displacement;

	for (uint64_t at = 2; at + sizeof(displacement) <= selfread->len; at++) {
		struct selfread_load load = { .at = at };

		if (!is_relative(code[at - 1]) || !is_load(code[at - 2]))
			continue;
		memcpy(&displacement, code + at, sizeof(displacement));
		load.target = at + sizeof(displacement) + (uint64_t)(int64_t)displacement;
		if (load.target < selfread->len &&
		    !ARRAY_PUSH(selfread->load, selfread->nr_loads, load))
			return false;
	}
	return true;
}

static bool sort_loads(struct selfread *selfread)
{
	size_t nr = selfread->nr_loads;

	selfread->by_target = calloc(nr + 1, sizeof(*selfread->by_target));
	if (!selfread->by_target)
		return false;
	for (size_t i = 0; i < nr; i++)
		selfread->by_target[i] = &selfread->load[i];
	qsort(selfread->by_target, nr, sizeof(*selfread->by_target), target_compare);
	return true;
}

static void find_sums(struct selfread *selfread, struct instr_file *file)
{
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
		struct selfread_sum *sum = &selfread->sum[selfread->nr_sums];

		if (symbol_find_value(file, sums[i][0], &sum->start) &&
		    symbol_find_value(file, sums[i][1], &sum->end) && sum->start < sum->end)
			selfread->nr_sums++;
	}
}

void selfread_init(struct selfread *selfread, struct instr_file *file,
		   const struct func_table *funcs)
{
	*selfread = (struct selfread){
		.funcs = funcs,
		.code = file_text(file),
		.len = file->text_len,
		.vaddr = file->text->p_vaddr,
	};
	find_sums(selfread, file);
}

int selfread_find_loads(struct selfread *selfread, struct instr_err *err)
{
	if (selfread->by_target)
		return 0;
	return find_loads(selfread) && sort_loads(selfread) ? 0 : err_memory(err);
}

void selfread_exit(struct selfread *selfread)
{
	free(selfread->load);
	free(selfread->by_target);
}

/* Is it a load of the instruction at @start? */
static void load_check(const struct selfread *selfread, struct selfread_load *load,
		       uint64_t start)
{
	struct insn insn;

	if (!insn_decode(selfread->code + start, selfread->len - start, &insn) ||
	    !insn.operand_at || start + insn.operand_at != load->at)
		return;
	load->is_load = true;
	load->tail = (uint8_t)(insn.len - insn.operand_at - sizeof(insn.operand));
}

/*
 * Looks at all loads of the function @start to @end at once: only its instructions, one
 * behind the other, tell whether they are any.
 */
static void function_check(const struct selfread *selfread, uint64_t start, uint64_t end)
{
	size_t i = ARRAY_LOWER(selfread->load, selfread->nr_loads, .at, start);
	size_t last = ARRAY_LOWER(selfread->load, selfread->nr_loads, .at, end);
	struct insn insn;
	bool is_branch;

	for (size_t n = i; n < last; n++)
		selfread->load[n].is_known = true;
	for (uint64_t at = start; i < last; at += insn.len) {
		if (!insn_decode_branch(selfread->code + at, selfread->len - at, &insn, &is_branch))
			return;
		for (; i < last && selfread->load[i].at < at + insn.len; i++)
			load_check(selfread, &selfread->load[i], at);
	}
}

/* Where no function is known it is not believed. */
static void load_look(const struct selfread *selfread, struct selfread_load *load)
{
	const struct instr_func *func = selfread->funcs->func;
	uint64_t start;
	size_t found;

	load->is_known = true;
	if (!func_find(selfread->funcs, selfread->vaddr + load->at, &found) ||
	    func[found].vaddr < selfread->vaddr)
		return;
	start = func[found].vaddr - selfread->vaddr;
	function_check(selfread, start, start + func[found].size);
}

static bool load_reads(const struct selfread *selfread, struct selfread_load *load,
		       uint64_t at, uint64_t len)
{
	uint64_t target;

	if (!load->is_known)
		load_look(selfread, load);
	target = load->target + load->tail;
	return load->is_load && target < at + len && at < target + LOAD_LEN;
}

enum instr_reason selfread_reason(const struct selfread *selfread, uint64_t vaddr, uint64_t len)
{
	const uint64_t before = LOAD_LEN + TAIL_MAX;
	uint64_t at = vaddr - selfread->vaddr, first = at > before ? at - before : 0;

	for (size_t i = 0; i < selfread->nr_sums; i++) {
		if (vaddr < selfread->sum[i].end && selfread->sum[i].start < vaddr + len)
			return INSTR_REASON_SUMMED;
	}
	for (size_t i = ARRAY_LOWER(selfread->by_target, selfread->nr_loads, ->target, first);
	     i < selfread->nr_loads && selfread->by_target[i]->target < at + len; i++) {
		if (load_reads(selfread, selfread->by_target[i], at, len))
			return INSTR_REASON_READ;
	}
	return INSTR_REASON_NONE;
}

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
#define LOAD_LEN	8	/* bytes that are read: as many as can be compared at once */

static const char *const sums[][2] = {
	{ "BORINGSSL_bcm_text_start", "BORINGSSL_bcm_text_end" },
	{ "FIPS_text_start", "FIPS_text_end" },
};

static int load_compare(const void *a, const void *b)
{
	const struct selfread_load *x = a, *y = b;

	return (x->target > y->target) - (x->target < y->target);
}

/* Is this the ModRM byte of an operand that is relative to RIP? */
static bool is_relative(uint8_t modrm)
{
	return (modrm & 0xc7) == 0x05;
}

/*
 * The last byte of opcodes that programs read bytes and words by: arithmetic and
 * comparisons, MOV, MOVZX, MOVSX, TEST, and MOVUPS, MOVAPS, MOVDQU. Not LEA.
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
	if (selfread->nr_loads)
		qsort(selfread->load, selfread->nr_loads, sizeof(*selfread->load), load_compare);
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

int selfread_init(struct selfread *selfread, struct instr_file *file,
		  const struct func_table *funcs, struct instr_err *err)
{
	*selfread = (struct selfread){
		.funcs = funcs,
		.code = file_text(file),
		.len = file->text_len,
		.vaddr = file->text->p_vaddr,
	};
	find_sums(selfread, file);
	if (find_loads(selfread))
		return 0;
	selfread_exit(selfread);
	return err_memory(err);
}

void selfread_exit(struct selfread *selfread)
{
	free(selfread->load);
	selfread->load = NULL;
}

/*
 * Is it a load indeed? The instructions of its function tell; where none is known, it
 * is not believed.
 */
static void load_check(const struct selfread *selfread, struct selfread_load *load)
{
	const struct instr_func *func = selfread->funcs->func;
	uint64_t start, room;
	struct insn insn;
	bool is_branch;
	size_t found;

	load->is_known = load->is_none = true;
	if (!func_find(selfread->funcs, selfread->vaddr + load->at, &found) ||
	    func[found].vaddr < selfread->vaddr)
		return;
	for (start = func[found].vaddr - selfread->vaddr;; start += insn.len) {
		room = selfread->len - start;
		if (!insn_decode_branch(selfread->code + start, room, &insn, &is_branch))
			return;
		if (start + insn.len > load->at)
			break;
	}
	if (!insn_decode(selfread->code + start, room, &insn) ||
	    !insn.operand_at || start + insn.operand_at != load->at)
		return;
	load->tail = (uint8_t)(start + insn.len - load->at - sizeof(insn.operand));
	load->is_none = false;
}

static bool load_reads(const struct selfread *selfread, struct selfread_load *load,
		       uint64_t at, uint64_t len)
{
	uint64_t target;

	if (!load->is_known)
		load_check(selfread, load);
	target = load->target + load->tail;
	return !load->is_none && target < at + len && at < target + LOAD_LEN;
}

/* The first load whose target may be at @target or behind it. */
static size_t load_lower(const struct selfread *selfread, uint64_t target)
{
	size_t first = 0, end = selfread->nr_loads;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (selfread->load[middle].target < target)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

enum instr_reason selfread_reason(const struct selfread *selfread, uint64_t vaddr, uint64_t len)
{
	const uint64_t before = LOAD_LEN + TAIL_MAX;
	uint64_t at = vaddr - selfread->vaddr;

	for (size_t i = 0; i < selfread->nr_sums; i++) {
		if (vaddr < selfread->sum[i].end && selfread->sum[i].start < vaddr + len)
			return INSTR_REASON_SUMMED;
	}
	for (size_t i = load_lower(selfread, at > before ? at - before : 0);
	     i < selfread->nr_loads && selfread->load[i].target < at + len; i++) {
		if (load_reads(selfread, &selfread->load[i], at, len))
			return INSTR_REASON_READ;
	}
	return INSTR_REASON_NONE;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Indirect functions (STT_GNU_IFUNC): the symbol is a resolver's, which returns
 * the address of an implementation. It has to take that address first, by a LEA
 * that is relative to RIP: what it takes and is a function's entry may be chosen.
 */

#include "ifunc.h"

#include "array.h"
#include "file.h"
#include "insn.h"

#define OPCODE_LEA 0x8d

static bool takes_address(const uint8_t *bytes, const struct insn *insn)
{
	return insn->operand_at && bytes[insn->opcode_at] == OPCODE_LEA;
}

static bool is_entry(const struct func_table *table, uint64_t vaddr, size_t *func)
{
	return func_find(table, vaddr, func) && table->func[*func].vaddr == vaddr;
}

bool ifunc_choices(const struct instr_file *file, const struct func_table *table,
		   size_t func, size_t **choice, size_t *nr)
{
	uint64_t vaddr = table->func[func].vaddr, size = table->func[func].size;
	const uint8_t *code = file_bytes_at(file, vaddr, size);
	struct insn insn;
	size_t chosen;

	for (uint64_t at = 0; code && at < size; at += insn.len) {
		if (!insn_decode(code + at, size - at, &insn))
			break;
		if (takes_address(code + at, &insn) &&
		    is_entry(table, vaddr + at + insn.len + (uint64_t)(int64_t)insn.operand,
			     &chosen) &&
		    !ARRAY_PUSH(*choice, *nr, chosen))
			return false;
	}
	return true;
}

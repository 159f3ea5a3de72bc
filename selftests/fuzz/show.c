// SPDX-License-Identifier: GPL-2.0
#include "show.h"

#include <stdio.h>
#include <string.h>

#include "class.h"

static void show_hex(const char *what, const uint8_t *bytes, size_t len)
{
	printf("# %s", what);
	for (size_t i = 0; i < len; i++)
		printf("%02x", bytes[i]);
	printf("\n");
}

static void show_code(const char *what, const uint8_t *bytes, size_t len, uint64_t address)
{
	char text[128];

	printf("# %s\n", what);
	for (size_t at = 0; at < len; ) {
		int n = instr_insn_format(bytes + at, len - at, address + at, text, sizeof(text));

		if (n < 0) {
			snprintf(text, sizeof(text), "?");
			n = 1;
		}
		printf("#   %12llx +%-3zu %s\n", (unsigned long long)(address + at), at, text);
		at += (size_t)n;
	}
}

static void show_value(const char *name, uint64_t start, uint64_t before, uint64_t after)
{
	if (before != after)
		printf("# %-6s %016llx: %016llx, patched %016llx\n", name,
		       (unsigned long long)start, (unsigned long long)before,
		       (unsigned long long)after);
}

static void show_registers(const struct registers *start, const struct registers *before,
			   const struct registers *after)
{
	static const char *const name[NR_GPRS] = {
		"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12",
		"r13", "r14", "r15", "rsp",
	};

	for (int i = 0; i < NR_GPRS; i++)
		show_value(name[i], start->gpr[i], before->gpr[i], after->gpr[i]);
	show_value("flags", start->flags, before->flags, after->flags);
	printf("# began with rsp %llx rbp %llx rcx %llx\n", (unsigned long long)start->gpr[RSP],
	       (unsigned long long)start->gpr[RBP], (unsigned long long)start->gpr[RCX]);
}

static void show_bytes(const char *what, uint64_t start, const uint8_t *template,
		       const uint8_t *before, const uint8_t *after, size_t len)
{
	unsigned int left = 32;

	for (size_t i = 0; i < len && left; i++) {
		if (before[i] == after[i])
			continue;
		printf("# %s %llx: %02x: %02x, patched %02x\n", what,
		       (unsigned long long)(start + i), template ? template[i] : 0, before[i],
		       after[i]);
		left--;
	}
}

static void show_outcomes(const struct difference *difference, uint64_t base)
{
	const struct outcome *before = &difference->before, *after = &difference->after;

	printf("# ends: signal %d exit %u rip %llx address %llx, patched: %d %u %llx %llx\n",
	       before->signal, before->exit, (unsigned long long)before->rip,
	       (unsigned long long)before->address, after->signal, after->exit,
	       (unsigned long long)after->rip, (unsigned long long)after->address);
	show_registers(&difference->state.registers, &before->registers, &after->registers);
	show_bytes("memory", base + SPACE_MEMORY, difference->arenas.memory,
		   before->arenas.memory, after->arenas.memory, ARENA_LEN);
	show_bytes("stack", base + SPACE_STACK, difference->arenas.stack, before->arenas.stack,
		   after->arenas.stack, ARENA_LEN);
	show_bytes("extended", 0, NULL, before->extended, after->extended, EXTENDED_MAX);
}

void show_difference(const struct batch *batch, const struct difference *difference)
{
	size_t n = difference->sequence;
	const struct instr_plan_site *site = &batch->plan->site[n];
	const struct elf_function *function = &batch->function[n];
	const uint8_t *bytes = batch->text + function->position - SPACE_TEXT;
	uint64_t address = batch->base + function->position;

	printf("# the %s differs: class %s, entered at +%llu\n", difference->what,
	       classes[batch->class[n]].name, (unsigned long long)difference->at);
	printf("# again: -s %llu:%llu -n 1; at the same place: -s %llu:%llu -n %zu\n",
	       (unsigned long long)batch->seed, (unsigned long long)(batch->first + n),
	       (unsigned long long)batch->seed, (unsigned long long)batch->first, n + 1);
	show_hex("bytes ", bytes, function->size);
	show_code("it was:", bytes, function->size, address);
	show_hex("patch ", site->new, site->patch_len);
	show_code("moved:", instr_plan_block(batch->plan, site), site->block_len,
		  batch->base + (uint64_t)site->block);
	if (strcmp(difference->what, "process has died"))
		show_outcomes(difference, batch->base);
}

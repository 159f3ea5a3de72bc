// SPDX-License-Identifier: GPL-2.0
/* Registers mostly point into the memory, and the memory to what can be called. */

#include "state.h"

#include <string.h>

#define NR_ARENAS	4
#define NR_IMAGES	16

static struct arenas arenas[NR_ARENAS];
static uint8_t images[NR_IMAGES][EXTENDED_MAX] __attribute__((aligned(64)));

static uint64_t any_stub(struct random *random, uint64_t base)
{
	return base + (uint64_t)stub_position(random_below(random, NR_STUBS));
}

static uint64_t any_exit(struct random *random, uint64_t base)
{
	return base + (uint64_t)stub_position(random_below(random, NR_EXITS));
}

static uint64_t any_place(struct random *random, uint64_t start)
{
	uint64_t at = ARENA_LEN / 4 + random_below(random, ARENA_LEN / 2);

	return start + (random_percent(random, 80) ? at & ~7ULL : at);
}

static uint64_t any_value(struct random *random)
{
	uint64_t value = random_u64(random);

	return random_percent(random, 40) ? value % 64 : value >> random_below(random, 64);
}

static uint64_t any_word(struct random *random, uint64_t base, unsigned int percent_code)
{
	if (random_percent(random, percent_code))
		return any_stub(random, base);
	if (random_percent(random, 60))
		return any_place(random, base + SPACE_MEMORY);
	if (random_percent(random, 10))
		return any_place(random, base + SPACE_STACK);
	return any_value(random);
}

static void arenas_init(struct arenas *to, struct random *random, uint64_t base)
{
	uint64_t *memory = (uint64_t *)to->memory, *stack = (uint64_t *)to->stack;

	for (size_t i = 0; i < ARENA_LEN / sizeof(*memory); i++) {
		memory[i] = any_word(random, base, 25);
		stack[i] = random_percent(random, 50) ? any_exit(random, base)
						      : any_word(random, base, 20);
	}
	for (unsigned int i = 0; i < NR_POINTERS; i++)
		memory[i] = base + (uint64_t)stub_position(i);
}

void state_make_pool(struct random *random, uint64_t base)
{
	for (int i = 0; i < NR_ARENAS; i++)
		arenas_init(&arenas[i], random, base);
	for (int i = 0; i < NR_IMAGES; i++)
		extended_init(images[i], random);
}

void state_init(struct state *state, struct random *random, uint64_t base, bool loops)
{
	uint64_t *gpr = state->registers.gpr;

	for (int i = 0; i < NR_GPRS; i++)
		gpr[i] = any_word(random, base, 10);
	if (loops || random_percent(random, 50))
		gpr[RCX] = random_below(random, 4);
	if (random_percent(random, 50))
		gpr[RBP] = any_place(random, base + SPACE_STACK);
	gpr[RSP] = base + SPACE_STACK + ARENA_LEN / 2 + 8 * (uint64_t)random_below(random, 64);
	state->registers.flags = (random_u64(random) & FLAGS_CARED & ~0x400U) | 0x202;
	if (random_percent(random, 5))
		state->registers.flags |= 0x400;
	state->fs = base + SPACE_MEMORY + ARENA_LEN / 2;
	state->gs = base + SPACE_MEMORY + ARENA_LEN / 4;
	state->arenas = &arenas[random_below(random, NR_ARENAS)];
	state->extended = images[random_below(random, NR_IMAGES)];
}

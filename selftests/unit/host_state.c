// SPDX-License-Identifier: GPL-2.0
#include "host_state.h"

#include <string.h>

extern struct state host_in, host_out;
extern void *host_target;
extern uint64_t host_leak, host_stack_value;
extern uint64_t host_table[];
extern void host_call(void);
extern void local_return_address(void);

#define STATE_ENTRY(name) { #name, name },

const struct state_function state_functions[NR_STATE_FUNCTIONS] = {
	STATE_FUNCTIONS(STATE_ENTRY)
};

/* The 64 combinations of CF PF AF ZF SF OF; all else differs from each other. */
static void state_init(struct state *state, unsigned int n)
{
	static const uint8_t bit[6] = { 0, 2, 4, 6, 7, 11 };
	uint8_t *bytes = (uint8_t *)state;

	for (size_t i = 0; i < sizeof(*state); i++)
		bytes[i] = (uint8_t)(i * 7 + n * 13 + 1);
	state->flags = 0x202;
	for (int i = 0; i < 6; i++)
		state->flags |= (uint64_t)(n >> i & 1) << bit[i];
	state->gpr[1] = 2;				/* rbx: an index */
	state->gpr[2] = n % 3;				/* rcx: a count */
	state->gpr[11] = (uint64_t)host_table;		/* r12 */
	state->gpr[12] = (uint64_t)local_return_address; /* r13 */
}

/* Only calls may leave something else below the stack: what is dead there. */
static bool leaves_red_zone(const char *name)
{
	return !strstr(name, "call");
}

#define PUSHED_AT (sizeof(((struct state *)0)->red_zone) - 8)

/* Who looks at the flags sees that it is stepped. */
static void forget_stepping(struct state *state, const char *name)
{
	state->flags &= ~STATE_STEPS;
	if (!strcmp(name, "probe_flags")) {
		state->gpr[0] &= ~STATE_STEPS;
		state->red_zone[PUSHED_AT + 1] &= (uint8_t)~(STATE_STEPS >> 8);
	}
	if (!strcmp(name, "probe_syscall"))
		state->gpr[10] &= ~STATE_STEPS;
}

bool state_is(const struct state *a, const struct state *b, const char *name)
{
	struct state x = *a, y = *b;

	forget_stepping(&x, name);
	forget_stepping(&y, name);
	if (!strcmp(name, "probe_syscall"))
		x.gpr[2] = y.gpr[2] = 0;	/* rcx: where it came from */
	if (!leaves_red_zone(name))
		memcpy(x.red_zone, y.red_zone, sizeof(x.red_zone));
	return !memcmp(&x, &y, sizeof(x));
}

static bool run(size_t function, struct state *ret)
{
	host_target = state_functions[function].call;
	host_stack_value = (uint64_t)local_return_address;
	host_call();
	*ret = host_out;
	return !host_leak;
}

bool state_run(size_t function, unsigned int n, struct state *ret)
{
	state_init(&host_in, n);
	return run(function, ret);
}

bool state_step(size_t function, unsigned int n, struct state *ret)
{
	state_init(&host_in, n);
	host_in.flags |= STATE_STEPS;
	return run(function, ret);
}

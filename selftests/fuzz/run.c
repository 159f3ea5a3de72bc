// SPDX-License-Identifier: GPL-2.0
#include "run.h"

#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE (1 << 1)
#endif

#define TICK_US		2000
#define FLAGS_NONE	0x202

extern struct registers enter_in, enter_out;
extern uint64_t enter_frame[5], enter_fs, enter_gs;
extern const uint8_t *enter_extended_in;
extern uint8_t *enter_extended_out;
extern uint32_t enter_mask;
extern volatile uint8_t enter_running;
extern void enter_run(void), enter_fault(void);

static const struct view *running_view;
static struct outcome *running_outcome;
static volatile unsigned int ticks, ticks_allowed;
static volatile uint64_t nr_traps;

static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGALRM };

/* ---- faults ----------------------------------------------------------------- */

static void store_registers(const greg_t *from)
{
	static const uint8_t at[NR_GPRS] = {
		REG_RAX, REG_RBX, REG_RCX, REG_RDX, REG_RSI, REG_RDI, REG_RBP, REG_R8, REG_R9,
		REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RSP,
	};

	for (int i = 0; i < NR_GPRS; i++)
		enter_out.gpr[i] = (uint64_t)from[at[i]];
	enter_out.flags = (uint64_t)from[REG_EFL];
}

static bool lead_on(int signal, greg_t *rip)
{
	uint64_t to = view_lead(running_view, (uint64_t)*rip - (signal == SIGTRAP));

	if (to) {
		*rip = (greg_t)to;
		nr_traps++;
	}
	return to;
}

/* FS is the sequence's: nothing here may use thread-local storage. */
static void on_signal(int signal, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	if (signal == SIGALRM && (++ticks <= ticks_allowed || !enter_running))
		return;
	if (!enter_running)
		_exit(2);
	if ((signal == SIGTRAP || signal == SIGILL) && lead_on(signal, &registers[REG_RIP]))
		return;
	running_outcome->signal = signal;
	running_outcome->rip = (uint64_t)registers[REG_RIP];
	running_outcome->address = signal == SIGSEGV ? (uint64_t)info->si_addr : 0;
	store_registers(registers);
	registers[REG_RIP] = (greg_t)enter_fault;
	registers[REG_EFL] = FLAGS_NONE;
}

static bool handle_faults(void)
{
	static uint8_t stack[65536];
	struct sigaction action = {
		.sa_sigaction = on_signal,
		.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK,
	};
	bool good = !sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = sizeof(stack) }, NULL);

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		good &= !sigaction(faults[i], &action, NULL);
	return good;
}

static bool start_clock(void)
{
	const struct itimerval tick = {
		.it_interval.tv_usec = TICK_US,
		.it_value.tv_usec = TICK_US,
	};

	return !setitimer(ITIMER_REAL, &tick, NULL);
}

bool run_prepare(const struct view *view)
{
	uint16_t cs, ss;

	__asm__("mov %%cs, %0; mov %%ss, %1" : "=r"(cs), "=r"(ss));
	enter_frame[1] = cs;
	enter_frame[4] = ss;
	enter_mask = extended_mask();
	running_view = view;
	return enter_mask && getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE && handle_faults() &&
	       start_clock();
}

/* ---- running ---------------------------------------------------------------- */

static uint8_t *arena(int64_t position)
{
	return (uint8_t *)running_view->batch->base + position;
}

static void set_state(const struct state *state)
{
	enter_in = state->registers;
	enter_frame[0] = state->rip;
	enter_frame[2] = state->registers.flags;
	enter_frame[3] = state->registers.gpr[RSP];
	enter_fs = state->fs;
	enter_gs = state->gs;
	enter_extended_in = state->extended;
	memcpy(arena(SPACE_MEMORY), state->arenas->memory, ARENA_LEN);
	memcpy(arena(SPACE_STACK), state->arenas->stack, ARENA_LEN);
}

static void get_outcome(struct outcome *outcome)
{
	outcome->registers = enter_out;
	outcome->registers.flags &= FLAGS_CARED;
	outcome->exit = *arena(SPACE_EXIT + 8);
	memcpy(outcome->arenas.memory, arena(SPACE_MEMORY), ARENA_LEN);
	memcpy(outcome->arenas.stack, arena(SPACE_STACK), ARENA_LEN);
}

void run(const struct state *state, unsigned int patience, struct outcome *ret)
{
	ret->signal = 0;
	ret->rip = 0;
	ret->address = 0;
	running_outcome = ret;
	enter_extended_out = ret->extended;
	set_state(state);
	ticks = 0;
	ticks_allowed = patience;
	enter_run();
	get_outcome(ret);
}

uint64_t run_nr_traps(void)
{
	return nr_traps;
}

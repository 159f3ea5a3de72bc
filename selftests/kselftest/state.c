// SPDX-License-Identifier: GPL-2.0
/*
 * Registers, flags, red zone, x87, SSE and AVX are what they would be without us,
 * through every kind of site: this program's own functions, run with and without
 * probes (unit/host_entry.S has them).
 */
#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/host_state.h"
#include "fixture.h"
#include "kselftest_harness.h"

/* Beside what host_call() looks at: x87, and the upper halves of the AVX registers. */
#define XSAVE_X87	1UL
#define XSAVE_SSE	2UL
#define XSAVE_AVX	4UL
#define XSAVE_MASK	(XSAVE_X87 | XSAVE_SSE | XSAVE_AVX)

struct extended {
	uint8_t area[4096] __attribute__((aligned(64)));
};

static size_t avx_at;

static void xsave(struct extended *to)
{
	memset(to, 0, sizeof(*to));
	__asm__ volatile("xsave64 %0" : "+m"(*to)
			 : "a"((uint32_t)XSAVE_MASK), "d"(0) : "memory");
}

static void xrstor(const struct extended *from)
{
	__asm__ volatile("xrstor64 %0" : : "m"(*from), "a"((uint32_t)XSAVE_MASK), "d"(0)
			 : "memory");
}

/* A state of its own for each @n: eight x87 values, sixteen upper halves. */
static void extended_init(struct extended *state, unsigned int n)
{
	xsave(state);
	for (int i = 0; i < 8; i++) {
		uint8_t *st = state->area + 32 + 16 * i;

		memset(st, 0x11 * (i + 1) + n, 8);
		st[7] |= 0x80;		/* a normal number */
		st[8] = 0xff;
		st[9] = 0x3f;
	}
	state->area[4] = 0xff;		/* all of them are in use */
	for (int i = 0; i < 256; i++)
		state->area[avx_at + i] = i * 3 + n;
	state->area[512] |= XSAVE_MASK;
}

static bool extended_is(const struct extended *a, const struct extended *b)
{
	/* Control and status words, tags, and the ten bytes of each register. */
	if (memcmp(a->area, b->area, 5))
		return false;
	for (int i = 0; i < 8; i++)
		if (memcmp(a->area + 32 + 16 * i, b->area + 32 + 16 * i, 10))
			return false;
	return !memcmp(a->area + avx_at, b->area + avx_at, 256);
}

FIXTURE(state)
{
	struct probes probes;
};

static struct state before[NR_STATE_FUNCTIONS][NR_STATES];

FIXTURE_SETUP(state)
{
	static const char *const names[] = { "probe_*", NULL };
	unsigned int a, b, c, d;

	ASSERT_EQ(1, __get_cpuid_count(0xd, 2, &a, &b, &c, &d));
	avx_at = b;
	for (size_t i = 0; i < NR_STATE_FUNCTIONS; i++)
		for (unsigned int n = 0; n < NR_STATES; n++)
			ASSERT_TRUE(state_run(i, n, &before[i][n]));
	probes_open(&self->probes, "/proc/self/exe", names);
	ASSERT_EQ(0, probes_publish(&self->probes));
	ASSERT_EQ(1, probes_attach(&self->probes, getpid()));
}

FIXTURE_TEARDOWN(state)
{
	probes_close(&self->probes);
}

TEST_F(state, of_each_function_is_kept)
{
	int jumps = 0, traps = 0;

	for (size_t i = 0; i < NR_STATE_FUNCTIONS; i++) {
		const char *name = state_functions[i].name;
		bool entry = !strncmp(name, "probe_", 6);
		uint64_t count = entry ? probes_count(&self->probes, name) : 0;
		struct state now;

		for (unsigned int n = 0; n < NR_STATES; n++) {
			ASSERT_TRUE(state_run(i, n, &now));
			EXPECT_TRUE(state_is(&before[i][n], &now, name))
				TH_LOG("%s, state %u", name, n);
		}
		if (!entry)
			continue;
		EXPECT_EQ(count + NR_STATES, probes_count(&self->probes, name))
			TH_LOG("%s", name);
		jumps += probes_how(&self->probes, name) == INSTR_HOW_JUMP;
		traps += probes_how(&self->probes, name) == INSTR_HOW_TRAP;
	}
	EXPECT_LE(10, jumps);
	EXPECT_LE(2, traps);
}

TEST_F(state, of_x87_and_avx_is_kept)
{
	static struct extended in, out, own;

	for (size_t i = 0; i < NR_STATE_FUNCTIONS; i++) {
		void (*call)(void) = state_functions[i].call;

		/* These take nothing from registers, and leave these alone. */
		if (strcmp(state_functions[i].name, "probe_flags_dead") &&
		    strcmp(state_functions[i].name, "probe_overflow") &&
		    strcmp(state_functions[i].name, "probe_frame") &&
		    strcmp(state_functions[i].name, "probe_short") &&
		    strcmp(state_functions[i].name, "probe_padded") &&
		    strcmp(state_functions[i].name, "probe_call"))
			continue;
		for (unsigned int n = 0; n < 16; n++) {
			xsave(&own);
			extended_init(&in, n);
			xrstor(&in);
			xsave(&in);
			call();
			xsave(&out);
			xrstor(&own);
			EXPECT_TRUE(extended_is(&in, &out))
				TH_LOG("%s, state %u", state_functions[i].name, n);
		}
	}
}

TEST_HARNESS_MAIN

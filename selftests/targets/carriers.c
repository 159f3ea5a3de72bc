// SPDX-License-Identifier: GPL-2.0
/*
 * Threads as a runtime makes them that is none of C, Go's for example: coroutines have the
 * stacks, and are resumed by all threads in turn. All stacks lie in one mapping, below what
 * FS leads to, which doesn't begin with its own address.
 */
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "unwinds.h"

#define CARRIERS	4
#define STACK		65536
#define DEPTH		20
#define STEPS		50

#define THREAD_FLAGS	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | \
			 CLONE_SYSVSEM | CLONE_SETTLS | CLONE_CHILD_CLEARTID)

struct coroutine {
	ucontext_t self, resumer;
	long got;
};

struct carrier {
	long number, wrong;
	_Atomic int lives;
};

static struct coroutine coroutine_of[CARRIERS];
static struct carrier carrier[CARRIERS];
static long rounds;
static _Atomic long arrived;

/* ---- coroutines: no thread-local memory, no library that wants it ------------------------- */

FRAME static long step(long n)
{
	KEEP;
	return n + 1;
}

FRAME static void yield(struct coroutine *coroutine, long value)
{
	coroutine->got = value;
	swapcontext(&coroutine->self, &coroutine->resumer);
	KEEP;
}

FRAME static long walk(struct coroutine *coroutine, long depth)
{
	long sum = 0;

	for (int i = 0; i < STEPS; i++)
		sum = step(sum);
	yield(coroutine, sum + depth);
	if (depth < DEPTH)
		walk(coroutine, depth + 1);
	yield(coroutine, sum - depth);
	return sum;
}

static void body(unsigned int number)
{
	for (;;)
		walk(&coroutine_of[number], 0);
}

static void begin(unsigned int number, char *stack)
{
	struct coroutine *coroutine = &coroutine_of[number];

	getcontext(&coroutine->self);
	coroutine->self.uc_stack.ss_sp = stack;
	coroutine->self.uc_stack.ss_size = STACK;
	makecontext(&coroutine->self, (void (*)(void))body, 1, number);
}

static long expected(long turn)
{
	turn %= 2 * (DEPTH + 1);
	return turn <= DEPTH ? STEPS + turn : STEPS - (2 * DEPTH + 1 - turn);
}

FRAME static long resume(struct coroutine *coroutine)
{
	swapcontext(&coroutine->resumer, &coroutine->self);
	KEEP;
	return coroutine->got;
}

/* ---- threads ----------------------------------------------------------------------------- */

static void wait_for_all(long round)
{
	arrived++;
	while (arrived < CARRIERS * (round + 1))
		sched_yield();
}

static void carry(struct carrier *self)
{
	for (long round = 0; round < rounds; round++) {
		long number = (self->number + round) % CARRIERS;

		self->wrong += resume(&coroutine_of[number]) != expected(round);
		wait_for_all(round);
	}
}

/* The new thread finds @self on its stack. */
static long start(struct carrier *self, char *stack_end, char *fs_base)
{
	struct carrier **top = (struct carrier **)stack_end - 2;
	register void *lives __asm__("r10") = &self->lives;
	register void *fs __asm__("r8") = fs_base;
	long ret;

	*top = self;
	__asm__ volatile("syscall\n\t"
			 "test %%eax, %%eax\n\t"
			 "jnz 1f\n\t"
			 "pop %%rdi\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "sub $8, %%rsp\n\t"
			 "and $-16, %%rsp\n\t"
			 "call *%[carry]\n\t"
			 "xor %%edi, %%edi\n\t"
			 "mov %[exit], %%eax\n\t"
			 "syscall\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(ret)
			 : "a"(SYS_clone), "D"(THREAD_FLAGS), "S"(top), "d"(0), "r"(lives), "r"(fs),
			   [carry] "b"(carry), [exit] "i"(SYS_exit)
			 : "rcx", "r11", "memory");
	return ret;
}

int main(void)
{
	char *stacks, *own, *thread_data;

	/* They end where a walk does. */
	rounds = scaled(500) * 2 * (DEPTH + 1);
	stacks = mmap(NULL, CARRIERS * (2 * STACK + 4096), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	own = stacks + CARRIERS * STACK;
	thread_data = own + CARRIERS * STACK;
	for (int i = 0; i < CARRIERS; i++)
		begin(i, stacks + i * STACK);
	for (int i = 0; i < CARRIERS; i++) {
		carrier[i] = (struct carrier){ .number = i, .lives = 1 };
		CHECK(start(&carrier[i], own + (i + 1) * STACK, thread_data + i * 4096 + 2048) > 0);
	}
	for (int i = 0; i < CARRIERS; i++) {
		while (carrier[i].lives)
			sched_yield();
		CHECK(!carrier[i].wrong);
	}
	puts("carried");
	return unwinds_failed;
}

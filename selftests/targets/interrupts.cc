// SPDX-License-Identifier: GPL-2.0
/*
 * Calls of small functions that another process interrupts all the time. Whatever is
 * interrupted, a handler finds it in the text of a file, and the stack as that has it. In the
 * end the program says how often each function was called, "NAME LEAST MOST".
 *
 *	interrupts walk [THREADS]	handlers unwind, and return
 *	interrupts throw [THREADS]	they throw out of the functions
 *	interrupts cancel		threads are cancelled in them
 *	interrupts vfork [THREADS]	so are vfork children, whose calls are not said
 *	interrupts read			system calls in them are begun again
 *	interrupts fault		their first instruction faults, and is tried again
 */
#include <cstdint>
#include <cstring>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unwind.h>

#include "unwinds.h"

/* ---- functions ---------------------------------------------------------------------- */

#define ENTRY(name)	".p2align 4\n.globl " #name "\n.type " #name ", @function\n"	\
			#name ":\n.cfi_startproc\n"
#define END(name)	".cfi_endproc\n.size " #name ", . - " #name "\n"
#define BEHIND(name)	".globl " #name "_behind\n" #name "_behind:\n"

/*
 * In all of them what is called last is called behind the label. The sections whose names
 * begin with "far_" are linked further than 2 GiB from where the slab will be.
 */
__asm__(".text\n"
	".globl interrupted_start\n"
	"interrupted_start:\n"
	ENTRY(interrupted_leaf)
	"	lea 1(%rdi), %rax\n"
	"	nop\n"
	"	ret\n"
	END(interrupted_leaf)
	ENTRY(interrupted_flags)
	"	adc $0, %rdi\n"
	"	mov %rdi, %rax\n"
	"	ret\n"
	END(interrupted_flags)
	ENTRY(interrupted_first)
	"	call interrupted_leaf\n"
	BEHIND(interrupted_first)
	"	ret\n"
	END(interrupted_first)
	ENTRY(interrupted_fourth)
	"	sub $8, %rsp\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	call interrupted_leaf\n"
	BEHIND(interrupted_fourth)
	"	add $8, %rsp\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	ret\n"
	END(interrupted_fourth)
	ENTRY(interrupted_second)
	"	xor %eax, %eax\n"
	"	call interrupted_leaf\n"
	BEHIND(interrupted_second)
	"	ret\n"
	END(interrupted_second)
	ENTRY(interrupted_tail)
	"	jmp interrupted_leaf\n"
	BEHIND(interrupted_tail)
	"	nop\n"
	END(interrupted_tail)
	ENTRY(interrupted_loop)
	"	mov %edi, %eax\n"
	"	loop 1f\n"
	"	inc %rax\n"
	"	ret\n"
	"1:	lea 1(%rax), %rax\n"
	"	ret\n"
	END(interrupted_loop)
	ENTRY(interrupted_trap)
	"	lea 1(%rdi), %eax\n"
	"	ret\n"
	END(interrupted_trap)
	/* What is right behind leaves no room for a jump. */
	".globl interrupted_next\n"
	".type interrupted_next, @function\n"
	"interrupted_next:\n"
	"	.cfi_startproc\n"
	"	ret\n"
	END(interrupted_next)
	ENTRY(interrupted_read)
	"	syscall\n"
	"	ret\n"
	"	nop; nop; nop\n"
	END(interrupted_read)
	ENTRY(interrupted_read_second)
	"	xor %eax, %eax\n"
	"	syscall\n"
	"	ret\n"
	"	nop; nop; nop\n"
	END(interrupted_read_second)
	ENTRY(interrupted_load)
	"	mov (%rdi), %rax\n"
	"	nop; nop\n"
	"	ret\n"
	END(interrupted_load)
	ENTRY(interrupted_far)
	"	add far_zero(%rip), %rdi\n"
	"	lea 1(%rdi), %rax\n"
	"	ret\n"
	END(interrupted_far)
	ENTRY(interrupted_far_second)
	"	mov %rdi, %rax\n"
	"	add far_one(%rip), %rax\n"
	"	ret\n"
	END(interrupted_far_second)
	ENTRY(interrupted_far_push)
	"	push far_one(%rip)\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	pop %rax\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	add %rdi, %rax\n"
	"	ret\n"
	END(interrupted_far_push)
	ENTRY(interrupted_far_tail)
	"	jmp far_leaf\n"
	END(interrupted_far_tail)
	".globl interrupted_end\n"
	"interrupted_end:\n"
	/* With the carry flag. */
	ENTRY(call_flags)
	"	push %rax\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	stc\n"
	"	call interrupted_flags\n"
	"	pop %rdx\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	ret\n"
	END(call_flags)
	/* read(2) is system call number 0. */
	ENTRY(call_read)
	"	push %rax\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	xor %eax, %eax\n"
	"	call interrupted_read\n"
	"	pop %rdx\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	ret\n"
	END(call_read)
	".pushsection far_text, \"ax\"\n"
	ENTRY(far_leaf)
	"	lea 1(%rdi), %rax\n"
	"	ret\n"
	END(far_leaf)
	".popsection\n"
	".pushsection far_data, \"a\"\n"
	"far_zero: .quad 0\n"
	"far_one: .quad 1\n"
	".popsection\n");

extern "C" {
extern char interrupted_start[], interrupted_end[], interrupted_first_behind[],
	    interrupted_fourth_behind[], interrupted_second_behind[], interrupted_tail_behind[];
long interrupted_leaf(long value);
long interrupted_flags(long value);
long interrupted_first(long value);
long interrupted_fourth(long value);
long interrupted_second(long value);
long interrupted_tail(long value);
long interrupted_loop(long value);
long interrupted_trap(long value);
long interrupted_far(long value);
long interrupted_far_second(long value);
long interrupted_far_push(long value);
long interrupted_far_tail(long value);
long interrupted_load(const long *from);
long interrupted_read_second(int fd, char *bytes, size_t len);
long call_flags(long value);
long call_read(int fd, char *bytes, size_t len);
/* The compiler's own would not be called. */
int imported(int value) __asm__("toascii");
}

static long call_import(long value)
{
	return imported((int)value & 63) + value - (value & 63) + 1;
}

enum { LEAF, FLAGS, FIRST, FOURTH, SECOND, TAIL, LOOP, TRAP, FAR, FAR_SECOND, FAR_PUSH,
       FAR_TAIL, IMPORT, CALLED, READ = CALLED, READ_SECOND, LOAD, NR };

/* They add 1. With @behind: they call the leaf, which is begun at that address. */
static const struct {
	const char *name;
	long (*call)(long value);
	const void *entry, *behind;
} function[CALLED] = {
	{ "interrupted_leaf", interrupted_leaf, (void *)interrupted_leaf, nullptr },
	{ "interrupted_flags", call_flags, (void *)interrupted_flags, nullptr },
	{ "interrupted_first", interrupted_first, (void *)interrupted_first,
	  interrupted_first_behind },
	{ "interrupted_fourth", interrupted_fourth, (void *)interrupted_fourth,
	  interrupted_fourth_behind },
	{ "interrupted_second", interrupted_second, (void *)interrupted_second,
	  interrupted_second_behind },
	{ "interrupted_tail", interrupted_tail, (void *)interrupted_tail,
	  interrupted_tail_behind },
	{ "interrupted_loop", interrupted_loop, (void *)interrupted_loop, nullptr },
	{ "interrupted_trap", interrupted_trap, (void *)interrupted_trap, nullptr },
	{ "interrupted_far", interrupted_far, (void *)interrupted_far, nullptr },
	{ "interrupted_far_second", interrupted_far_second, (void *)interrupted_far_second,
	  nullptr },
	{ "interrupted_far_push", interrupted_far_push, (void *)interrupted_far_push, nullptr },
	{ "interrupted_far_tail", interrupted_far_tail, (void *)interrupted_far_tail, nullptr },
	{ "toascii@got", call_import, nullptr, nullptr },
};

/* ---- how often ------------------------------------------------------------------------ */

/* C++'s own atomic operations can't be left, not even by a thread that is cancelled. */
#define ADD(to, delta)	__atomic_add_fetch(&(to), delta, __ATOMIC_SEQ_CST)

/* A call is begun, and done unless it is left. */
static volatile long begun[NR], done[NR];
/* Is it not said what is called now: it is a vfork child? */
static bool silent;

static void note(volatile long *all, int which, long delta)
{
	if (silent)
		return;
	ADD(all[which], delta);
	if (which < CALLED && function[which].behind)
		ADD(all[LEAF], delta);
}

FRAME static void call_one(int which, long value)
{
	note(begun, which, 1);
	CHECK(function[which].call(value) == value + 1);
	note(done, which, 1);
}

FRAME static void call_all(long value)
{
	for (int i = 0; i < CALLED; i++)
		call_one(i, value);
	KEEP;
}

static void say(void)
{
	for (int i = 0; i < CALLED; i++)
		printf("%s %ld %ld\n", function[i].name, done[i], begun[i]);
	printf("interrupted_read %ld %ld\n", done[READ], begun[READ]);
	printf("interrupted_read_second %ld %ld\n", done[READ_SECOND],
	       begun[READ_SECOND]);
	printf("interrupted_load %ld %ld\n", done[LOAD], begun[LOAD]);
}

/* ---- who interrupts: a process of its own, so that there may be one thread only ------- */

#define THREADS 4

/* One thread: a signal is sent when the one before was handled. */
struct target {
	volatile int pid, tid;
	volatile long handled, sent;
};

static struct target *targets;
static thread_local struct target *self;
static pid_t sender;

static void interrupt_all(void)
{
	for (unsigned int turn = 1; ; turn = turn * 1103515245 + 12345) {
		for (int i = 0; i < THREADS; i++) {
			struct target *to = &targets[i];

			if (!to->tid || to->sent != to->handled)
				continue;
			ADD(to->sent, 1);
			if (syscall(SYS_tgkill, to->pid, to->tid, SIGUSR1))
				ADD(to->sent, -1);
		}
		/* It gets somewhere meanwhile. */
		for (volatile unsigned int wait = turn >> 16 & 0xfff; wait; )
			wait = wait - 1;
	}
}

static void start_sender(void)
{
	targets = static_cast<struct target *>(mmap(NULL, 4096, PROT_READ | PROT_WRITE,
						    MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	sender = fork();
	if (sender)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	interrupt_all();
}

static void be_target(struct target *target)
{
	self = target;
	target->handled = 0;
	target->sent = 0;
	target->pid = getpid();
	target->tid = (int)syscall(SYS_gettid);
}

/* What is on its way is waited for: nobody else's turn must be counted for it. */
static void be_target_no_more(void)
{
	self->tid = 0;
	while (self->handled < self->sent)
		sched_yield();
}

/* ---- who handles it -------------------------------------------------------------------- */

#define FRAMES 64

struct walk {
	uintptr_t ip[FRAMES];
	int nr;
};

static uintptr_t outermost;	/* the function that all that is interrupted is called by */
static bool throws, may_be_elsewhere;
static int input, output = -1;
static volatile long nr_thrown, nr_wrong, nr_within;

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *to)
{
	struct walk *walk = static_cast<struct walk *>(to);

	if (walk->nr == FRAMES)
		return _URC_END_OF_STACK;
	walk->ip[walk->nr++] = _Unwind_GetIP(context);
	return _URC_NO_REASON;
}

/* The handler, who called it, and what was interrupted; further out there is @outermost. */
static bool walk_is_right(const struct walk *walk, uintptr_t ip)
{
	if (walk->nr < 3 || walk->ip[2] != ip)
		return false;
	for (int i = 2; i < walk->nr; i++) {
		/* Others are behind a call. */
		void *at = (void *)(walk->ip[i] - (i > 2));

		if ((uintptr_t)_Unwind_FindEnclosingFunction(at) == outermost)
			return true;
	}
	return false;
}

static bool is_text(uintptr_t ip)
{
	struct dl_find_object found;

	return !_dl_find_object((void *)ip, &found);
}

/* Left at its first instruction it was not called; nor was what it would have called. */
static void note_left(uintptr_t ip)
{
	for (int i = 0; i < CALLED; i++) {
		uintptr_t entry = (uintptr_t)function[i].entry;
		uintptr_t behind = (uintptr_t)function[i].behind;

		if (ip == entry)
			ADD(begun[i], -1);
		if (behind && ip >= entry && ip < behind)
			ADD(begun[LEAF], -1);
	}
}

static void on_signal(int, siginfo_t *, void *context)
{
	const ucontext_t *interrupted = static_cast<ucontext_t *>(context);
	uintptr_t ip = (uintptr_t)interrupted->uc_mcontext.gregs[REG_RIP];
	bool within = ip >= (uintptr_t)interrupted_start && ip < (uintptr_t)interrupted_end;
	struct walk walk = {};

	_Unwind_Backtrace(step, &walk);
	if (!may_be_elsewhere && (!is_text(ip) || !walk_is_right(&walk, ip)))
		ADD(nr_wrong, 1);
	ADD(nr_within, within);
	if (output >= 0 && self->handled % 5 == 4 && write(output, "x", 1) != 1)
		ADD(nr_wrong, 1);
	ADD(self->handled, 1);
	if (within && throws) {
		note_left(ip);
		throw ip;
	}
}

static void handle_signals(void)
{
	struct sigaction action = {};

	action.sa_sigaction = on_signal;
	action.sa_flags = SA_SIGINFO | SA_RESTART;
	sigaction(SIGUSR1, &action, NULL);
}

static void unblock(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
}

/* ---- what is interrupted ---------------------------------------------------------------- */

/* It is thrown out of a function, which is a call of the one above. */
FRAME static void call_and_catch(int which, long value)
{
	try {
		note(begun, which, 1);
		function[which].call(value);
	} catch (uintptr_t) {
		ADD(nr_thrown, 1);
		unblock();
	}
}

FRAME static void *be_interrupted(void *target)
{
	long signals = scaled(20000), value = 1;

	be_target(static_cast<struct target *>(target));
	while (self->handled < signals) {
		if (throws)
			call_and_catch((int)(value % CALLED), value);
		else
			call_all(value);
		value++;
	}
	be_target_no_more();
	return NULL;
}

static void run_threads(int nr)
{
	pthread_t thread[THREADS];

	if (!nr)
		be_interrupted(&targets[0]);
	for (int i = 0; i < nr; i++)
		pthread_create(&thread[i], NULL, be_interrupted, &targets[i]);
	for (int i = 0; i < nr; i++)
		pthread_join(thread[i], NULL);
	/* What was left is not done; but it is known what was begun. */
	for (int i = 0; throws && i < CALLED; i++)
		done[i] = begun[i];
	CHECK(nr_within);
	CHECK(!throws || nr_thrown);
}

FRAME static void vfork_one(void)
{
	pid_t pid = vfork();

	if (!pid) {
		silent = true;
		be_interrupted(&targets[0]);
		_exit(0);
	}
	silent = false;
	waitpid(pid, NULL, 0);
}

static void run_vfork(int nr)
{
	vfork_one();
	vfork_one();
	run_threads(nr);
}

/* ---- cancelled -------------------------------------------------------------------------- */

static volatile long nr_begun, nr_destroyed;

struct destroyed {
	~destroyed() { ADD(nr_destroyed, 1); }
};

/* It has nothing to destroy: who is cancelled in it may be anywhere. */
FRAME static void call_for_ever(void)
{
	ADD(nr_begun, 1);
	for (long value = 1; ; value++)
		call_all(value);
}

FRAME static void *be_cancelled(void *)
{
	struct destroyed destroyed;
	int before;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &before);
	call_for_ever();
	return NULL;
}

static void run_cancel(void)
{
	long nr = scaled(2000);

	for (long i = 0; i < nr; i++) {
		pthread_t thread;
		void *ret;

		pthread_create(&thread, NULL, be_cancelled, NULL);
		while (nr_begun == i)
			sched_yield();
		pthread_cancel(thread);
		pthread_join(thread, &ret);
		CHECK(ret == PTHREAD_CANCELED);
		CHECK(nr_destroyed == i + 1);
	}
}

/* ---- system calls ------------------------------------------------------------------------- */

FRAME static void read_all(long nr)
{
	char byte;

	be_target(&targets[0]);
	for (long i = 0; i < nr; i++) {
		/* Its first instruction is the call: that is begun again in the slab. */
		may_be_elsewhere = true;
		ADD(begun[READ], 1);
		CHECK(call_read(input, &byte, 1) == 1);
		ADD(done[READ], 1);
		may_be_elsewhere = false;
		ADD(begun[READ_SECOND], 1);
		CHECK(interrupted_read_second(input, &byte, 1) == 1);
		ADD(done[READ_SECOND], 1);
	}
	be_target_no_more();
}

static void run_read(void)
{
	int pipes[2];

	if (pipe(pipes))
		abort();
	input = pipes[0];
	output = pipes[1];
	read_all(scaled(2000));
}

/* ---- faults -------------------------------------------------------------------------------- */

static const long five = 5;

static void on_fault(int, siginfo_t *, void *context)
{
	greg_t *regs = static_cast<ucontext_t *>(context)->uc_mcontext.gregs;

	CHECK((uintptr_t)regs[REG_RIP] == (uintptr_t)interrupted_load);
	regs[REG_RDI] = (greg_t)&five;
}

static void run_fault(void)
{
	struct sigaction action = {};
	long nr = scaled(20000);

	action.sa_sigaction = on_fault;
	action.sa_flags = SA_SIGINFO;
	sigaction(SIGSEGV, &action, NULL);
	for (long i = 0; i < nr; i++) {
		ADD(begun[LOAD], 1);
		CHECK(interrupted_load(NULL) == five);
		ADD(done[LOAD], 1);
	}
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	int nr = argc > 2 ? atoi(argv[2]) : 0;

	outermost = (uintptr_t)be_interrupted;
	throws = !strcmp(how, "throw");
	start_sender();
	handle_signals();
	if (!strcmp(how, "walk") || throws) {
		run_threads(nr);
	} else if (!strcmp(how, "vfork")) {
		run_vfork(nr);
	} else if (!strcmp(how, "cancel")) {
		run_cancel();
	} else if (!strcmp(how, "fault")) {
		run_fault();
	} else {
		outermost = (uintptr_t)read_all;
		run_read();
	}
	kill(sender, SIGKILL);
	waitpid(sender, NULL, 0);
	CHECK(!nr_wrong);
	say();
	return unwinds_failed;
}

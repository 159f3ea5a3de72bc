// SPDX-License-Identifier: GPL-2.0
/*
 * A parent and its children: family KIND END THREADS N
 *
 * It makes N children, one after the other, and prints how often each function was called,
 * and how many children found the text of this program as it is in the file, and its pointers.
 *
 *	KIND	fork, vfork, spawn (posix_spawn), thread-like (clone with CLONE_VM only),
 *		clone (CLONE_VM and CLONE_VFORK, on a stack of its own), tls (and with thread
 *		storage of its own), nested (a vfork child that has one), daemon (a fork child
 *		that forks and ends); and what can't be made: invalid, limit, taken, vtaken (with
 *		a pid that there is), dead (in a pid namespace whose first process has ended),
 *		large (with more memory than there is for two, if none is overcommitted)
 *	END	exit, kill, exec: of the child; exec runs this program as "family child"
 *	THREADS	that go on calling a function meanwhile
 */
#include <errno.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "own_text.h"

#define TEXT	__attribute__((noinline, noclone, section(".text.family"), aligned(4096)))
#define NEXT	__attribute__((noinline, noclone, section(".text.family")))
#define KEEP	__asm__ volatile("" ::: "memory")

/* All in one page, which is compared. */
TEXT void at_call(void) { KEEP; }
NEXT void in_child(void) { KEEP; }
NEXT void in_parent(void) { KEEP; }
NEXT void bystander(void) { KEEP; }
/* Three bytes, and others behind them: no room for a jump. */
__asm__(".pushsection .text.family, \"ax\"\n"
	".globl short_in_child\n.type short_in_child, @function\n"
	"short_in_child:\n\txor %eax, %eax\n\tret\n.size short_in_child, .-short_in_child\n"
	".globl short_in_parent\n.type short_in_parent, @function\n"
	"short_in_parent:\n\txor %eax, %eax\n\tret\n.size short_in_parent, .-short_in_parent\n"
	".popsection\n");
extern int short_in_child(void), short_in_parent(void);

/* Calls that go through a pointer, or an import's slot, which is filled before we begin. */
static __attribute__((noinline)) void pointed_at(void) { KEEP; }
void (*child_pointer)(void) = pointed_at;
void (*parent_pointer)(void) = pointed_at;

static void call_pointer(void (*const volatile *pointer)(void))
{
	(*pointer)();
}

#define IN_CHILD	3	/* calls of each child */
#define IN_IMAGE	5	/* and of "family child" */
#define PAGE		OWN_TEXT_PAGE
#define STACK		65536

extern char **environ;

static uint8_t file_text[PAGE];
static atomic_int *pristine, *unset;
static const char *end;
static char *self;

static void child_calls(int nr)
{
	for (int i = 0; i < nr; i++) {
		in_child();
		short_in_child();
		call_pointer(&child_pointer);
		getppid();
	}
}

/* What it runs may be its parent's memory: nothing else is changed. */
static void child_main(void)
{
	char *argv[] = { self, "child", NULL };
	const volatile uint8_t *text = (const uint8_t *)(uintptr_t)at_call;
	bool same = true;

	child_calls(IN_CHILD);
	for (int i = 0; i < PAGE; i++)
		same &= text[i] == file_text[i];
	if (same)
		atomic_fetch_add(pristine, 1);
	if (*(void (*const volatile *)(void))&child_pointer == pointed_at)
		atomic_fetch_add(unset, 1);
	if (!strcmp(end, "exec"))
		execve(self, argv, environ);
	if (!strcmp(end, "kill"))
		syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
	syscall(SYS_exit_group, 0);
}

static int child_start(void *unused)
{
	(void)unused;
	child_main();
	return 0;
}

/* ---- ways to make one ---------------------------------------------------------------- */

static char stack[STACK] __attribute__((aligned(16)));

/* No function of libc's may be called with it but by the child's own system calls. */
static void *thread_storage(void)
{
	static uint64_t storage[512] __attribute__((aligned(64)));
	uint64_t *tcb = &storage[256];

	__asm__("mov %%fs:0x28, %0" : "=r"(tcb[5]));
	tcb[0] = tcb[2] = (uintptr_t)tcb;
	return tcb;
}

static pid_t make_clone(int flags)
{
	return clone(child_start, stack + STACK, flags | SIGCHLD, NULL, NULL, thread_storage());
}

static pid_t make_spawn(void)
{
	char *argv[] = { self, "child", NULL };
	pid_t child;
	int error = posix_spawn(&child, self, NULL, NULL, argv, environ);

	errno = error;
	return error ? -1 : child;
}

static pid_t make_nested(void)
{
	pid_t child = vfork();

	if (!child) {
		if (!vfork())
			child_main();
		syscall(SYS_wait4, -1, NULL, 0, NULL);
		child_main();
	}
	return child;
}

/* The grandchild is adopted by us. */
static pid_t make_daemon(void)
{
	pid_t child = fork();

	if (!child) {
		setsid();
		if (fork())
			_exit(0);
		child_main();
	}
	return child;
}

static pid_t make_limited(void)
{
	const struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_NPROC, &none) || (getuid() != 65534 && setuid(65534)))
		return 0;
	return fork();
}

static pid_t make_taken(uint64_t flags)
{
	pid_t first = 1;
	struct clone_args args = {
		.flags = flags, .exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)&first, .set_tid_size = 1,
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static pid_t make_dead(void)
{
	static bool dead;

	if (!dead) {
		pid_t first = unshare(CLONE_NEWPID) ? -1 : fork();

		if (!first)
			_exit(0);
		if (waitpid(first, NULL, 0) != first)
			return 0;
		dead = true;
	}
	return fork();
}

/* Kilobytes. */
static size_t meminfo(const char *what)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	size_t value = 0;

	while (file && !value && fgets(line, sizeof(line), file))
		if (!strncmp(line, what, strlen(what)))
			value = strtoul(line + strlen(what), NULL, 10);
	if (file)
		fclose(file);
	return value;
}

/* The copy fails in the middle: the text lies below this, and libraries above. */
static pid_t make_large(void)
{
	static void *large;

	if (!large)
		large = mmap(NULL, (meminfo("CommitLimit:") - meminfo("Committed_AS:")) * 1024 / 5 * 3,
			     PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return large == MAP_FAILED ? 0 : fork();
}

/* Its frame is there while the child lives. */
__attribute__((noinline, noclone)) pid_t make_child(const char *kind)
{
	pid_t child;

	if (!strcmp(kind, "spawn"))
		return make_spawn();
	if (!strcmp(kind, "nested"))
		return make_nested();
	if (!strcmp(kind, "daemon"))
		return make_daemon();
	if (!strcmp(kind, "clone"))
		return make_clone(CLONE_VM | CLONE_VFORK);
	if (!strcmp(kind, "tls"))
		return make_clone(CLONE_VM | CLONE_VFORK | CLONE_SETTLS);
	if (!strcmp(kind, "thread-like"))
		return make_clone(CLONE_VM);
	if (!strcmp(kind, "invalid"))
		return make_clone(CLONE_SIGHAND);
	if (!strcmp(kind, "limit"))
		return make_limited();
	if (!strcmp(kind, "taken"))
		return make_taken(0);
	if (!strcmp(kind, "vtaken"))
		return make_taken(CLONE_VM | CLONE_VFORK);
	if (!strcmp(kind, "dead"))
		return make_dead();
	if (!strcmp(kind, "large"))
		return make_large();
	child = strcmp(kind, "vfork") ? fork() : vfork();
	if (!child)
		child_main();
	return child;
}

/* ---- the parent ---------------------------------------------------------------------- */

static atomic_bool stop;

static void *bystand(void *calls)
{
	while (!stop) {
		bystander();
		++*(unsigned long *)calls;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long bystanders[8] = { 0 }, sum = 0;
	pthread_t thread[8];
	int threads, nr, failed = 0;

	if (argc == 2 && !strcmp(argv[1], "child")) {
		child_calls(IN_IMAGE);
		return 0;
	}
	if (argc != 5 || own_text_read(at_call, file_text))
		return 2;
	self = realpath("/proc/self/exe", NULL);
	end = argv[2];
	threads = atoi(argv[3]);
	nr = atoi(argv[4]);
	pristine = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unset = pristine + 1;
	if (pristine == MAP_FAILED || threads > 8)
		return 2;
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	for (int i = 0; i < threads; i++)
		pthread_create(&thread[i], NULL, bystand, &bystanders[i]);
	for (int i = 0; i < nr; i++) {
		at_call();
		failed += make_child(argv[1]) < 0;
		in_parent();
		short_in_parent();
		call_pointer(&parent_pointer);
		getpgrp();
		while (wait(NULL) > 0)
			;
	}
	stop = true;
	for (int i = 0; i < threads; i++) {
		pthread_join(thread[i], NULL);
		sum += bystanders[i];
	}
	printf("{\"pid\": %d, \"bystander\": %lu, \"failed\": %d, \"pristine\": %d, "
	       "\"unset\": %d}\n", getpid(), sum, failed, *pristine, *unset);
	return 0;
}

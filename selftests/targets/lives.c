// SPDX-License-Identifier: GPL-2.0
/*
 * Children with odd lives: lives KIND [ARG]
 *
 * Prints its pid, that of a child where that matters, how many children found the text of
 * this program as it is in the file, and what went wrong.
 *
 *	traced, vtraced		fork, or vfork, with a debugger that its children are attached to
 *	stopped			children that are stopped before their first instruction
 *	killed			... or killed
 *	early			children that are killed as early as their parent can
 *	vstopped		a vfork parent that is stopped while its child runs
 *	exec-thread		a thread that is not the first executes this program
 *	exec-thread-child	... of a child
 *	again PATH		three children with one pid, one after the other; while the second
 *				lives PATH, a pipe, is written to, and read from
 *	again-32bit PATH	one that ends, and one with its pid that is as with 32bit, by vfork
 *	daemon PATH		leaves a process, which reads PATH, a pipe, before it goes on
 *	setuid			gives up root, and executes this program in a child
 *	uring			has workers of io_uring while it makes children
 *	32bit PATH		a child executes PATH, which executes this program
 */
#include <fcntl.h>
#include <linux/io_uring.h>
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
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "own_text.h"

#define TEXT	__attribute__((noinline, noclone, section(".text.lives"), aligned(4096)))
#define NEXT	__attribute__((noinline, noclone, section(".text.lives")))
#define KEEP	__asm__ volatile("" ::: "memory")

/* All in one page, which is compared. */
TEXT void in_parent(void) { KEEP; }
NEXT void in_child(void) { KEEP; }
NEXT void in_image(void) { KEEP; }

#define N		3	/* children, where nothing else is said */
#define EARLY		100
#define IN_CHILD	3	/* calls of each child */
#define IN_IMAGE	5	/* and of what it executes */

extern char **environ;

/* @before, @after: calls that began, and ended, in children. */
struct shared {
	atomic_int ready, pristine, newborn, before, after;
};

static struct shared *shared;
static uint8_t file_text[OWN_TEXT_PAGE];
static char *self;

static void child_calls(void)
{
	const volatile uint8_t *text = (const uint8_t *)(uintptr_t)in_parent;
	bool same = true;

	for (int i = 0; i < IN_CHILD; i++) {
		shared->before++;
		in_child();
		shared->after++;
	}
	for (int i = 0; i < OWN_TEXT_PAGE; i++)
		same &= text[i] == file_text[i];
	if (same)
		shared->pristine++;
}

static void child_execs(void)
{
	char *argv[] = { self, "image", NULL };

	child_calls();
	execve(self, argv, environ);
	_exit(99);
}

static bool ends_well(pid_t child)
{
	int status;

	return waitpid(child, &status, 0) == child && !status;
}

static void wait_for(const atomic_int *what, int value)
{
	while (*what < value)
		sched_yield();
}

/* ---- children that are traced -------------------------------------------------------- */

static bool text_is_pristine(pid_t pid)
{
	for (size_t i = 0; i < OWN_TEXT_PAGE; i += sizeof(long)) {
		long word = ptrace(PTRACE_PEEKTEXT, pid, (char *)(uintptr_t)in_parent + i, 0);

		if (memcmp(&word, file_text + i, sizeof(word)))
			return false;
	}
	return true;
}

/* Of a child that has not run yet. What becomes of it: 0, SIGSTOP, SIGKILL. */
static void newborn(pid_t pid, int fate)
{
	shared->newborn += text_is_pristine(pid);
	if (fate)
		kill(pid, fate);
	ptrace(fate ? PTRACE_DETACH : PTRACE_CONT, pid, 0, 0);
}

static void stopped(pid_t pid, int status, int fate)
{
	int event = status >> 16, sig = WSTOPSIG(status);

	if (event == PTRACE_EVENT_STOP && sig == SIGTRAP)
		newborn(pid, fate);
	else
		ptrace(PTRACE_CONT, pid, 0, event ? 0 : sig);
}

/* Until its parent, which it traces, ends. */
static void trace_parent(int fate)
{
	const long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
			     PTRACE_O_TRACEEXEC;
	pid_t parent = getppid(), pid;
	int status;

	shared->ready = ptrace(PTRACE_SEIZE, parent, 0, options) ? 2 : 1;
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status))
			stopped(pid, status, fate);
		else if (pid == parent)
			break;
	}
	_exit(0);
}

static bool begin_traced(int fate)
{
	if (!fork())
		trace_parent(fate);
	wait_for(&shared->ready, 1);
	return shared->ready == 1;
}

static bool live_traced(const char *unused)
{
	bool good = begin_traced(0);

	for (int i = 0; i < N; i++) {
		pid_t child = fork();

		if (!child)
			child_execs();
		good &= ends_well(child);
	}
	return good;
}

static bool live_vtraced(const char *unused)
{
	volatile bool good = begin_traced(0);

	for (volatile int i = 0; i < N; i++) {
		pid_t child = vfork();

		if (!child)
			child_execs();
		good &= ends_well(child);
	}
	return good;
}

static bool live_stopped(const char *unused)
{
	bool good = begin_traced(SIGSTOP);

	for (int i = 0; i < N; i++) {
		pid_t child = fork();
		int status;

		if (!child)
			child_execs();
		good &= waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status);
		good &= shared->before == i * IN_CHILD;
		kill(child, SIGCONT);
		good &= ends_well(child);
	}
	return good;
}

static bool live_killed(const char *unused)
{
	bool good = begin_traced(SIGKILL);

	for (int i = 0; i < N; i++) {
		pid_t child = fork();
		int status;

		if (!child)
			child_execs();
		good &= waitpid(child, &status, 0) == child && WIFSIGNALED(status);
	}
	return good && !shared->before;
}

/* ---- children, and parents, that are hit by signals ------------------------------------ */

static bool live_early(const char *unused)
{
	bool good = true;

	for (int i = 0; i < EARLY; i++) {
		pid_t child = fork();
		int status;

		if (!child) {
			child_calls();
			pause();
		}
		kill(child, SIGKILL);
		good &= waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGKILL;
	}
	return good;
}

/* By /proc/PID/stat. */
static char state_of(pid_t pid)
{
	char path[64], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	if (file)
		fclose(file);
	return state;
}

static bool live_vstopped(const char *unused)
{
	pid_t parent = getpid(), waker = fork(), child;

	if (!waker) {
		for (int i = 0; i < N; i++) {
			while (state_of(parent) != 'T')
				sched_yield();
			kill(parent, SIGCONT);
			while (state_of(parent) == 'T')
				sched_yield();
		}
		_exit(0);
	}
	for (volatile int i = 0; i < N; i++) {
		child = vfork();
		if (!child) {
			kill(parent, SIGSTOP);
			child_execs();
		}
		in_parent();
		if (!ends_well(child))
			return false;
	}
	return ends_well(waker);
}

/* ---- exec by other threads -------------------------------------------------------------- */

static void *execs(void *unused)
{
	child_execs();
	return unused;
}

static bool live_exec_thread(const char *unused)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, execs, NULL))
		return false;
	for (;;)
		pause();
}

static bool live_exec_thread_child(const char *unused)
{
	bool good = true;

	for (int i = 0; i < N; i++) {
		pid_t child = fork();

		if (!child)
			live_exec_thread(unused);
		good &= ends_well(child);
	}
	return good;
}

/* ---- pids, daemons, credentials ---------------------------------------------------------- */

/* @pid 0: whatever comes. */
static pid_t fork_with_pid(pid_t pid)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = pid ? (uintptr_t)&pid : 0,
		.set_tid_size = pid ? 1 : 0,
	};

	return syscall(SYS_clone3, &args, sizeof(args));
}

/* Somebody comes, and goes. */
static void meet(const char *path)
{
	char byte;
	int fd = open(path, O_WRONLY);

	if (write(fd, "!", 1) != 1)
		_exit(1);
	close(fd);
	fd = open(path, O_RDONLY);
	if (read(fd, &byte, 1))
		_exit(1);
	close(fd);
}

static pid_t the_child;

static bool live_again(const char *path)
{
	bool good = true;

	for (int i = 0; i < N; i++) {
		pid_t child = fork_with_pid(the_child);

		if (!child) {
			child_calls();
			if (i == 1)
				child_calls(), meet(path);
			if (i == 2)
				child_execs();
			_exit(0);
		}
		good &= (!the_child || child == the_child) && ends_well(child);
		the_child = child;
	}
	return good;
}

/* Its report is what is read from the pipe. */
static void daemon_lives(const char *path)
{
	char report[64];
	int fd, pristine;
	pid_t child;
	bool good;

	for (fd = 0; fd < 3; fd++)
		close(fd);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, report, 1))
		_exit(1);
	close(fd);
	shared->pristine = 0;
	child_calls();
	pristine = shared->pristine;
	child = fork();
	if (!child)
		child_execs();
	good = ends_well(child);
	fd = open(path, O_WRONLY);
	snprintf(report, sizeof(report), "%d %d %d\n", good, pristine,
		 shared->pristine - pristine);
	_exit(write(fd, report, strlen(report)) < 0);
}

static bool live_daemon(const char *path)
{
	pid_t child = fork();

	if (!child) {
		setsid();
		if (fork())
			_exit(0);
		child_calls();
		shared->ready = 1;
		daemon_lives(path);
	}
	wait_for(&shared->ready, 1);
	return ends_well(child);
}

static bool live_setuid(const char *unused)
{
	pid_t child;

	if (setresuid(65534, 65534, 65534))
		return false;
	child = vfork();
	if (!child) {
		char *argv[] = { self, "root", NULL };

		child_calls();
		execve(self, argv, environ);
		_exit(99);
	}
	return ends_well(child);
}

/* ---- io_uring ---------------------------------------------------------------------------- */

/* A ring with room for one, in which a read of @fd is begun by a worker. */
static bool uring_reads(int fd, char *byte)
{
	struct io_uring_params params = { 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 1, &params);
	struct io_uring_sqe *entry;
	char *queue;

	if (ring < 0)
		return false;
	queue = mmap(NULL, params.sq_off.array + sizeof(uint32_t), PROT_READ | PROT_WRITE,
		     MAP_SHARED, ring, IORING_OFF_SQ_RING);
	entry = mmap(NULL, sizeof(*entry), PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		     IORING_OFF_SQES);
	if (queue == MAP_FAILED || entry == MAP_FAILED)
		return false;
	*entry = (struct io_uring_sqe){
		.opcode = IORING_OP_READ, .flags = IOSQE_ASYNC, .fd = fd,
		.addr = (uintptr_t)byte, .len = 1,
	};
	*(uint32_t *)(queue + params.sq_off.array) = 0;
	atomic_store((atomic_uint *)(queue + params.sq_off.tail), 1);
	return syscall(SYS_io_uring_enter, ring, 1, 0, 0, NULL, 0) == 1;
}

static bool live_uring(const char *unused)
{
	char byte[2] = { 0 };
	pid_t child;
	int fd[2];

	if (pipe(fd) || !uring_reads(fd[0], &byte[0]) || !uring_reads(fd[0], &byte[1]))
		return false;
	/* The kernel shows its workers as threads of ours. */
	if (access("/proc/self/task", F_OK) || system("test $(ls /proc/$PPID/task | wc -l) -gt 1"))
		return false;
	child = vfork();
	if (!child)
		child_execs();
	in_parent();
	if (!ends_well(child))
		return false;
	child = fork();
	if (!child)
		child_execs();
	if (!ends_well(child) || write(fd[1], "ab", 2) != 2)
		return false;
	while (!*(volatile char *)&byte[0] || !*(volatile char *)&byte[1])
		sched_yield();
	return byte[0] + byte[1] == 'a' + 'b';
}

/* ---- 32 bit -------------------------------------------------------------------------------- */

static bool live_again_32bit(const char *path)
{
	char *argv[] = { "thirty-two", self, "image", NULL };
	FILE *last = fopen("/proc/sys/kernel/ns_last_pid", "w");
	pid_t first = fork();

	if (!first) {
		child_calls();
		_exit(0);
	}
	if (!ends_well(first) || !last || fprintf(last, "%d", first - 1) < 0 || fclose(last) ||
	    posix_spawn(&the_child, path, NULL, NULL, argv, environ))
		return false;
	return ends_well(the_child) && the_child == first;
}

static bool live_32bit(const char *path)
{
	char *argv[] = { "thirty-two", self, "image", NULL };
	pid_t child = fork();

	if (!child) {
		child_calls();
		execve(path, argv, environ);
		_exit(99);
	}
	return ends_well(child);
}

/* ------------------------------------------------------------------------------------------- */

static const struct {
	const char *kind;
	bool (*live)(const char *arg);
} lives[] = {
	{ "traced", live_traced },
	{ "vtraced", live_vtraced },
	{ "stopped", live_stopped },
	{ "killed", live_killed },
	{ "early", live_early },
	{ "vstopped", live_vstopped },
	{ "exec-thread", live_exec_thread },
	{ "exec-thread-child", live_exec_thread_child },
	{ "again", live_again },
	{ "daemon", live_daemon },
	{ "setuid", live_setuid },
	{ "uring", live_uring },
	{ "32bit", live_32bit },
	{ "again-32bit", live_again_32bit },
};

static int image(bool as_root)
{
	for (int i = 0; i < IN_IMAGE; i++)
		in_image();
	return as_root && geteuid() ? 1 : 0;
}

static bool live(const char *kind, const char *arg)
{
	for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++)
		if (!strcmp(lives[i].kind, kind))
			return lives[i].live(arg);
	return false;
}

int main(int argc, char **argv)
{
	bool good;

	if (argc < 2 || own_text_read(in_parent, file_text))
		return 2;
	if (!strcmp(argv[1], "image") || !strcmp(argv[1], "root"))
		return image(argv[1][0] == 'r');
	self = realpath("/proc/self/exe", NULL);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	in_parent();
	good = live(argv[1], argv[2]);
	in_parent();
	printf("{\"pid\": %d, \"child\": %d, \"good\": %s, \"pristine\": %d, \"newborn\": %d, "
	       "\"before\": %d, \"after\": %d}\n", getpid(), the_child, good ? "true" : "false",
	       shared->pristine, shared->newborn, shared->before, shared->after);
	return 0;
}

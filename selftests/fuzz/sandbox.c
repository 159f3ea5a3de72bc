// SPDX-License-Identifier: GPL-2.0
/*
 * A sequence has registers and memory that are random: it may write wherever there
 * is something, and that may be the end of its process. If the sequence was not even
 * patched then, a new process goes on with the next one. What is a difference comes
 * again in another process.
 */

#include "sandbox.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

/* More than any batch takes. */
#define SECONDS_MAX 120

/* What the sandbox tells. */
struct shared {
	size_t current;			/* the sequence that runs */
	volatile bool patched, ready;
	struct tally tally;
	struct difference difference;
};

/* ---- inside ----------------------------------------------------------------- */

/* A system call fails in a sequence, and ends the process elsewhere. */
static bool forbid_system_calls(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 6),
		/* Libraries lie higher than any sequence. */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, instruction_pointer) + 4),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x4000, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(filter[0]),
		.filter = filter,
	};

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

static bool limit(void)
{
	const struct rlimit none = { 0 }, cpu = { SECONDS_MAX, SECONDS_MAX };

	return !close_range(0, ~0U, 0) && !setrlimit(RLIMIT_CORE, &none) &&
	       !setrlimit(RLIMIT_CPU, &cpu);
}

static void __attribute__((noreturn)) sandbox_main(const struct batch *batch,
						    struct shared *shared)
{
	struct random random = random_stream(batch->seed, ~(batch->first / BATCH_MAX));
	struct view view;

	if (!view_init(&view, batch) || !run_prepare(&view) || !limit() ||
	    !forbid_system_calls())
		_exit(1);
	shared->ready = true;
	state_make_pool(&random, batch->base);
	while (shared->current < batch->nr) {
		if (!check_sequence(&view, shared->current, &shared->tally, &shared->difference,
				    &shared->patched))
			break;
		shared->current++;
	}
	shared->tally.led_on += run_nr_traps();
	_exit(0);
}

/* ---- outside ---------------------------------------------------------------- */

static struct shared *shared_get(void)
{
	static struct shared *shared;

	if (!shared)
		shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return shared == MAP_FAILED ? NULL : shared;
}

static bool run_process(const struct batch *batch, struct shared *shared)
{
	pid_t pid;
	int status;

	shared->ready = false;
	pid = fork();
	if (!pid)
		sandbox_main(batch, shared);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !shared->ready) {
		printf("# there can be no sandbox here\n");
		return false;
	}
	if (WIFSIGNALED(status) || WEXITSTATUS(status))
		printf("# sandbox ended with status %x\n", status);
	return true;
}

/* The process has died of a sequence; @again: not for the first time. */
static bool survive(const struct batch *batch, struct shared *shared, bool again)
{
	struct tally_class *class = &shared->tally.class[batch->class[shared->current]];

	if (shared->patched && !again)
		return true;
	if (shared->patched) {
		shared->difference.what = "process has died";
		shared->difference.sequence = shared->current;
		return false;
	}
	class->sequences++;
	class->fatal++;
	shared->current++;
	return true;
}

bool sandbox_check(const struct batch *batch, struct tally *tally,
		   struct difference *difference)
{
	struct shared *shared = shared_get();
	size_t died = SIZE_MAX;
	bool good = shared;

	if (!good)
		return false;
	shared->current = 0;
	shared->tally = *tally;
	while (good && shared->current < batch->nr) {
		good = run_process(batch, shared) && !shared->difference.what;
		if (!good || shared->current == batch->nr)
			break;
		good = survive(batch, shared, died == shared->current);
		died = shared->current;
	}
	*tally = shared->tally;
	*difference = shared->difference;
	return good;
}

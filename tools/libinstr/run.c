// SPDX-License-Identifier: GPL-2.0
/*
 * A program that we start.
 *
 * A socket pair leads to the child: a byte from us releases it, an errno from it
 * says why it could not run the program, and its end, as it is closed on exec,
 * that it could.
 */

#include "run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- signals -------------------------------------------------------------- */

int instr_signals_take(struct instr_signals *signals, struct instr_err *err)
{
	struct sigaction fallback = { .sa_handler = SIG_DFL };
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGQUIT);
	sigaddset(&ours, SIGTERM);
	signals->fd = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals->fd < 0)
		return instr_fail(err, -errno, "signals: %s", strerror(errno));
	sigprocmask(SIG_BLOCK, &ours, &signals->mask);
	/* If it is ignored, children leave no status behind. */
	sigaction(SIGCHLD, &fallback, &signals->child);
	return 0;
}

static void signals_restore(const struct instr_signals *signals)
{
	sigaction(SIGCHLD, &signals->child, NULL);
	sigprocmask(SIG_SETMASK, &signals->mask, NULL);
}

void instr_signals_give_back(struct instr_signals *signals)
{
	/* What arrived meanwhile was for us, and must not kill us now. */
	while (instr_signals_next(signals))
		;
	signals_restore(signals);
	close(signals->fd);
	signals->fd = -1;
}

int instr_signals_next(const struct instr_signals *signals)
{
	struct signalfd_siginfo info;

	if (read(signals->fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	return info.ssi_signo;
}

/* ---- the child ------------------------------------------------------------ */

static void __attribute__((noreturn))
child_main(char *const *argv, const struct instr_signals *signals, int control)
{
	char go;
	int error;

	if (recv(control, &go, 1, 0) != 1)
		_exit(125);
	signals_restore(signals);
	execvp(argv[0], argv);
	error = errno;
	send(control, &error, sizeof(error), MSG_NOSIGNAL);
	_exit(error == ENOENT ? 127 : 126);
}

int instr_run_start(char *const *argv, const struct instr_signals *signals,
		    struct instr_run *ret, struct instr_err *err)
{
	int ends[2];
	int code;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return instr_fail(err, -errno, "%s: %s", argv[0], strerror(errno));
	ret->control = ends[0];
	ret->pidfd = -1;
	ret->pid = fork();
	if (ret->pid == 0) {
		close(ends[0]);
		child_main(argv, signals, ends[1]);
	}
	code = -errno;
	close(ends[1]);
	if (ret->pid < 0) {
		close(ends[0]);
		return instr_fail(err, code, "%s: %s", argv[0], strerror(-code));
	}
	code = instr_pidfd_open(ret->pid, &ret->pidfd, err);
	if (code)
		instr_run_abort(ret);
	return code;
}

int instr_run_release(struct instr_run *run, const char *name, struct instr_err *err)
{
	ssize_t len = -1;
	int error;

	if (send(run->control, "", 1, MSG_NOSIGNAL) == 1)
		len = recv(run->control, &error, sizeof(error), MSG_WAITALL);
	close(run->control);
	run->control = -1;
	if (len != sizeof(error))
		return 0;
	return instr_fail(err, -error, "%s: %s", name, strerror(error));
}

void instr_run_abort(struct instr_run *run)
{
	close(run->control);
	run->control = -1;
	instr_run_wait(run);
}

int instr_run_wait(struct instr_run *run)
{
	int status = 0;

	while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (run->pidfd >= 0)
		close(run->pidfd);
	run->pidfd = -1;
	return status;
}

int instr_run_end_like(int status)
{
	struct rlimit no_core = { 0 };
	sigset_t set;

	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	setrlimit(RLIMIT_CORE, &no_core);
	/* A core pattern that is a pipe does not care for the limit. */
	prctl(PR_SET_DUMPABLE, 0);
	signal(WTERMSIG(status), SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, WTERMSIG(status));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(WTERMSIG(status));
	return 128 + WTERMSIG(status);
}

int instr_pidfd_open(pid_t pid, int *ret, struct instr_err *err)
{
	*ret = pidfd_open(pid, 0);
	if (*ret >= 0)
		return 0;
	if (errno == ESRCH)
		return instr_fail(err, -ESRCH, "process %d: no such process", pid);
	return instr_fail(err, -errno, "process %d: %s", pid, strerror(errno));
}

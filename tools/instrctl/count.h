/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A count: a session of the module that counts calls in one program.
 *
 *	count_prepare	the overlays are there, nothing shows them yet
 *	count_begin	the program is counted in, and runs
 *	count_wait	... until it ends, or we are told to stop
 *	count_end	it runs the files' own text again
 *	count_close	the session is gone
 */
#ifndef INSTRCTL_COUNT_H
#define INSTRCTL_COUNT_H

#include "libinstr/dev.h"
#include "libinstr/run.h"
#include "libinstr/watch.h"
#include "scope.h"
#include "target.h"

struct count {
	struct instr_dev *dev;
	struct instr_watch *watch;
	struct instr_signals signals;

	/* Either a program of ours, with its arguments, or a pid. */
	char *const *argv;
	struct instr_run run;
	pid_t pid;
	int pidfd;

	int input_fd;		/* waiting ends when it can be read; -1: there is none */
	uint32_t flags;		/* INSTR_ATTACH_*, of who is attached */
	const struct scope *scope;	/* NULL: that program */
	bool attached;
	double seconds;
	uint32_t tsc_khz;	/* where functions are timed */
};

enum count_stop {
	COUNT_ENDED,		/* the program ended */
	COUNT_TOLD,		/* by a signal */
	COUNT_TIMEOUT,
	COUNT_REMOVED,		/* somebody removed the session */
	COUNT_INPUT,		/* on input_fd */
};

/* @flags: INSTR_ATTACH_*, but for INSTR_ATTACH_ON_EXEC. */
int count_prepare(struct count *count, struct targets *targets, uint32_t flags,
		  struct instr_err *err);

/* Counts in a process that runs. */
int count_begin_pid(struct count *count, pid_t pid, struct instr_err *err);
/*
 * Counts in a program from its first instruction on. *status: what to exit with
 * if it fails.
 */
int count_begin_command(struct count *count, char *const *argv, int *status,
			struct instr_err *err);

/* Counts in it, and in all who descend from it now. */
int count_begin_tree(struct count *count, pid_t pid, struct instr_err *err);
/*
 * Counts in all processes of @scope; where @argv[0] is not NULL as long as that program,
 * which is begun then, runs. *status as above.
 */
int count_begin_all(struct count *count, const struct scope *scope, char *const *argv,
		    int *status, struct instr_err *err);
/* May it be more than one process? */
bool count_has_many(const struct count *count);

/*
 * @timeout: seconds from the beginning of this call; 0: for ever. Whenever address spaces
 * have ended meanwhile @on_gone is called, if it is not NULL; and again soon if it says so.
 */
enum count_stop count_wait(struct count *count, double timeout, bool (*on_gone)(void *arg),
			   void *arg);
void count_end(struct count *count);
/* The status of the program, as of wait(2), once it has ended. */
int count_status(struct count *count);
void count_close(struct count *count);

#endif

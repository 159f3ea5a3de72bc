/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A program that we start, and the signals that end our own work.
 */
#ifndef LIBINSTR_RUN_H
#define LIBINSTR_RUN_H

#include <signal.h>

#include "libinstr.h"

/*
 * SIGINT, SIGQUIT and SIGTERM arrive at @fd (a signalfd) instead of ending us.
 * The rest is what we inherited, and what a program that we start gets.
 */
struct instr_signals {
	int fd;
	sigset_t mask;
	struct sigaction child;
};

int instr_signals_take(struct instr_signals *signals, struct instr_err *err);
void instr_signals_give_back(struct instr_signals *signals);
/* The signal that arrived, or 0. Does not wait. */
int instr_signals_next(const struct instr_signals *signals);

struct instr_run {
	pid_t pid;
	int pidfd;		/* readable once it has ended */
	int control;		/* to the child, until it is the program */
};

/*
 * Makes a process that has all that ours has, and waits: it becomes @argv on
 * instr_run_release(). To be called before any thread is started. If we die
 * first it ends.
 */
int instr_run_start(char *const *argv, const struct instr_signals *signals,
		    struct instr_run *ret, struct instr_err *err);
/*
 * 0: the program runs, or was killed before. Otherwise it could not be run, and
 * instr_run_wait() has still to be called: -ENOENT: not found.
 */
int instr_run_release(struct instr_run *run, const char *name, struct instr_err *err);
/* Ends a process that was not released. */
void instr_run_abort(struct instr_run *run);
/* Waits for the end, and returns the status as of wait(2). */
int instr_run_wait(struct instr_run *run);

/* Ends as the program did: returns its exit status, or dies by its signal. */
int instr_run_end_like(int status);

/* A descriptor that is readable once the process @pid has ended. */
int instr_pidfd_open(pid_t pid, int *ret, struct instr_err *err);

#endif

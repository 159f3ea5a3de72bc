/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A request: what is to be counted, and in whom, as the command line of stat and of top
 * says it.
 */
#ifndef INSTRCTL_REQUEST_H
#define INSTRCTL_REQUEST_H

#include "cmd.h"
#include "count.h"
#include "scope.h"
#include "target.h"

struct request {
	struct patterns patterns;
	pid_t pid;		/* 0: a command */
	char *const *argv;
	struct goal goal;
	uint32_t flags;		/* INSTR_ATTACH_* */
	bool children;		/* it was said what becomes of them */
	struct scope scope;
};

#define REQUEST_NONE { .scope = SCOPE_NONE }

/* The options that say it, for getopt_long(3). */
#define REQUEST_SHORT "af:p:T"
#define REQUEST_LONG							\
	{ "all", no_argument, NULL, 'a' },				\
	{ "cgroup", required_argument, NULL, REQUEST_CGROUP },		\
	{ "children", required_argument, NULL, REQUEST_CHILDREN },	\
	{ "comm", required_argument, NULL, REQUEST_COMM },		\
	OPT_EXIT,							\
	{ "follow-exec", no_argument, NULL, REQUEST_FOLLOW_EXEC },	\
	{ "function", required_argument, NULL, 'f' },			\
	{ "pid", required_argument, NULL, 'p' },			\
	{ "time", no_argument, NULL, 'T' },				\
	{ "uid", required_argument, NULL, REQUEST_UID },		\
	{ "vfork", required_argument, NULL, REQUEST_VFORK }

enum {
	REQUEST_CHILDREN = OPT_EXIT_VALUE + 1,
	REQUEST_CGROUP,
	REQUEST_COMM,
	REQUEST_FOLLOW_EXEC,
	REQUEST_UID,
	REQUEST_VFORK,
	REQUEST_OPTIONS_END,	/* a verb's own options with no letter begin here */
};

/* Takes the option, if it is one of those; @value belongs to the command line. */
void request_option(struct request *request, int option, const char *value);
/*
 * Is it whole? If not it says what is missing, and returns EXIT_USAGE. Then it has what
 * follows from what was asked for, too.
 */
int request_check(struct request *request);
void request_free(struct request *request);

/* *status: what to exit with if it fails. */
int request_targets(const struct request *request, struct targets *ret, int *status,
		    struct instr_err *err);
/* Begins to count. If that is only possible in another way, @targets are made anew. */
int request_begin(const struct request *request, struct targets *targets, struct count *count,
		  int *status, struct instr_err *err);

#endif

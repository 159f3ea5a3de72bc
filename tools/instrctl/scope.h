/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A scope: which processes are measured, where it is more than one program.
 */
#ifndef INSTRCTL_SCOPE_H
#define INSTRCTL_SCOPE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "libinstr/dev.h"

/* All processes or, of them, those that have what is not NULL, or -1. */
struct scope {
	bool all;
	int64_t uid;		/* effective; -1: any */
	const char *cgroup;	/* a directory; relative: below the cgroup file system */
	const char *comm;	/* a shell pattern */
};

#define SCOPE_NONE { .uid = -1 }

/* A user's name or number, or a usage error, which ends the program. */
int64_t scope_parse_uid(const char *text);
/* A pattern that the kernel takes, or a usage error. */
const char *scope_parse_comm(const char *text);

/* Does it ask for less than all? */
bool scope_has_filter(const struct scope *scope);

/* @flags: INSTR_ATTACH_*. */
int scope_attach(const struct scope *scope, struct instr_dev *dev, uint32_t flags,
		 unsigned int *views, struct instr_err *err);

/*
 * The process @pid, which is attached, and all that descend from it; those that come later
 * do so because of @flags. *nr: how many processes.
 */
int scope_attach_tree(struct instr_dev *dev, pid_t pid, uint32_t flags, size_t *nr,
		      struct instr_err *err);

#endif

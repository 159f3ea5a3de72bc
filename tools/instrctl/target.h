/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Targets: the files that a program's calls are counted in.
 */
#ifndef INSTRCTL_TARGET_H
#define INSTRCTL_TARGET_H

#include <string.h>
#include <sys/types.h>

#include "cmd.h"
#include "libinstr/libinstr.h"
#include "libinstr/proc.h"

/* Overlays of one file, for a program whose memory is not laid out yet. */
#define ALTERNATIVES_MAX 2

/* The program: one that runs, or one that is going to be; or any. */
struct subject {
	pid_t pid;		/* 0: is going to be */
	char *exe;		/* opens it; NULL: any */
	char *exe_name;		/* for people */
	struct instr_maps maps;	/* empty if it does not run */
};

int subject_of_pid(pid_t pid, struct subject *ret, struct instr_err *err);
/* -ENOENT, -EACCES: as instr_program_find(). */
int subject_of_command(const char *command, struct subject *ret, struct instr_err *err);
void subject_of_any(struct subject *ret);
void subject_free(struct subject *subject);

struct target {
	char *name;		/* for people */
	char *path;		/* by which it was opened */
	struct patterns patterns;
	struct instr_file *file;
	const struct instr_func *func;
	struct instr_place *chosen;	/* as the sites of each plan */
	size_t nr;
	size_t first;		/* number of the first one among all targets' */
	size_t nr_plans;
	struct instr_plan *plan[ALTERNATIVES_MAX];
	uint32_t overlay_id[ALTERNATIVES_MAX];
	/* Of no interest but for what unwinds stacks, where functions are timed. */
	bool hidden;
	bool replaced;		/* that was said */
	bool planned;		/* it has a plan, or had one that there was no room for */
};

/* What is to be known of functions, and, but for INSTR_CALLS, how. */
struct goal {
	enum instr_measure measure;
	enum instr_way way;
};

struct targets {
	size_t nr;
	struct target *target;
	size_t nr_sites;	/* of all targets */
	size_t nr_hidden;	/* they are the last */
	struct goal goal;
	bool blind;		/* what unwinds stacks is not seen everywhere */
};

/*
 * Each pattern is a GLOB or a place, for the program's own functions, or a FILE:GLOB, which
 * it has to be if that may be any. But for INSTR_CALLS whole functions only. -ENOTUNIQ: as
 * targets_check_slots().
 */
int targets_create(struct subject *subject, const struct patterns *patterns,
		   struct goal goal, struct targets *ret, struct instr_err *err);
/* A hidden target does not get what it was planned for. */
void targets_leave_out(struct targets *targets, struct target *target);
/*
 * -ENOTUNIQ: functions are to return to slots, but not all that unwinds stacks in the
 * program, as far as we know that, can be told of them. @subject may be NULL: as before.
 */
int targets_check_slots(const struct targets *targets, const struct subject *subject,
			struct instr_err *err);
/* Says which of the files are not what their names stand for any more, of each once. */
void targets_say_replaced(struct targets *targets);
void targets_destroy(struct targets *targets);

/* Its name without folders. */
static inline const char *target_base_name(const struct target *target)
{
	const char *slash = strrchr(target->name, '/');

	return slash && slash[1] ? slash + 1 : target->name;
}

static inline const struct instr_plan_site *target_site(const struct target *target, size_t i)
{
	return instr_plan_place(target->plan[0], i);
}

static inline struct instr_place_info target_place(const struct target *target, size_t i)
{
	return instr_place_info(target->file, target->chosen[i]);
}

#endif

// SPDX-License-Identifier: GPL-2.0
/*
 * Targets: from patterns to files, functions and plans.
 *
 * One file is one target however many patterns name it: the module takes several
 * overlays of a file as alternatives, of which a program gets one.
 */

#include "target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "resolve.h"
#include "room.h"
#include "say.h"
#include "timable.h"
#include "libinstr/timing.h"

/* ---- patterns to files ----------------------------------------------------- */

/* The ':' of FILE:GLOB, or NULL. The names of C++ have theirs in pairs. */
static const char *find_colon(const char *pattern)
{
	for (const char *at = strchr(pattern, ':'); at; at = strchr(at, ':')) {
		if (at[1] != ':')
			return at;
		at += strspn(at, ":");
	}
	return NULL;
}

static int pattern_path(const struct subject *subject, const char *pattern,
			const char *colon, char **ret, struct instr_err *err)
{
	char *name;
	int code;

	if ((!colon || colon == pattern) && !subject->exe)
		return instr_fail(err, -EINVAL, "-f %s: of which file? FILE:GLOB", pattern);
	if (!colon || colon == pattern) {
		*ret = strdup(subject->exe);
		return 0;
	}
	name = strndup(pattern, colon - pattern);
	code = resolve_file(subject, name, ret, err);
	free(name);
	return code;
}

static bool same_file(const struct instr_file *a, const struct instr_file *b)
{
	struct stat sa, sb;

	return !fstat(instr_file_fd(a), &sa) && !fstat(instr_file_fd(b), &sb) &&
	       sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

static struct target *target_find(const struct targets *targets, const struct instr_file *file)
{
	for (size_t i = 0; i < targets->nr; i++)
		if (same_file(targets->target[i].file, file))
			return &targets->target[i];
	return NULL;
}

/* Takes over @file. */
static struct target *target_get(struct targets *targets, struct instr_file *file,
				 const char *path, const char *name)
{
	struct target *target = target_find(targets, file);

	if (target) {
		instr_file_close(file);
		return target;
	}
	targets->target = reallocarray(targets->target, targets->nr + 1, sizeof(*target));
	if (!targets->target)
		out_of_memory();
	target = &targets->target[targets->nr++];
	*target = (struct target) { .file = file, .name = strdup(name), .path = strdup(path) };
	return target;
}

/* What people call the file. */
static const char *pattern_name(const struct subject *subject, const char *path)
{
	return subject->exe && !strcmp(path, subject->exe) ? subject->exe_name : path;
}

static int add_pattern(struct subject *subject, const char *pattern,
		       struct targets *targets, struct instr_err *err)
{
	const char *colon = find_colon(pattern);
	struct instr_file *file;
	struct target *target;
	char *path;
	int code = pattern_path(subject, pattern, colon, &path, err);

	if (code)
		return code;
	code = instr_file_open(path, &file, err);
	if (!code) {
		target = target_get(targets, file, path, pattern_name(subject, path));
		patterns_add(&target->patterns, colon ? colon + 1 : pattern);
	}
	free(path);
	return code;
}

/* ---- plans ----------------------------------------------------------------- */

static int match(struct target *target, enum instr_measure measure, struct instr_err *err)
{
	size_t nr_funcs;
	int code = instr_file_funcs(target->file, &target->func, &nr_funcs, err);

	if (code)
		return code;
	code = instr_places_match(target->file, target->patterns.text, target->patterns.nr,
				  &target->chosen, &target->nr, err);
	if (code || measure == INSTR_CALLS)
		return code;
	return timable_only(target->file, &target->patterns, target->chosen, &target->nr, err);
}

/* What unwinds stacks, which nobody asked for, may be all that a plan has. */
static int check_plan(const struct target *target, struct instr_plan *plan,
		      struct instr_err *err)
{
	for (size_t i = 0; i < target->nr; i++)
		if (instr_plan_place(plan, i)->how != INSTR_HOW_REFUSED)
			return 0;
	if (!target->nr)
		return 0;
	instr_plan_destroy(plan);
	return instr_fail(err, -ENOSPC, "%s: none of the functions can be measured", target->name);
}

static int plan_exits(const struct target *target, struct goal goal,
		      struct instr_distance distance, struct instr_plan **ret,
		      struct instr_err *err)
{
	int code = instr_plan_exits(target->file, goal.measure, goal.way, target->chosen,
				    target->nr, distance, ret, err);

	return code ?: check_plan(target, *ret, err);
}

static int plan_of(const struct target *target, struct goal goal,
		   struct instr_distance distance, struct instr_plan **ret,
		   struct instr_err *err)
{
	int code;

	if (goal.measure == INSTR_CALLS)
		code = instr_plan_create(target->file, target->chosen, target->nr, distance, ret,
					 err);
	else
		code = plan_exits(target, goal, distance, ret, err);
	if (code == -ENOSPC)
		instr_hint(err, code, "see: instrctl list %s%s",
			   goal.measure == INSTR_CALLS ? "" : "--time ", target->name);
	return code;
}

/* 1: one is enough, as we saw that it fits. */
static int add_plan(struct subject *subject, struct target *target,
		    struct goal goal, struct instr_distance distance,
		    struct instr_err *err)
{
	struct instr_plan *plan;
	size_t mapped;
	bool free, sure;
	int code = plan_of(target, goal, distance, &plan, err);

	if (code)
		return code;
	target->planned = true;
	mapped = room_find(&subject->maps, plan, &free, &sure);
	if (!free) {
		instr_plan_destroy(plan);
		return instr_fail(err, -ENOSPC, "%s: no room for its slab in process %d",
				  target->name, subject->pid);
	}
	target->plan[target->nr_plans++] = plan;
	if (!mapped || !sure)
		return 0;
	return room_take(&subject->maps, plan, err) ?: 1;
}

static int make_plans(struct subject *subject, struct target *target,
		      struct goal goal, struct instr_err *err)
{
	const struct instr_distance *distance = instr_distances(target->file);
	int code = 0;

	for (; distance->top && target->nr_plans < ALTERNATIVES_MAX; distance++) {
		code = add_plan(subject, target, goal, *distance, err);
		if (code == 1 || (code && code != -ENOSPC))
			break;
	}
	if (code < 0 && code != -ENOSPC)
		return code;
	return target->nr_plans ? 0 : code;
}

/* ---- what unwinds stacks --------------------------------------------------- */

/* Exports what libgcc does, and asks the dynamic loader. */
#define LLVM_UNWINDER "libunwind.so.1"
/* As that one, but RSP is for it always what it takes for the end of a frame: see unwinding.c. */
#define NONGNU_UNWINDER "libunwind.so.8"

void targets_leave_out(struct targets *targets, struct target *target)
{
	while (target->nr_plans)
		instr_plan_destroy(target->plan[--target->nr_plans]);
	targets->blind = true;
}

static bool uses_slots(const struct target *target)
{
	for (size_t i = 0; i < target->nr_plans; i++)
		for (size_t j = 0; j < target->plan[i]->nr; j++)
			if (target->plan[i]->site[j].by_slot)
				return true;
	return false;
}

/* Does @target tell its unwinder of slabs? */
static bool tells(const struct target *target)
{
	for (size_t i = 0; i < target->nr_plans; i++)
		for (size_t j = 0; j < target->plan[i]->nr; j++)
			if (target->plan[i]->site[j].unwinds == TIMING_ITERATE &&
			    target->plan[i]->site[j].how != INSTR_HOW_REFUSED)
				return true;
	return false;
}

static bool llvm_is_told(const struct targets *targets)
{
	for (size_t i = 0; i < targets->nr; i++)
		if (tells(&targets->target[i]))
			return true;
	return false;
}

/* One that finds nothing behind a return slot, or NULL. */
static const char *find_unwinder(const struct targets *targets, const struct subject *subject)
{
	if (resolve_is_there(subject, NONGNU_UNWINDER))
		return NONGNU_UNWINDER;
	if (resolve_is_there(subject, LLVM_UNWINDER) && !llvm_is_told(targets))
		return LLVM_UNWINDER;
	return NULL;
}

int targets_check_slots(const struct targets *targets, const struct subject *subject,
			struct instr_err *err)
{
	const char *unwinder;
	bool slots = false;

	for (size_t i = 0; i < targets->nr; i++)
		slots |= uses_slots(&targets->target[i]);
	if (!slots)
		return 0;
	unwinder = subject ? find_unwinder(targets, subject) : NULL;
	if (unwinder)
		instr_fail(err, -ENOTUNIQ, "no return slots: %s knows nothing of them", unwinder);
	else if (targets->blind)
		instr_fail(err, -ENOTUNIQ, "no return slots: libgcc_s.so.1 can't be told of them");
	else
		return 0;
	return instr_hint(err, -ENOTUNIQ, "without --exit=slot functions that would need one are left out");
}

/* It is no error if that can't be done. */
static void add_hidden(struct subject *subject, const char *name, struct targets *targets)
{
	struct instr_file *file;
	struct target *target;
	char *path;
	int code;

	if (resolve_file(subject, name, &path, NULL))
		return;
	code = instr_file_open(path, &file, NULL);
	if (!code && target_find(targets, file))
		instr_file_close(file);
	else if (!code) {
		target = target_get(targets, file, path, path);
		target->hidden = true;
		target->first = targets->nr_sites;
		targets->nr_hidden++;
		if (make_plans(subject, target, targets->goal, NULL) && target->planned)
			targets_leave_out(targets, target);
	}
	free(path);
}

int targets_create(struct subject *subject, const struct patterns *patterns,
		   struct goal goal, struct targets *ret, struct instr_err *err)
{
	int code = 0;

	*ret = (struct targets) { .goal = goal };
	for (size_t i = 0; i < patterns->nr && !code; i++)
		code = add_pattern(subject, patterns->text[i], ret, err);
	for (size_t i = 0; i < ret->nr && !code; i++)
		code = match(&ret->target[i], goal.measure, err);
	for (size_t i = 0; i < ret->nr && !code; i++) {
		ret->target[i].first = ret->nr_sites;
		ret->nr_sites += ret->target[i].nr;
		code = make_plans(subject, &ret->target[i], goal, err);
	}
	if (!code && goal.measure != INSTR_CALLS) {
		add_hidden(subject, "libgcc_s.so.1", ret);
		add_hidden(subject, "libstdc++.so.6", ret);
		if (resolve_is_there(subject, LLVM_UNWINDER))
			add_hidden(subject, LLVM_UNWINDER, ret);
		if (resolve_is_there(subject, NONGNU_UNWINDER))
			add_hidden(subject, NONGNU_UNWINDER, ret);
	}
	if (!code)
		code = targets_check_slots(ret, subject, err);
	if (code)
		targets_destroy(ret);
	return code;
}

/* What is found by a process is what that has. */
static void say_replaced(struct target *target)
{
	struct stat now, then;
	bool there = !stat(target->path, &now);

	if (target->hidden || target->replaced || !strncmp(target->path, "/proc/", 6) ||
	    fstat(instr_file_fd(target->file), &then) ||
	    (there && now.st_dev == then.st_dev && now.st_ino == then.st_ino))
		return;
	target->replaced = true;
	say(SAY_NOTE, "%s: was %s meanwhile", target->name, there ? "replaced" : "removed");
	say_hint(SAY_NOTE, "what was counted is of the old file; programs that began later have %s",
		 there ? "the new one" : "none");
}

void targets_say_replaced(struct targets *targets)
{
	for (size_t i = 0; i < targets->nr; i++)
		say_replaced(&targets->target[i]);
}

static void target_exit(struct target *target)
{
	for (size_t i = 0; i < target->nr_plans; i++)
		instr_plan_destroy(target->plan[i]);
	free(target->chosen);
	instr_file_close(target->file);
	free(target->patterns.text);
	free(target->path);
	free(target->name);
}

void targets_destroy(struct targets *targets)
{
	for (size_t i = 0; i < targets->nr; i++)
		target_exit(&targets->target[i]);
	free(targets->target);
	*targets = (struct targets) { 0 };
}

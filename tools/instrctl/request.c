// SPDX-License-Identifier: GPL-2.0
/*
 * A request: from the command line to a count that has begun.
 */

#include "request.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- the command line ------------------------------------------------------ */

static void parse_children(const char *text, uint32_t *flags)
{
	if (!strcmp(text, "follow"))
		*flags |= INSTR_ATTACH_FOLLOW;
	else if (!strcmp(text, "pristine"))
		*flags &= ~INSTR_ATTACH_FOLLOW;
	else
		exit(usage_error("--children %s: pristine or follow?", text));
}

static void parse_vfork(const char *text, uint32_t *flags)
{
	if (!strcmp(text, "exact"))
		*flags |= INSTR_ATTACH_EXACT;
	else if (!strcmp(text, "shared"))
		*flags &= ~INSTR_ATTACH_EXACT;
	else
		exit(usage_error("--vfork %s: shared or exact?", text));
}

void request_option(struct request *request, int option, const char *value)
{
	switch (option) {
	case REQUEST_CHILDREN:
		parse_children(value, &request->flags);
		request->children = true;
		break;
	case REQUEST_CGROUP:
		request->scope.cgroup = value;
		break;
	case REQUEST_COMM:
		request->scope.comm = scope_parse_comm(value);
		break;
	case REQUEST_UID:
		request->scope.uid = scope_parse_uid(value);
		break;
	case 'a':
		request->scope.all = true;
		break;
	case REQUEST_FOLLOW_EXEC:
		request->flags |= INSTR_ATTACH_FOLLOW_EXEC;
		break;
	case REQUEST_VFORK:
		parse_vfork(value, &request->flags);
		break;
	case OPT_EXIT_VALUE:
		request->goal.way = opt_exit(value);
		break;
	case 'f':
		patterns_add(&request->patterns, value);
		break;
	case 'p':
		request->pid = opt_number("-p", value, 1, INT_MAX);
		break;
	case 'T':
		request->goal.measure = INSTR_TIMES;
		break;
	}
}

static int check_scope(const struct request *request)
{
	if (scope_has_filter(&request->scope) && (!request->scope.all || request->pid))
		return usage_error("--comm, --uid, --cgroup: only with -a, and without -p");
	if (request->scope.all && (request->flags & INSTR_ATTACH_FOLLOW_EXEC))
		return usage_error("--follow-exec: -a does it");
	if (request->scope.all && request->goal.way == INSTR_WAY_SLOT)
		return usage_error("--exit=slot: not with -a, as anybody may unwind the stack");
	return EXIT_DONE;
}

static int check(const struct request *request)
{
	if (!request->patterns.nr)
		return usage_error("which functions: -f GLOB?");
	if (!request->pid && !request->argv[0] && !request->scope.all)
		return usage_error("in which program: -p PID, -- CMD, or -a for all?");
	if (request->pid && request->argv[0])
		return usage_error("-p PID and a CMD: choose one");
	if (request->goal.way && request->goal.measure == INSTR_CALLS)
		return usage_error("--exit: only with --time or --exits");
	if (!request->scope.all && (request->flags & INSTR_ATTACH_FOLLOW_EXEC) &&
	    !(request->flags & INSTR_ATTACH_FOLLOW))
		return usage_error("--follow-exec: only with --children=follow");
	return check_scope(request);
}

static bool is_system(const struct request *request)
{
	return request->scope.all && !request->pid;
}

/* What programs that are not known yet unwind stacks with nobody knows. */
static bool is_anybody(const struct request *request)
{
	return request->scope.all || (request->flags & INSTR_ATTACH_FOLLOW_EXEC);
}

/* What follows from what was asked for. */
static void settle(struct request *request)
{
	if (request->scope.all && !request->children)
		request->flags |= INSTR_ATTACH_FOLLOW;
	/* All that descends from it. */
	if (request->scope.all && request->pid && (request->flags & INSTR_ATTACH_FOLLOW))
		request->flags |= INSTR_ATTACH_FOLLOW_EXEC;
	if (is_anybody(request) && request->goal.way == INSTR_WAY_AUTO)
		request->goal.way = INSTR_WAY_RETURN;
}

int request_check(struct request *request)
{
	int status = check(request);

	if (!status)
		settle(request);
	return status;
}

void request_free(struct request *request)
{
	free(request->patterns.text);
}

/* ---- functions ------------------------------------------------------------- */

/* A program that is refused here is not started, but would have been: say so alike. */
static int status_of_command(int code)
{
	return code == -ENOENT ? EXIT_NOT_FOUND : code == -EACCES ? EXIT_CANNOT_RUN : EXIT_BEFORE;
}

/* Where slots can't be used it goes without, unless they were asked for. */
static int create_targets(struct subject *subject, const struct request *request,
			  struct goal goal, struct targets *targets, struct instr_err *err)
{
	int code = targets_create(subject, &request->patterns, goal, targets, err);

	if (code != -ENOTUNIQ || goal.way != INSTR_WAY_AUTO)
		return code;
	goal.way = INSTR_WAY_RETURN;
	return targets_create(subject, &request->patterns, goal, targets, err);
}

static int find_targets(const struct request *request, struct goal goal,
			struct targets *targets, int *status, struct instr_err *err)
{
	struct subject subject;
	int code;

	*status = request->argv[0] ? EXIT_BEFORE : EXIT_NO;
	if (is_system(request)) {
		subject_of_any(&subject);
		code = 0;
	} else if (request->pid)
		code = subject_of_pid(request->pid, &subject, err);
	else
		code = subject_of_command(request->argv[0], &subject, err);
	if (code) {
		*status = request->pid ? EXIT_NO : status_of_command(code);
		return code;
	}
	code = create_targets(&subject, request, goal, targets, err);
	subject_free(&subject);
	return code;
}

int request_targets(const struct request *request, struct targets *ret, int *status,
		    struct instr_err *err)
{
	return find_targets(request, request->goal, ret, status, err);
}

/* ---- the beginning --------------------------------------------------------- */

static int prepare(struct count *count, const struct request *request,
		   struct targets *targets, int *status, struct instr_err *err)
{
	const struct goal by_return = { request->goal.measure, INSTR_WAY_RETURN };
	int code = count_prepare(count, targets, request->flags, err);

	if (code != -ENOTUNIQ || request->goal.way != INSTR_WAY_AUTO)
		return code;
	targets_destroy(targets);
	code = find_targets(request, by_return, targets, status, err);
	return code ?: count_prepare(count, targets, request->flags, err);
}

int request_begin(const struct request *request, struct targets *targets, struct count *count,
		  int *status, struct instr_err *err)
{
	int code = prepare(count, request, targets, status, err);

	if (code)
		return code;
	if (is_system(request))
		code = count_begin_all(count, &request->scope, request->argv, status, err);
	else if (request->scope.all)
		code = count_begin_tree(count, request->pid, err);
	else if (request->pid)
		code = count_begin_pid(count, request->pid, err);
	else
		code = count_begin_command(count, request->argv, status, err);
	if (code)
		count_close(count);
	return code;
}

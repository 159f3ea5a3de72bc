// SPDX-License-Identifier: GPL-2.0
/*
 * A count: see count.h.
 *
 * Whatever fails, or kills us, closing the device undoes all of it.
 */

#include "count.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "say.h"

/* How often to ask whether the session still is there. */
#define LOOK_EVERY_MS	1000

/* ---- overlays -------------------------------------------------------------- */

/* The session that has an overlay of @file; 0: it can't be found out. */
static uint32_t find_holder(struct instr_netlink *nl, const struct instr_file *file)
{
	struct instr_message *msg;
	struct stat st;
	uint32_t session_id = 0;
	size_t nr;

	if (fstat(instr_file_fd(file), &st) ||
	    instr_netlink_dump(nl, INSTR_CMD_OVERLAY_GET, &msg, &nr, NULL))
		return 0;
	for (size_t i = 0; i < nr; i++)
		if (msg[i].inode == st.st_ino)
			session_id = msg[i].session_id;
	free(msg);
	return session_id;
}

static void hint_owner(struct instr_netlink *nl, uint32_t session_id, struct instr_err *err)
{
	struct instr_message *msg;
	size_t nr;

	if (instr_netlink_dump(nl, INSTR_CMD_SESSION_GET, &msg, &nr, NULL))
		return;
	for (size_t i = 0; i < nr; i++)
		if (msg[i].session_id == session_id)
			instr_hint(err, -EBUSY, "session %u has it, of %s (pid %u); to end it: instrctl remove %u",
				   session_id, msg[i].comm, msg[i].pid, session_id);
	free(msg);
}

static void hint_holder(const struct instr_file *file, struct instr_err *err)
{
	struct instr_netlink *nl;
	uint32_t session_id;

	if (instr_netlink_open(&nl, NULL))
		return;
	session_id = find_holder(nl, file);
	if (session_id)
		hint_owner(nl, session_id, err);
	instr_netlink_close(nl);
}

static int publish(struct count *count, struct target *target, size_t i, struct instr_err *err)
{
	int code = instr_dev_overlay_create(count->dev, target->plan[i],
					    &target->overlay_id[i], err);

	if (code == -EBUSY && !target->hidden)
		hint_holder(target->file, err);
	if (code)
		return code;
	return instr_dev_publish(count->dev, target->overlay_id[i], target->plan[i], err);
}

/* Without a hidden one, whoever else has it, less is known, but times are right. */
static int publish_target(struct count *count, struct targets *targets, struct target *target,
			  struct instr_err *err)
{
	int code = 0;

	for (size_t i = 0; i < target->nr_plans && !code; i++)
		code = publish(count, target, i, err);
	if (!target->hidden || (code != -EBUSY && code != -ENOEXEC))
		return code;
	targets_leave_out(targets, target);
	return targets_check_slots(targets, NULL, err);
}

/* ---- the clock ------------------------------------------------------------- */

static int check_clock(struct count *count, struct instr_err *err)
{
	struct instr_info info;
	int code = instr_dev_info(count->dev, &info, err);

	if (code)
		return code;
	count->tsc_khz = info.out_tsc_khz;
	if (count->tsc_khz)
		return 0;
	instr_fail(err, -EOPNOTSUPP, INSTR_DEV_PATH ": times can't be measured on this machine");
	return instr_hint(err, -EOPNOTSUPP, "it takes a time stamp counter that is stable, and the FSGSBASE instructions");
}

int count_prepare(struct count *count, struct targets *targets, uint32_t flags,
		  struct instr_err *err)
{
	int code;

	*count = (struct count) { .pidfd = -1, .run.pidfd = -1, .run.control = -1,
				  .signals.fd = -1, .input_fd = -1, .flags = flags };
	code = instr_dev_open(&count->dev, err);
	if (!code && targets->goal.measure == INSTR_TIMES)
		code = check_clock(count, err);
	for (size_t i = 0; i < targets->nr && !code; i++)
		code = publish_target(count, targets, &targets->target[i], err);
	if (!code)
		code = instr_signals_take(&count->signals, err);
	if (code)
		count_close(count);
	return code;
}

/* ---- the beginning --------------------------------------------------------- */

/* Events are listened to before there can be any. */
static int watch(struct count *count, struct instr_err *err)
{
	return instr_watch_open(instr_dev_session_id(count->dev), !count->scope, &count->watch,
				err);
}

static void attached(struct count *count)
{
	count->attached = true;
	count->seconds = now();
}

static int attach(struct count *count, uint32_t flags, struct instr_err *err)
{
	unsigned int views;
	int code = watch(count, err);

	if (!code)
		code = instr_dev_attach(count->dev, count->pid, count->flags | flags, &views, err);
	if (code)
		return code;
	attached(count);
	say(SAY_MORE, "process %d: %u mapping%s", count->pid, views, views == 1 ? "" : "s");
	return 0;
}

static int attach_all(struct count *count, struct instr_err *err)
{
	unsigned int views;
	int code = watch(count, err);

	if (!code)
		code = scope_attach(count->scope, count->dev, count->flags, &views, err);
	if (code)
		return code;
	attached(count);
	say(SAY_MORE, "all processes: %u mapping%s", views, views == 1 ? "" : "s");
	return 0;
}

int count_begin_pid(struct count *count, pid_t pid, struct instr_err *err)
{
	int code = instr_pidfd_open(pid, &count->pidfd, err);

	count->pid = pid;
	return code ?: attach(count, 0, err);
}

int count_begin_tree(struct count *count, pid_t pid, struct instr_err *err)
{
	int code = count_begin_pid(count, pid, err);
	size_t nr;

	if (!code)
		code = scope_attach_tree(count->dev, pid, count->flags, &nr, err);
	if (!code)
		say(SAY_MORE, "process %d: a tree of %zu", pid, nr);
	return code;
}

bool count_has_many(const struct count *count)
{
	return count->scope || (count->flags & INSTR_ATTACH_FOLLOW);
}

int count_begin_command(struct count *count, char *const *argv, int *status,
			struct instr_err *err)
{
	int code;

	*status = EXIT_BEFORE;
	/* Before the watch has its thread: a fork copies only the one that calls it. */
	code = instr_run_start(argv, &count->signals, &count->run, err);
	if (code)
		return code;
	count->argv = argv;
	count->pid = count->run.pid;
	count->pidfd = count->run.pidfd;
	/* Until it is the program, the process is a copy of us. */
	code = count->scope ? attach_all(count, err) : attach(count, INSTR_ATTACH_ON_EXEC, err);
	if (code) {
		instr_run_abort(&count->run);
		return code;
	}
	code = instr_run_release(&count->run, argv[0], err);
	if (code) {
		instr_run_wait(&count->run);
		*status = code == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
	}
	return code;
}

int count_begin_all(struct count *count, const struct scope *scope, char *const *argv,
		    int *status, struct instr_err *err)
{
	count->scope = scope;
	return argv[0] ? count_begin_command(count, argv, status, err) : attach_all(count, err);
}

/* ---- waiting --------------------------------------------------------------- */

/*
 * The terminal sends SIGINT and SIGQUIT to a program of ours as well: it decides
 * what they mean. SIGTERM is passed on. All of them end counting in another's.
 */
static bool is_told(struct count *count)
{
	int number = instr_signals_next(&count->signals);

	if (number == SIGTERM && count->argv)
		kill(count->pid, SIGTERM);
	return number && !count->argv;
}

static bool is_removed(struct count *count)
{
	struct instr_info info;

	return instr_dev_info(count->dev, &info, NULL) == -ESHUTDOWN;
}

/* At least one, so that poll(2) does not spin on what is left of a millisecond. */
static int poll_time(double deadline)
{
	double left = deadline ? (deadline - now()) * 1e3 + 1 : LOOK_EVERY_MS;

	return left > LOOK_EVERY_MS ? LOOK_EVERY_MS : left < 0 ? 0 : left;
}

static bool has_gone(struct count *count)
{
	uint64_t nr;

	return read(instr_watch_gone_fd(count->watch), &nr, sizeof(nr)) == sizeof(nr);
}

enum count_stop count_wait(struct count *count, double timeout, bool (*on_gone)(void *arg),
			   void *arg)
{
	double deadline = timeout ? now() + timeout : 0;
	struct pollfd fds[] = {
		{ .fd = count->pidfd, .events = POLLIN },
		{ .fd = count->signals.fd, .events = POLLIN },
		{ .fd = instr_watch_gone_fd(count->watch), .events = POLLIN },
		{ .fd = count->input_fd, .events = POLLIN },
	};
	bool again = false;

	for (;;) {
		int nr = poll(fds, 4, again ? 0 : count->argv && !deadline ? -1 :
				      poll_time(deadline));

		if (fds[0].revents & POLLIN)
			return COUNT_ENDED;
		if (nr > 0 && is_told(count))
			return COUNT_TOLD;
		if (fds[3].revents)
			return COUNT_INPUT;
		if ((has_gone(count) || again) && on_gone)
			again = on_gone(arg);
		if (deadline && now() >= deadline)
			return COUNT_TIMEOUT;
		if (!count->argv && is_removed(count))
			return COUNT_REMOVED;
	}
}

/* ---- the end --------------------------------------------------------------- */

void count_end(struct count *count)
{
	if (!count->attached)
		return;
	/* Fails if the process is not there any more, or the session is not: so be it. */
	instr_dev_detach(count->dev, count_has_many(count) ? 0 : count->pid, NULL);
	count->attached = false;
	count->seconds = now() - count->seconds;
	instr_watch_settle(count->watch);
}

int count_status(struct count *count)
{
	int status = instr_run_wait(&count->run);

	count->pidfd = -1;
	return status;
}

void count_close(struct count *count)
{
	instr_watch_close(count->watch);
	instr_dev_close(count->dev);
	if (count->pidfd >= 0 && !count->argv)
		close(count->pidfd);
	if (count->signals.fd >= 0)
		instr_signals_give_back(&count->signals);
	*count = (struct count) { .pidfd = -1, .signals.fd = -1 };
}

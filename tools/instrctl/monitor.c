// SPDX-License-Identifier: GPL-2.0
/*
 * instrctl monitor: what happens to instrumented programs, as it happens.
 */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "cmd.h"
#include "json.h"
#include "libinstr/event.h"
#include "libinstr/run.h"
#include "libinstr/table.h"
#include "say.h"

const char help_monitor[] =
	"Prints one line for each event of an instrumented program, of all sessions, until\n"
	"it is interrupted: time in seconds, event, session, pid, program, and more.\n"
	"Columns are separated by one tab. \"ready\" on stderr tells that it listens.\n"
	"\n"
	"  attach   counting began in it         exec     it runs another image\n"
	"  detach   it runs unchanged again      exit     it ended\n"
	"  fork     it made a child, which has   gone     its memory ended\n"
	"           not run yet                  refused  a mapping, or a program, was\n"
	"  no fork  it could not                          left alone\n"
	"\n"
	"Children, and theirs, are told of whether they are followed or not. A child is\n"
	"shown with how it was made: fork; vfork, also of posix_spawn(3), where its parent\n"
	"waits; clone, where it shares its parent's memory for good; and whether it is\n"
	"counted in. With -j, pid and start are together no other process's, ever.\n"
	"\n"
	"  -j, --json         print one line of JSON for each\n"
	"  -n, --count COUNT  end after so many events\n";

struct monitor {
	bool json;
	long left;		/* events still to print; -1: no limit */
	unsigned long lost;
};

/* ---- text ------------------------------------------------------------------ */

static void print_status(uint32_t status)
{
	if (WIFSIGNALED(status))
		printf("\tsignal %d", WTERMSIG(status));
	else
		printf("\tstatus %d", WEXITSTATUS(status));
}

static void print_text(const struct instr_message *msg)
{
	char name[32], comm[sizeof(msg->comm)];

	memcpy(comm, msg->comm, sizeof(comm));
	instr_text_clean(comm);
	printf("%" PRIu64 ".%06" PRIu64 "\t%s\t%u\t%u\t%s", msg->time / 1000000000,
	       msg->time / 1000 % 1000000, instr_event_name(msg->event, name, sizeof(name)),
	       msg->session_id, msg->pid, comm);
	if (instr_message_has(msg, INSTR_A_CHILD))
		printf("\tchild %u (%s%s)", msg->child, instr_clone_name(msg->clone_flags),
		       msg->measured ? ", counted" : "");
	if (instr_message_has(msg, INSTR_A_STATUS))
		print_status(msg->status);
	if (msg->event == INSTR_EVENT_FORK_FAILED)
		printf("\t%s: %s", instr_clone_name(msg->clone_flags), strerror(msg->error));
	else if (instr_message_has(msg, INSTR_A_OVERLAY_ID))
		printf("\toverlay %u: %s", msg->overlay_id, strerror(msg->error));
	else if (instr_message_has(msg, INSTR_A_ERRNO))
		printf("\t%s", strerror(msg->error));
	putchar('\n');
}

/* ---- JSON ------------------------------------------------------------------ */

static void print_json(const struct instr_message *msg)
{
	static const struct {
		enum instr_attr attr;
		const char *key;
		size_t at;
	} numbers[] = {
		{ INSTR_A_SESSION_ID, "session", offsetof(struct instr_message, session_id) },
		{ INSTR_A_SPACE_ID, "space", offsetof(struct instr_message, space_id) },
		{ INSTR_A_OVERLAY_ID, "overlay", offsetof(struct instr_message, overlay_id) },
		{ INSTR_A_PID, "pid", offsetof(struct instr_message, pid) },
		{ INSTR_A_TID, "tid", offsetof(struct instr_message, tid) },
		{ INSTR_A_CHILD, "child", offsetof(struct instr_message, child) },
		{ INSTR_A_CLONE_FLAGS, "clone_flags", offsetof(struct instr_message, clone_flags) },
		{ INSTR_A_MEASURED, "counted", offsetof(struct instr_message, measured) },
		{ INSTR_A_ERRNO, "errno", offsetof(struct instr_message, error) },
		{ INSTR_A_STATUS, "status", offsetof(struct instr_message, status) },
	};
	struct json_object *top = json_begin();
	char name[32];

	json_add_number(top, "time", msg->time);
	json_add_text(top, "event", instr_event_name(msg->event, name, sizeof(name)));
	if (instr_message_has(msg, INSTR_A_START))
		json_add_number(top, "start", msg->start);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (instr_message_has(msg, numbers[i].attr))
			json_add_number(top, numbers[i].key,
					*(const uint32_t *)((const char *)msg + numbers[i].at));
	if (instr_message_has(msg, INSTR_A_COMM))
		json_add_text(top, "comm", msg->comm);
	json_end(top, stdout);
}

/* ---- events ---------------------------------------------------------------- */

static void on_event(const struct instr_message *msg, void *arg)
{
	struct monitor *monitor = arg;

	if (monitor->left == 0)
		return;
	if (monitor->left > 0)
		monitor->left--;
	if (monitor->json)
		print_json(msg);
	else
		print_text(msg);
	fflush(stdout);
}

static void on_loss(struct monitor *monitor)
{
	struct json_object *top;

	monitor->lost++;
	say(SAY_ERROR, "events were lost");
	say_hint(SAY_ERROR, "how things are now: instrctl show");
	if (!monitor->json)
		return;
	top = json_begin();
	json_add_text(top, "event", "lost");
	json_end(top, stdout);
	fflush(stdout);
}

static int receive(struct instr_netlink *nl, struct monitor *monitor, struct instr_err *err)
{
	int code;

	while ((code = instr_netlink_receive(nl, on_event, monitor, err)) == -ENOBUFS)
		on_loss(monitor);
	return code;
}

/* A reader of ours that is gone ends us as well, by SIGPIPE. */
static int listen_on(struct instr_netlink *nl, const struct instr_signals *signals,
		     struct monitor *monitor, struct instr_err *err)
{
	struct pollfd fds[] = {
		{ .fd = instr_netlink_fd(nl), .events = POLLIN },
		{ .fd = signals->fd, .events = POLLIN },
	};
	int code = 0;

	while (!code && monitor->left && !ferror(stdout)) {
		if (poll(fds, 2, -1) < 0)
			continue;
		code = receive(nl, monitor, err);
		if (instr_signals_next(signals))
			break;
	}
	return code;
}

static int monitor_run(struct monitor *monitor, struct instr_err *err)
{
	struct instr_signals signals;
	struct instr_netlink *nl;
	int code = instr_netlink_open(&nl, err);

	if (code)
		return code;
	code = instr_signals_take(&signals, err);
	if (!code)
		code = instr_netlink_subscribe(nl, err);
	if (!code) {
		say(SAY_ERROR, "ready");
		code = listen_on(nl, &signals, monitor, err);
	}
	instr_netlink_close(nl);
	return code;
}

int cmd_monitor(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "count", required_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		OPT_COMMON
	};
	struct monitor monitor = { .left = -1 };
	struct instr_err err = { 0 };
	int option;

	while ((option = opt_next(argc, argv, ":jn:" OPT_COMMON_SHORT, longs)) >= 0) {
		if (option == 'n')
			monitor.left = opt_number("-n", optarg, 1, LONG_MAX);
		else
			monitor.json = true;
	}
	if (optind < argc)
		return usage_error("%s: takes no such thing", argv[optind]);
	return monitor_run(&monitor, &err) ? say_error(&err, EXIT_NO) : EXIT_DONE;
}

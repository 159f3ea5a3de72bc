// SPDX-License-Identifier: GPL-2.0
/*
 * instrctl check: is this machine ready.
 */

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd.h"
#include "json.h"
#include "libinstr/dev.h"
#include "libinstr/event.h"
#include "say.h"

const char help_check[] =
	"Tells whether programs can be instrumented on this machine now, and what is to\n"
	"be done if not. Exit status: 0 yes, 1 no.\n"
	"\n"
	"  -j, --json  print one line of JSON\n";

static int check_device(struct instr_err *err)
{
	if (!access(INSTR_DEV_PATH, F_OK))
		return 0;
	instr_fail(err, -ENODEV, INSTR_DEV_PATH ": no such device");
	return instr_hint(err, -ENODEV, INSTR_HINT_LOAD);
}

static int check_open(struct instr_err *err)
{
	struct instr_dev *dev;
	int code = instr_dev_open(&dev, err);

	if (!code)
		instr_dev_close(dev);
	return code == -EPROTO ? 0 : code;
}

static int check_abi(struct instr_err *err)
{
	struct instr_dev *dev;
	int code = instr_dev_open(&dev, err);

	if (!code)
		instr_dev_close(dev);
	return code;
}

static int check_family(struct instr_err *err)
{
	struct instr_netlink *nl;
	int code = instr_netlink_open(&nl, err);

	if (!code)
		instr_netlink_close(nl);
	return code;
}

static int check_events(struct instr_err *err)
{
	struct instr_netlink *nl;
	int code = instr_netlink_open(&nl, err);

	if (code)
		return code;
	code = instr_netlink_subscribe(nl, err);
	instr_netlink_close(nl);
	return code;
}

/* Each is worth trying only if those before it in its group were right. */
static const struct {
	const char *name;
	const char *good;
	int (*run)(struct instr_err *err);
	int group;
} checks[] = {
	{ "device", INSTR_DEV_PATH " is there", check_device, 0 },
	{ "permission", "it may be opened", check_open, 0 },
	{ "abi", "the module and this program speak the same ABI", check_abi, 0 },
	{ "netlink", "the netlink family is there", check_family, 1 },
	{ "events", "events may be listened to", check_events, 1 },
};

#define NR_CHECKS (sizeof(checks) / sizeof(checks[0]))

enum verdict { GOOD, BAD, SKIPPED };

static const char *const verdict_names[] = { "ok", "not ok", "skipped" };

static void print_line(size_t i, enum verdict verdict, const struct instr_err *err)
{
	printf("%-8s %-11s %s\n", verdict_names[verdict], checks[i].name,
	       verdict == GOOD ? checks[i].good : verdict == BAD ? err->text :
	       "needs what is above");
	if (verdict == BAD && err->hint[0])
		printf("%-20s %s\n", "", err->hint);
}

static void add_row(struct json_object *rows, size_t i, enum verdict verdict,
		    const struct instr_err *err)
{
	struct json_object *row = json_append(rows);

	json_add_text(row, "check", checks[i].name);
	json_add_text(row, "result", verdict_names[verdict]);
	json_add_text(row, "text", verdict == GOOD ? checks[i].good : err->text);
	json_add_text(row, "hint", verdict == BAD ? err->hint : "");
}

static bool run_all(struct json_object *rows)
{
	bool failed[2] = { false, false };

	for (size_t i = 0; i < NR_CHECKS; i++) {
		struct instr_err err = { 0 };
		enum verdict verdict = SKIPPED;

		if (!failed[checks[i].group])
			verdict = checks[i].run(&err) ? BAD : GOOD;
		failed[checks[i].group] |= verdict != GOOD;
		if (rows)
			add_row(rows, i, verdict, &err);
		else
			print_line(i, verdict, &err);
	}
	return !failed[0] && !failed[1];
}

int cmd_check(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },
		OPT_COMMON
	};
	struct json_object *top = NULL;
	bool good;

	while (opt_next(argc, argv, ":j" OPT_COMMON_SHORT, longs) == 'j')
		top = top ?: json_begin();
	if (optind < argc)
		return usage_error("%s: takes no such thing", argv[optind]);

	good = run_all(top ? json_add_array(top, "checks") : NULL);
	if (top) {
		json_add_bool(top, "ok", good);
		json_end(top, stdout);
	}
	return good ? EXIT_DONE : EXIT_NO;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * instrctl show: what is instrumented now.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "json.h"
#include "libinstr/dev.h"
#include "libinstr/event.h"
#include "libinstr/table.h"
#include "say.h"
#include "tree.h"

const char help_show[] =
	"Prints what is instrumented now, by all users. Without a word: all of it.\n"
	"\n"
	"  sessions   who instruments: the owners\n"
	"  overlays   what is changed: the files\n"
	"  spaces     where: the programs\n"
	"  processes  and who is whose child: those that were attached, and all that come\n"
	"             from them, each below who made it\n"
	"\n"
	"  -j, --json  print one line of JSON\n"
	"\n"
	"Of spaces: views; slabs; pages that are the program's own, and not changed; where\n"
	"functions are timed, or their exits counted, how often unwinders of stacks asked\n"
	"for code of a slab, and of how many functions; bytes of memory that are there for\n"
	"this program only. Of overlays it is what all programs share.\n"
	"\n"
	"Columns are aligned on a terminal, and separated by one tab elsewhere.\n";

/* ---- columns: attributes of a dump's messages ------------------------------ */

enum kind { NUMBER, TEXT, YES_NO, ERRNO, SIGNED, CLONE };

struct column {
	const char *head;	/* of the table; '>' in front of numbers */
	const char *key;	/* of JSON */
	enum kind kind;
	size_t at;		/* in struct instr_message */
	size_t len;
};

#define COLUMN(head, key, kind, member)					\
	{ head, key, kind, offsetof(struct instr_message, member),	\
	  sizeof(((struct instr_message *)NULL)->member) }
#define COLUMNS_MAX 12

static const struct subject {
	const char *name;
	enum instr_cmd cmd;
	size_t nr;
	struct column column[COLUMNS_MAX];
} subjects[] = {
	{ "sessions", INSTR_CMD_SESSION_GET, 5, {
		COLUMN(">session", "session", NUMBER, session_id),
		COLUMN(">pid", "pid", NUMBER, pid),
		COLUMN(">overlays", "overlays", NUMBER, overlays),
		COLUMN(">spaces", "spaces", NUMBER, spaces),
		COLUMN("owner", "comm", TEXT, comm),
	} },
	{ "overlays", INSTR_CMD_OVERLAY_GET, 11, {
		COLUMN(">session", "session", NUMBER, session_id),
		COLUMN(">overlay", "overlay", NUMBER, overlay_id),
		COLUMN(">sites", "sites", NUMBER, sites),
		COLUMN(">pages", "pages", NUMBER, pages),
		COLUMN(">slab", "slab_start", SIGNED, slab_start),
		COLUMN(">code", "code_len", NUMBER, code_len),
		COLUMN(">data", "data_len", NUMBER, data_len),
		COLUMN(">annex", "annex_start", SIGNED, annex_start),
		COLUMN(">annex code", "annex_len", NUMBER, annex_len),
		COLUMN(">memory", "memory", NUMBER, memory),
		COLUMN("file", "file", TEXT, path),
	} },
	{ "spaces", INSTR_CMD_SPACE_GET, 12, {
		COLUMN(">session", "session", NUMBER, session_id),
		COLUMN(">space", "space", NUMBER, space_id),
		COLUMN(">pid", "pid", NUMBER, pid),
		COLUMN("live", "live", YES_NO, live),
		COLUMN(">views", "views", NUMBER, views),
		COLUMN(">slabs", "slabs", NUMBER, slabs),
		COLUMN(">private", "private_pages", NUMBER, private_pages),
		COLUMN(">lookups", "lookups", NUMBER, lookups),
		COLUMN(">functions", "functions", NUMBER, functions),
		COLUMN(">memory", "memory", NUMBER, memory),
		COLUMN("refused", "refused", ERRNO, error),
		COLUMN("program", "comm", TEXT, comm),
	} },
	{ "processes", INSTR_CMD_PROCESS_GET, 7, {
		COLUMN(">session", "session", NUMBER, session_id),
		COLUMN(">pid", "pid", NUMBER, pid),
		COLUMN(">parent", "parent", NUMBER, parent),
		COLUMN("made by", "made_by", CLONE, clone_flags),
		COLUMN("counted", "counted", YES_NO, measured),
		COLUMN(">start", "start", NUMBER, start),
		COLUMN("program", "comm", TEXT, comm),
	} },
};

#define NR_SUBJECTS (sizeof(subjects) / sizeof(subjects[0]))

static uint64_t column_number(const struct column *column, const struct instr_message *msg)
{
	uint64_t number = 0;	/* little-endian, whatever the length */

	if (column->kind != TEXT)
		memcpy(&number, (const char *)msg + column->at, column->len);
	return number;
}

static const char *column_text(const struct column *column, const struct instr_message *msg)
{
	return (const char *)msg + column->at;
}

/* Whoever was attached was made by nobody that we know. */
static const char *made_by(const struct instr_message *msg)
{
	return msg->parent ? instr_clone_name(msg->clone_flags) : "";
}

/* ---- text ------------------------------------------------------------------ */

static void add_cell(struct instr_table *table, const struct column *column,
		     const struct instr_message *msg, unsigned int indent)
{
	uint64_t number = column_number(column, msg);

	switch (column->kind) {
	case TEXT:
		instr_table_cell(table, "%*s%s", (int)indent, "", column_text(column, msg));
		break;
	case CLONE:
		instr_table_cell(table, "%s", msg->parent ? made_by(msg) : "-");
		break;
	case YES_NO:
		instr_table_cell(table, "%s", number ? "yes" : "no");
		break;
	case ERRNO:
		instr_table_cell(table, "%s", number ? strerror(number) : "-");
		break;
	case SIGNED:
		instr_table_cell(table, "%" PRId64, (int64_t)number);
		break;
	case NUMBER:
		instr_table_cell(table, "%" PRIu64, number);
		break;
	}
}

/* The names of a tree's processes are indented on a terminal; elsewhere there is "parent". */
static unsigned int indent_of(const unsigned int *depth, size_t i)
{
	return depth && instr_is_terminal(stdout) ? 2 * depth[i] : 0;
}

static void print_table(const struct subject *subject, const struct instr_message *msg,
			size_t nr, const unsigned int *depth)
{
	const char *heads[COLUMNS_MAX];
	struct instr_table *table;

	for (size_t i = 0; i < subject->nr; i++)
		heads[i] = subject->column[i].head;
	table = instr_table_create(subject->nr, heads);
	if (!table)
		out_of_memory();
	for (size_t i = 0; i < nr; i++)
		for (size_t j = 0; j < subject->nr; j++)
			add_cell(table, &subject->column[j], &msg[i], indent_of(depth, i));
	if (instr_table_print(table, stdout))
		out_of_memory();
	instr_table_destroy(table);
}

/* ---- JSON ------------------------------------------------------------------ */

static void add_member(struct json_object *row, const struct column *column,
		       const struct instr_message *msg)
{
	uint64_t number = column_number(column, msg);

	switch (column->kind) {
	case TEXT:
		json_add_text(row, column->key, column_text(column, msg));
		break;
	case CLONE:
		json_add_text(row, column->key, made_by(msg));
		break;
	case YES_NO:
		json_add_bool(row, column->key, number != 0);
		break;
	case ERRNO:
		json_add_text(row, column->key, number ? strerror(number) : "");
		break;
	case SIGNED:
		json_object_object_add(row, column->key, json_object_new_int64(number));
		break;
	case NUMBER:
		json_add_number(row, column->key, number);
		break;
	}
}

static void add_rows(struct json_object *top, const struct subject *subject,
		     const struct instr_message *msg, size_t nr)
{
	struct json_object *rows = json_add_array(top, subject->name);

	for (size_t i = 0; i < nr; i++) {
		struct json_object *row = json_append(rows);

		for (size_t j = 0; j < subject->nr; j++)
			add_member(row, &subject->column[j], &msg[i]);
	}
}

/* ---- the verb -------------------------------------------------------------- */

static int show_subject(struct instr_netlink *nl, const struct subject *subject,
			struct json_object *top, struct instr_err *err)
{
	unsigned int *depth = NULL;
	struct instr_message *msg;
	size_t nr;
	int code = instr_netlink_dump(nl, subject->cmd, &msg, &nr, err);

	if (code)
		return code;
	if (subject->cmd == INSTR_CMD_PROCESS_GET)
		depth = tree_order(msg, nr);
	if (top)
		add_rows(top, subject, msg, nr);
	else
		print_table(subject, msg, nr, depth);
	free(depth);
	free(msg);
	return 0;
}

/* Whoever may see the dumps may still be refused the device: then leave it out. */
static void show_totals(struct json_object *top)
{
	struct instr_dev *dev;
	struct instr_info info;
	int code;

	if (instr_dev_open(&dev, NULL))
		return;
	code = instr_dev_info(dev, &info, NULL);
	instr_dev_close(dev);
	if (code)
		return;
	if (top) {
		json_add_number(top, "views", info.out_views);
		json_add_number(top, "pages", info.out_pages);
		json_add_number(top, "pinned", info.out_pinned);
	} else {
		printf("%u views, %llu changed pages, %llu pages of counters\n", info.out_views,
		       (unsigned long long)info.out_pages, (unsigned long long)info.out_pinned);
	}
}

/* @name NULL: all. The dumps come first: to ask for totals begins a session. */
static int show(struct instr_netlink *nl, const char *name, struct json_object *top,
		struct instr_err *err)
{
	int code = 0;

	for (size_t i = 0; i < NR_SUBJECTS && !code; i++) {
		if (name && strcmp(name, subjects[i].name))
			continue;
		code = show_subject(nl, &subjects[i], top, err);
		if (!name && !top)
			putchar('\n');
	}
	if (!name && !code)
		show_totals(top);
	return code;
}

static bool is_subject(const char *name)
{
	for (size_t i = 0; i < NR_SUBJECTS; i++)
		if (!strcmp(name, subjects[i].name))
			return true;
	return false;
}

int cmd_show(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },
		OPT_COMMON
	};
	struct json_object *top = NULL;
	struct instr_netlink *nl;
	struct instr_err err = { 0 };

	while (opt_next(argc, argv, ":j" OPT_COMMON_SHORT, longs) == 'j')
		top = top ?: json_begin();
	if (argc - optind > 1)
		return usage_error("%s: one word is enough", argv[optind + 1]);
	if (optind < argc && !is_subject(argv[optind]))
		return usage_error("%s: not one of sessions, overlays, spaces, processes", argv[optind]);

	if (instr_netlink_open(&nl, &err))
		return say_error(&err, EXIT_NO);
	if (show(nl, argv[optind], top, &err)) {
		instr_netlink_close(nl);
		return say_error(&err, EXIT_NO);
	}
	instr_netlink_close(nl);
	if (top)
		json_end(top, stdout);
	return EXIT_DONE;
}

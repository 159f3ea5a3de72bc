// SPDX-License-Identifier: GPL-2.0
/*
 * The report of a count: what rows.c counted up, and what stands below it.
 */

#include "report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "duration.h"
#include "json.h"
#include "latency.h"
#include "libinstr/table.h"
#include "refusal.h"
#include "rows.h"
#include "say.h"

/* ---- what the events told -------------------------------------------------- */

struct children {
	uint32_t space_id;	/* of one space; 0: of all */
	unsigned long forks, vforks;
};

static void add_children(const struct instr_process *process, void *arg)
{
	struct children *children = arg;

	if (children->space_id && process->space_id != children->space_id)
		return;
	children->forks += process->children;
	children->vforks += process->vforks;
}

static struct children count_children(const struct report *report, uint32_t space_id)
{
	struct children children = { .space_id = space_id };

	instr_watch_each(report->watch, add_children, &children);
	return children;
}

static size_t count_refused(const struct target *target)
{
	size_t nr = 0;

	for (size_t i = 0; i < target->nr; i++)
		nr += target_site(target, i)->how == INSTR_HOW_REFUSED;
	return nr;
}

/* ---- text ------------------------------------------------------------------ */

/* In threes on a terminal, as they are for people only there. */
static void add_calls(struct instr_table *table, uint64_t calls, bool grouped)
{
	char text[32];
	char *at = text + sizeof(text) - 1;
	int digits = 0;

	*at = '\0';
	do {
		if (grouped && digits && digits % 3 == 0)
			*--at = ',';
		*--at = '0' + calls % 10;
		digits++;
	} while (calls /= 10);
	instr_table_cell(table, "%s", at);
}

static uint64_t returns_of(const struct row *row)
{
	return row->times ? row->times->times.exits[INSTR_EXIT_RETURN] : 0;
}

static struct instr_table *create_table(const struct report *report)
{
	static const char *const counted[] = { ">calls", "function", "process" };
	static const char *const exits[] = { ">calls", ">returns", "function", "process" };
	static const char *const times[] = { ">calls", LATENCY_HEADS, "function", "process" };
	static const struct {
		size_t nr;
		const char *const *head;
	} heads[] = {
		[INSTR_CALLS] = { sizeof(counted) / sizeof(*counted), counted },
		[INSTR_EXITS] = { sizeof(exits) / sizeof(*exits), exits },
		[INSTR_TIMES] = { sizeof(times) / sizeof(*times), times },
	};
	enum instr_measure measure = report->targets->goal.measure;
	struct instr_table *table = instr_table_create(heads[measure].nr -
						       !rows_by_space(report->result),
						       heads[measure].head);

	if (!table)
		out_of_memory();
	return table;
}

static void add_row(const struct report *report, const struct row *row,
		    struct instr_table *table, bool grouped)
{
	const struct targets *targets = report->targets;
	bool named = targets->nr - targets->nr_hidden > 1;
	char name[NAME_LEN];

	add_calls(table, row->calls, grouped);
	if (targets->goal.measure == INSTR_EXITS)
		add_calls(table, returns_of(row), grouped);
	if (targets->goal.measure == INSTR_TIMES)
		latency_cells(table, row->times, report->result->tsc_khz);
	instr_table_cell(table, "%s%s%s", named ? target_base_name(row->target) : "",
			 named ? ":" : "", instr_place_name(&row->place, name, sizeof(name)));
	if (row->space)
		instr_table_cell(table, "%d %s", row->space->pid, row->space->comm);
}

static void print_rows(const struct report *report, const struct rows *rows, FILE *out)
{
	struct instr_table *table = create_table(report);

	for (size_t i = 0; i < rows->nr; i++) {
		if (rows->row[i].calls || report->zeros)
			add_row(report, &rows->row[i], table, instr_is_terminal(out));
	}
	if (instr_table_print(table, out))
		out_of_memory();
	instr_table_destroy(table);
}

static const char *plural(unsigned long nr, const char *one, const char *many)
{
	return nr == 1 ? one : many;
}

static void print_refused(const struct targets *targets, FILE *out)
{
	for (size_t i = 0; i < targets->nr; i++) {
		size_t nr = count_refused(&targets->target[i]);

		if (nr)
			fprintf(out, "%zu function%s can't be %s; see: instrctl list %s%s\n",
				nr, plural(nr, "", "s"), targets->goal.measure == INSTR_CALLS ? "counted" : "measured",
				targets->goal.measure == INSTR_CALLS ? "" : "--time ", targets->target[i].name);
	}
}

static void print_spaces(const struct result *result, FILE *out)
{
	size_t refused = 0;

	for (size_t i = 0; i < result->nr; i++) {
		const struct result_space *space = &result->space[i];

		refused += space->refused != 0;
		if (space->refused)
			fprintf(out, "process %d: a mapping was left alone, not counted: %s\n",
				space->pid, refusal_text(space->refused));
		if (space->unset)
			fprintf(out, "process %d: %u pointer%s where %s did, not counted: not bound yet (see NAME@plt)\n",
				space->pid, space->unset, plural(space->unset, " leads", "s lead"),
				plural(space->unset, "it", "they"));
		if (space->private_pages)
			fprintf(out, "process %d: %u changed page%s not shown, not counted: it has copies of its own (breakpoints?)\n",
				space->pid, space->private_pages,
				plural(space->private_pages, " is", "s are"));
	}
	if (result->together)
		fprintf(out, "%zu process%s left alone\n", refused,
			plural(refused, " was", "es were"));
	if (!result->nr)
		fprintf(out, result->together ? "no process mapped any of the files\n" :
						"the program mapped none of the files\n");
}

static int compare_pids(const void *a, const void *b)
{
	const pid_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* One may have had several images. */
static size_t count_processes(const struct result *result)
{
	pid_t *pid = calloc(result->nr + 1, sizeof(*pid));
	size_t nr = 0, different = 0;

	if (!pid)
		out_of_memory();
	for (size_t i = 0; i < result->nr; i++)
		if (result->space[i].active)
			pid[nr++] = result->space[i].pid;
	qsort(pid, nr, sizeof(*pid), compare_pids);
	for (size_t i = 0; i < nr; i++)
		different += !i || pid[i] != pid[i - 1];
	free(pid);
	return different;
}

static void print_children(const struct report *report, FILE *out)
{
	struct children children = count_children(report, 0);
	size_t processes = count_processes(report->result);

	if (report->result->together)
		fprintf(out, "counted in %zu process%s\n", processes,
			plural(processes, "", "es"));
	else if (children.forks)
		fprintf(out, "%lu child%s ran on the file's own text, not counted\n",
			children.forks, plural(children.forks, "", "ren"));
	if (children.vforks)
		fprintf(out, "%lu child%s began in the same memory (vfork), not counted\n",
			children.vforks, plural(children.vforks, "", "ren"));
}

void report_text(const struct report *report, FILE *out)
{
	unsigned int lost = instr_watch_lost(report->watch);
	struct rows rows;

	rows_create(report->targets, report->result, &rows);
	print_rows(report, &rows, out);
	if (rows.uncalled && !report->zeros)
		fprintf(out, "%zu function%s not called\n", rows.uncalled,
			plural(rows.uncalled, " was", "s were"));
	if (report->targets->goal.measure == INSTR_TIMES)
		latency_notes(report->targets, report->result, out);
	print_refused(report->targets, out);
	print_spaces(report->result, out);
	print_children(report, out);
	fprintf(out, "%u event%s lost\n", lost, plural(lost, "", "s"));
	rows_destroy(&rows);
}

/* ---- JSON ------------------------------------------------------------------ */

static void add_process(struct json_object *row, const struct result_space *space)
{
	struct json_object *process = json_object_new_object();

	json_add_number(process, "pid", space->pid);
	json_add_text(process, "comm", space->comm);
	json_object_object_add(row, "process", process);
}

static void add_functions(struct json_object *top, const struct report *report,
			  const struct rows *rows)
{
	struct json_object *functions = json_add_array(top, "functions");

	for (size_t i = 0; i < rows->nr; i++) {
		const struct row *row = &rows->row[i];
		struct json_object *object = json_append(functions);

		json_add_text(object, "function", row->place.name);
		json_add_text(object, "file", row->target->name);
		json_add_number(object, "at", row->place.at);
		json_add_hex(object, "address", row->place.vaddr);
		json_add_number(object, "calls", row->calls);
		if (report->targets->goal.measure == INSTR_EXITS)
			json_add_number(object, "returns", returns_of(row));
		if (report->targets->goal.measure == INSTR_TIMES)
			latency_json(object, row->times, report->result->tsc_khz);
		if (row->space)
			add_process(object, row->space);
	}
}

static void add_refused(struct json_object *top, const struct targets *targets)
{
	struct json_object *refused = json_add_array(top, "refused");

	for (size_t i = 0; i < targets->nr; i++) {
		const struct target *target = &targets->target[i];

		for (size_t j = 0; j < target->nr; j++) {
			const struct instr_plan_site *site = target_site(target, j);
			struct json_object *row;

			if (site->how != INSTR_HOW_REFUSED)
				continue;
			row = json_append(refused);
			json_add_text(row, "function", target_place(target, j).name);
			json_add_number(row, "at", target_place(target, j).at);
			json_add_text(row, "file", target->name);
			json_add_text(row, "reason", instr_reason_text(site->reason));
		}
	}
}

static void add_count(struct json_object *counts, const struct report *report,
		      const struct target *target, size_t i, const struct result_count *count)
{
	struct instr_place_info place = target_place(target, i);
	struct json_object *row = json_append(counts);

	json_add_text(row, "function", place.name);
	json_add_text(row, "file", target->name);
	json_add_number(row, "at", place.at);
	json_add_number(row, "calls", count->calls);
	if (report->targets->goal.measure != INSTR_TIMES)
		return;
	json_add_number(row, "total_ns", duration_ns(count->total, report->result->tsc_khz));
	json_add_number(row, "self_ns", duration_ns(count->self, report->result->tsc_khz));
}

/* What one process called. */
static void add_counts(struct json_object *process, const struct report *report,
		       const struct result_space *space)
{
	struct json_object *counts = json_add_array(process, "functions");
	const struct target *target = report->targets->target;

	for (size_t i = 0; i < space->nr; i++) {
		const struct result_count *count = &space->count[i];

		while (count->number >= target->first + target->nr)
			target++;
		add_count(counts, report, target, count->number - target->first, count);
	}
}

static void add_processes(struct json_object *top, const struct report *report)
{
	struct json_object *processes = json_add_array(top, "processes");

	for (size_t i = 0; i < report->result->nr; i++) {
		const struct result_space *space = &report->result->space[i];
		struct children children = count_children(report, space->id);
		struct json_object *row = json_append(processes);

		json_add_number(row, "pid", space->pid);
		json_add_text(row, "comm", space->comm);
		json_add_number(row, "space", space->id);
		json_add_number(row, "children", children.forks);
		json_add_number(row, "vfork_children", children.vforks);
		json_add_text(row, "refused", space->refused ? refusal_text(space->refused) : "");
		json_add_number(row, "private_pages", space->private_pages);
		json_add_number(row, "unset_pointers", space->unset);
		if (report->targets->goal.measure == INSTR_TIMES)
			latency_json_process(row, space);
		if (report->result->together)
			add_counts(row, report, space);
	}
}

void report_json(const struct report *report, FILE *out)
{
	struct children children = count_children(report, 0);
	struct json_object *top = json_begin();
	struct rows rows;

	rows_create(report->targets, report->result, &rows);
	if (report->targets->goal.measure == INSTR_TIMES)
		latency_json_top(top, report->targets, report->result);
	add_functions(top, report, &rows);
	add_refused(top, report->targets);
	add_processes(top, report);
	json_add_number(top, "children", children.forks);
	json_add_number(top, "vfork_children", children.vforks);
	json_object_object_add(top, "seconds", json_object_new_double(report->seconds));
	json_add_number(top, "lost_events", instr_watch_lost(report->watch));
	json_end(top, out);
	rows_destroy(&rows);
}

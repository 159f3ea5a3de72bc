// SPDX-License-Identifier: GPL-2.0
/*
 * Tables as text. The heads are the first row.
 */

#include "table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct instr_table {
	size_t nr_columns;
	const char *const *heads;
	size_t nr, room;
	char **cell;
	bool no_memory;
};

void instr_text_clean(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

bool instr_is_terminal(FILE *out)
{
	return isatty(fileno(out));
}

static bool is_number(const struct instr_table *table, size_t column)
{
	return table->heads[column][0] == '>';
}

struct instr_table *instr_table_create(size_t nr_columns, const char *const *heads)
{
	struct instr_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->nr_columns = nr_columns;
	table->heads = heads;
	for (size_t i = 0; i < nr_columns; i++)
		instr_table_cell(table, "%s", heads[i] + is_number(table, i));
	return table;
}

void instr_table_destroy(struct instr_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->nr; i++)
		free(table->cell[i]);
	free(table->cell);
	free(table);
}

static bool table_grow(struct instr_table *table)
{
	size_t room = table->room ? 2 * table->room : 64;
	char **cell = reallocarray(table->cell, room, sizeof(*cell));

	if (!cell)
		return false;
	table->cell = cell;
	table->room = room;
	return true;
}

void instr_table_cell(struct instr_table *table, const char *fmt, ...)
{
	char *text;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	if (len < 0 || (table->nr == table->room && !table_grow(table))) {
		if (len >= 0)
			free(text);
		table->no_memory = true;
		return;
	}
	instr_text_clean(text);
	table->cell[table->nr++] = text;
}

static int column_width(const struct instr_table *table, size_t column)
{
	size_t width = 0, len;

	for (size_t i = column; i < table->nr; i += table->nr_columns) {
		len = strlen(table->cell[i]);
		width = len > width ? len : width;
	}
	return width;
}

static void print_aligned(const struct instr_table *table, const int *width, FILE *out)
{
	bool bold = !getenv("NO_COLOR");

	for (size_t i = 0; i < table->nr; i++) {
		size_t column = i % table->nr_columns;
		bool last = column + 1 == table->nr_columns;

		if (bold && i == 0)
			fputs("\033[1m", out);
		if (is_number(table, column))
			fprintf(out, "%*s", width[column], table->cell[i]);
		else
			fprintf(out, "%-*s", last ? 0 : width[column], table->cell[i]);
		if (bold && i + 1 == table->nr_columns)
			fputs("\033[0m", out);
		fputs(last ? "\n" : "  ", out);
	}
}

static void print_tabs(const struct instr_table *table, FILE *out)
{
	for (size_t i = 0; i < table->nr; i++)
		fprintf(out, "%s%c", table->cell[i],
			(i + 1) % table->nr_columns ? '\t' : '\n');
}

int instr_table_print(const struct instr_table *table, FILE *out)
{
	int width[table->nr_columns];

	if (table->no_memory)
		return -ENOMEM;
	if (!instr_is_terminal(out)) {
		print_tabs(table, out);
		return 0;
	}
	for (size_t i = 0; i < table->nr_columns; i++)
		width[i] = column_width(table, i);
	print_aligned(table, width, out);
	return 0;
}

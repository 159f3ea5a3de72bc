// SPDX-License-Identifier: GPL-2.0
#include "out.h"

#include <json-c/json.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool as_json;
static const char *table;
static const struct out_column *columns, *column;
static struct json_object *row;

void out_as_json(bool json)
{
	as_json = json;
	setvbuf(stdout, NULL, _IOLBF, 0);
}

int out_options(int argc, char **argv, int rounds, int most)
{
	int option;

	while ((option = getopt(argc, argv, "jr:")) != -1) {
		if (option == 'j')
			out_as_json(true);
		else if (option == 'r' && atoi(optarg) > 0 && atoi(optarg) <= most)
			rounds = atoi(optarg);
		else
			exit(2);
	}
	return rounds;
}

void out_table(const char *name, const char *title, const struct out_column *of)
{
	table = name;
	columns = column = of;
	if (as_json)
		return;
	printf("\n%s\n\n", title);
	for (; of->name; of++)
		printf("%*s%s", of->width, of->name, of[1].name ? "  " : "\n");
}

static struct json_object *begin_object(const char *name)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "table", json_object_new_string(name));
	return object;
}

static void end_object(struct json_object *object)
{
	const int flags = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;

	printf("%s\n", json_object_to_json_string_ext(object, flags));
	json_object_put(object);
}

/* @value: NULL, or the cell in JSON. */
static void cell(const char *text, struct json_object *value)
{
	bool last = !column[1].name;

	if (as_json) {
		if (column == columns)
			row = begin_object(table);
		if (value)
			json_object_object_add(row, column->name, value);
		if (last)
			end_object(row);
	} else {
		printf("%*s%s", column->width, text, last ? "\n" : "  ");
	}
	column = last ? columns : column + 1;
}

void out_text(const char *text)
{
	cell(text, as_json ? json_object_new_string(text) : NULL);
}

void out_number(double number)
{
	char text[64] = "-";

	if (isnan(number)) {
		cell(text, NULL);
		return;
	}
	snprintf(text, sizeof(text), "%.*f", column->decimals, number);
	cell(text, as_json ? json_object_new_double_s(number, text) : NULL);
}

void out_note(const char *fmt, ...)
{
	struct json_object *object;
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (!as_json) {
		printf("%s\n", text);
		return;
	}
	object = begin_object("note");
	json_object_object_add(object, "text", json_object_new_string(text));
	end_object(object);
}

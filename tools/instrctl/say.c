// SPDX-License-Identifier: GPL-2.0
/*
 * What is said on stderr. Text from files and processes may be in it, so what a
 * terminal would obey is taken out.
 */

#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd.h"
#include "libinstr/table.h"

int say_level;

static const char *current_verb;

void say_verb(const char *verb)
{
	current_verb = verb;
}

const char *say_current_verb(void)
{
	return current_verb;
}

static void say_line(const char *fmt, va_list args)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, args);
	instr_text_clean(text);
	fprintf(stderr, "%s\n", text);
}

void say(int level, const char *fmt, ...)
{
	va_list args;

	if (level > say_level)
		return;
	fputs("instrctl: ", stderr);
	if (current_verb)
		fprintf(stderr, "%s: ", current_verb);
	va_start(args, fmt);
	say_line(fmt, args);
	va_end(args);
}

void say_hint(int level, const char *fmt, ...)
{
	va_list args;

	if (level > say_level)
		return;
	fputs("          ", stderr);
	va_start(args, fmt);
	say_line(fmt, args);
	va_end(args);
}

int say_error(const struct instr_err *err, int status)
{
	say(SAY_ERROR, "%s", err->text);
	if (err->hint[0])
		say_hint(SAY_ERROR, "%s", err->hint);
	return status;
}

void out_of_memory(void)
{
	say(SAY_ERROR, "out of memory");
	exit(EXIT_NO);
}

void *allocate(size_t nr, size_t size)
{
	void *memory = calloc(nr ?: 1, size);

	if (!memory)
		out_of_memory();
	return memory;
}

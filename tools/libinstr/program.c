// SPDX-License-Identifier: GPL-2.0
/*
 * Names of programs to files, as execvp(3) and the kernel find them.
 */

#include "program.h"

#include <errno.h>
#include <paths.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Interpreters of interpreters, and bytes of the first line: the kernel's limits. */
#define SCRIPT_DEPTH	5
#define SCRIPT_LINE	256

/* 0, or why @path can't be run. */
static int check_runnable(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || access(path, X_OK))
		return -EACCES;
	return 0;
}

/* A file that can't be run is remembered, but a later folder may have one that can. */
static int search_path(const char *name, char **ret)
{
	const char *path = getenv("PATH") ?: _PATH_DEFPATH;
	int code = -ENOENT;

	for (const char *end; path; path = *end ? end + 1 : NULL) {
		char *candidate;

		end = strchrnul(path, ':');
		if (asprintf(&candidate, "%.*s%s%s", (int)(end - path), path,
			     end > path ? "/" : "", name) < 0)
			return -ENOMEM;
		if (!check_runnable(candidate)) {
			*ret = candidate;
			return 0;
		}
		if (check_runnable(candidate) == -EACCES)
			code = -EACCES;
		free(candidate);
	}
	return code;
}

int instr_program_find(const char *name, char **ret, struct instr_err *err)
{
	int code;

	if (strchr(name, '/')) {
		code = check_runnable(name);
		if (!code)
			*ret = strdup(name);
	} else {
		code = *name ? search_path(name, ret) : -ENOENT;
	}
	if (code == -ENOENT && !strchr(name, '/'))
		return instr_fail(err, code, "%s: command not found", name);
	return code ? instr_fail(err, code, "%s: %s", name, strerror(-code)) : 0;
}

/* Reads the start of a file; shorter files are followed by zeros. */
static int read_start(const char *path, char *text, size_t len)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return -errno;
	memset(text, 0, len);
	if (fread(text, 1, len - 1, file) == 0 && ferror(file)) {
		fclose(file);
		return -EIO;
	}
	fclose(file);
	return 0;
}

/* The interpreter in "#! /bin/sh -e\n", or NULL; changes @text. */
static char *script_interpreter(char *text)
{
	char *name = text + 2;

	if (text[0] != '#' || text[1] != '!')
		return NULL;
	name[strcspn(name, "\n")] = '\0';
	name += strspn(name, " \t");
	name[strcspn(name, " \t")] = '\0';
	return *name ? name : NULL;
}

/* execvp(3) hands text that the kernel does not know to the shell. */
static bool is_text_for_shell(const char *text)
{
	return memcmp(text, "\177ELF", 4) && text[0] && text[0] != '#';
}

int instr_program_image(const char *path, char **ret, struct instr_err *err)
{
	char *image = strdup(path);
	char text[SCRIPT_LINE];

	for (int depth = 0; image && depth <= SCRIPT_DEPTH; depth++) {
		const char *next;
		int code = read_start(image, text, sizeof(text));

		if (code) {
			instr_fail(err, code, "%s: %s", image, strerror(-code));
			free(image);
			return code;
		}
		next = script_interpreter(text);
		if (!next && depth == 0 && is_text_for_shell(text))
			next = _PATH_BSHELL;
		if (!next) {
			*ret = image;
			return 0;
		}
		free(image);
		image = strdup(next);
	}
	free(image);
	return instr_fail(err, -ELOOP, "%s: too many interpreters", path);
}

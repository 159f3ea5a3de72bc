// SPDX-License-Identifier: GPL-2.0
/*
 * The program whose calls are counted.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libinstr/program.h"
#include "say.h"
#include "target.h"

int subject_of_pid(pid_t pid, struct subject *ret, struct instr_err *err)
{
	int code;

	*ret = (struct subject) { 0 };
	code = instr_proc_find(pid, &ret->pid, err);
	if (!code && ret->pid == getpid())
		code = instr_fail(err, -EINVAL, "process %d: is this very program", pid);
	if (!code)
		code = instr_proc_exe(ret->pid, &ret->exe, &ret->exe_name, err);
	if (!code)
		code = instr_maps_read(ret->pid, &ret->maps, err);
	if (code)
		subject_free(ret);
	return code;
}

/* It would be of little use to count in env(1), which only looks for the real one. */
static void say_if_env(const char *command, const char *image)
{
	const char *name = strrchr(image, '/');

	if (strcmp(name ? name + 1 : image, "env"))
		return;
	say(SAY_NOTE, "%s: is a script of %s", command, image);
	say_hint(SAY_NOTE, "name its interpreter: -f PATH:GLOB");
}

int subject_of_command(const char *command, struct subject *ret, struct instr_err *err)
{
	char *path;
	int code;

	*ret = (struct subject) { 0 };
	code = instr_program_find(command, &path, err);
	if (code)
		return code;
	code = instr_program_image(path, &ret->exe, err);
	if (!code)
		ret->exe_name = strdup(ret->exe);
	if (!code && strcmp(path, ret->exe))
		say_if_env(command, ret->exe);
	free(path);
	return code;
}

void subject_of_any(struct subject *ret)
{
	*ret = (struct subject) { 0 };
}

void subject_free(struct subject *subject)
{
	instr_maps_free(&subject->maps);
	free(subject->exe_name);
	free(subject->exe);
	*subject = (struct subject) { 0 };
}

// SPDX-License-Identifier: GPL-2.0
/*
 * What can be timed at all.
 */

#include "timable.h"

#include <errno.h>
#include <string.h>

#define STUB "@plt"

static bool is_stub(const char *name)
{
	size_t len = strlen(name);

	return len > strlen(STUB) && !strcmp(name + len - strlen(STUB), STUB);
}

static int refuse(const char *what, struct instr_err *err)
{
	instr_fail(err, -EINVAL, "%s: only whole functions have exits", what);
	return instr_hint(err, -EINVAL, "its calls can be counted, without --time and --exits");
}

static int check_place(const struct instr_place_info *info, struct instr_place place,
		       struct instr_err *err)
{
	char name[NAME_LEN];

	if (place.func != INSTR_POINTER && !place.at)
		return 0;
	return refuse(place.func == INSTR_POINTER ? info->name :
		      instr_place_name(info, name, sizeof(name)), err);
}

int timable_only(struct instr_file *file, const struct patterns *patterns,
		 struct instr_place *places, size_t *nr, struct instr_err *err)
{
	size_t kept = 0;
	int code = 0;

	for (size_t i = 0; i < patterns->nr && !code; i++)
		if (is_stub(patterns->text[i]))
			code = refuse(patterns->text[i], err);
	for (size_t i = 0; i < *nr && !code; i++) {
		struct instr_place_info info = instr_place_info(file, places[i]);

		code = check_place(&info, places[i], err);
		if (!is_stub(info.name))
			places[kept++] = places[i];
	}
	if (!code && !kept)
		code = refuse(patterns->text[0], err);
	*nr = kept;
	return code;
}

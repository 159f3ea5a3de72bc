// SPDX-License-Identifier: GPL-2.0
#include "shape.h"

#include <string.h>

#define DECLARE(name)								\
	long plain_##name(long), lock_##name(long), ours_##name(long),		\
	     trap_##name(long), exits_##name(long), timed_##name(long),		\
	     slotexits_##name(long), slottimed_##name(long),			\
	     uprobe_##name(long), uretprobe_##name(long);

#define SHAPE(name)								\
	{ #name, { plain_##name, lock_##name, ours_##name, trap_##name,		\
		   exits_##name, timed_##name, slotexits_##name, slottimed_##name,	\
		   uprobe_##name, uretprobe_##name } },

#define ALL(do)									\
	do(push) do(endbr) do(sub) do(lea) do(mov) do(flags) do(first) do(second)	\
	do(behind) do(fib)

ALL(DECLARE)

const struct shape shapes[] = { ALL(SHAPE) };
const size_t nr_shapes = sizeof(shapes) / sizeof(shapes[0]);

const struct shape *shape_find(const char *name)
{
	for (size_t i = 0; i < nr_shapes; i++) {
		if (!strcmp(shapes[i].name, name))
			return &shapes[i];
	}
	return NULL;
}

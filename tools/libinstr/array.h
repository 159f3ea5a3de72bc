/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Growing arrays that need no capacity: there is room up to the next power of
 * two, so an array can only be full when its length is one.
 */
#ifndef LIBINSTR_ARRAY_H
#define LIBINSTR_ARRAY_H

#include <stdint.h>
#include <stdlib.h>

/* The array with room for one more than @nr elements; NULL: it is as it was. */
static inline void *array_room(void *array, size_t nr, size_t size)
{
	size_t room = nr ? 2 * nr : 1;

	if (nr & (nr - 1))
		return array;
	if (room > SIZE_MAX / size)
		return NULL;
	return realloc(array, room * size);
}

/*
 * Appends @value to @array of @nr elements; false: out of memory, and nothing
 * has changed.
 */
#define ARRAY_PUSH(array, nr, value) ({					\
	__typeof__(array) __room = array_room((array), (nr), sizeof(*(array))); \
	if (__room) {							\
		(array) = __room;					\
		(array)[(nr)++] = (value);				\
	}								\
	__room != NULL;							\
})

#endif

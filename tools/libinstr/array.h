/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Arrays: growing ones that need no capacity, as there is room up to the next power
 * of two, so that an array can only be full when its length is one; and a search.
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

/*
 * The index of the first element whose @member (.name or ->name), which ascends, is not
 * below @value; @nr if there is none.
 */
#define ARRAY_LOWER(array, nr, member, value) ({				\
	size_t __first = 0, __end = (nr);					\
	while (__first < __end) {						\
		size_t __middle = __first + (__end - __first) / 2;		\
		if ((array)[__middle] member < (value))				\
			__first = __middle + 1;					\
		else								\
			__end = __middle;					\
	}									\
	__first;								\
})

#endif

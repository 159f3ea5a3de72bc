// SPDX-License-Identifier: GPL-2.0
#include "throws.h"

#define FRAME extern "C" __attribute__((noinline, noclone))

/* Each has something to do behind its call, so that it is no tail call. */
#define COPY(name)							\
	FRAME long name##_frame(long frames)				\
	{								\
		if (!--frames)						\
			throw 1;					\
		long value = name##_frame(frames);			\
		asm volatile("");					\
		return value + 1;					\
	}								\
									\
	void name##_throw(long frames)					\
	{								\
		try {							\
			name##_frame(frames);				\
		} catch (int) {						\
		}							\
	}

COPY(native)
COPY(timed)
COPY(slot)

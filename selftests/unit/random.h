/* SPDX-License-Identifier: GPL-2.0 */
/* Random numbers that are the same each time: Xorshift (George Marsaglia). */
#ifndef UNIT_RANDOM_H
#define UNIT_RANDOM_H

#include <stdint.h>

static uint32_t random_state = 12345;

static inline uint32_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* Random numbers that are the same again for the same seed: SplitMix64. */
#ifndef FUZZ_RANDOM_H
#define FUZZ_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct random {
	uint64_t state;
};

static inline uint64_t random_u64(struct random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* From 0 to @end - 1. */
static inline unsigned int random_below(struct random *random, unsigned int end)
{
	return (unsigned int)((random_u64(random) >> 32) * end >> 32);
}

static inline bool random_percent(struct random *random, unsigned int percent)
{
	return random_below(random, 100) < percent;
}

/* One stream for each @n of @seed, far from each other. */
static inline struct random random_stream(uint64_t seed, uint64_t n)
{
	struct random random = { seed };

	random.state = random_u64(&random) + n * 0xd1342543de82ef95;
	random.state = random_u64(&random);
	return random;
}

/* @len: a multiple of 8. */
static inline void random_fill(struct random *random, void *to, size_t len)
{
	uint64_t *words = to;

	for (size_t i = 0; i < len / sizeof(*words); i++)
		words[i] = random_u64(random);
}

#endif

// SPDX-License-Identifier: GPL-2.0
#include "extended.h"

#include <cpuid.h>
#include <string.h>

/* The legacy area: FCW FSW FTW FOP FIP FDP MXCSR, ST, XMM. */
#define FCW		0
#define FTW		4
#define FOP		6
#define MXCSR		24
#define MXCSR_MASK	28
#define ST		32
#define LEGACY_END	416
#define HEADER		512
#define HEADER_END	576

#define AVX512		0xe0

uint32_t extended_mask(void)
{
	static uint32_t mask;
	unsigned int a, b, c, d;

	if (!mask && __get_cpuid(1, &a, &b, &c, &d) && c & bit_OSXSAVE) {
		__cpuid_count(0xd, 0, a, b, c, d);
		mask = a & EXTENDED_MASK;
	}
	return mask;
}

bool extended_has_avx512(void)
{
	return (extended_mask() & AVX512) == AVX512;
}

void extended_init(uint8_t *image, struct random *random)
{
	/* The rounding differs; now and then a division by zero is a fault. */
	uint32_t mxcsr = 0x1f80 | random_below(random, 4) << 13;
	uint64_t mask = extended_mask();
	uint16_t fcw = 0x37f;

	if (random_percent(random, 10))
		mxcsr &= ~(1U << 9);
	random_fill(random, image, EXTENDED_MAX);
	memset(image, 0, ST);
	memset(image + LEGACY_END, 0, HEADER_END - LEGACY_END);
	memcpy(image + FCW, &fcw, sizeof(fcw));
	image[FTW] = (uint8_t)random_u64(random);
	memcpy(image + MXCSR, &mxcsr, sizeof(mxcsr));
	memcpy(image + HEADER, &mask, sizeof(mask));
}

static bool component_is(const uint8_t *a, const uint8_t *b, unsigned int component)
{
	static unsigned int at[8], len[8];
	unsigned int c, d;

	if (!len[component])
		__cpuid_count(0xd, component, len[component], at[component], c, d);
	return !memcmp(a + at[component], b + at[component], len[component]);
}

bool extended_is(const uint8_t *a, const uint8_t *b)
{
	if (memcmp(a, b, FOP) || memcmp(a + MXCSR, b + MXCSR, MXCSR_MASK - MXCSR) ||
	    memcmp(a + ST, b + ST, LEGACY_END - ST))
		return false;
	for (unsigned int i = 2; i < 8; i++) {
		if (extended_mask() >> i & 1 && !component_is(a, b, i))
			return false;
	}
	return true;
}

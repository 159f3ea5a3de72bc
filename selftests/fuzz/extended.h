/* SPDX-License-Identifier: GPL-2.0 */
/* Extended state: x87, SSE, AVX, AVX-512, as XSAVE writes it. */
#ifndef FUZZ_EXTENDED_H
#define FUZZ_EXTENDED_H

#include <stdbool.h>
#include <stdint.h>

#include "random.h"

/* For all that is in EXTENDED_MASK. */
#define EXTENDED_MAX	2752
#define EXTENDED_MASK	0xe7

/* The parts of EXTENDED_MASK that this machine has; 0: it has no XSAVE. */
uint32_t extended_mask(void);
bool extended_has_avx512(void);

/* Something that XRSTOR takes. */
void extended_init(uint8_t *image, struct random *random);
/* But for where the last x87 instruction was, which moves with it. */
bool extended_is(const uint8_t *a, const uint8_t *b);

#endif

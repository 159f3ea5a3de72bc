/* SPDX-License-Identifier: GPL-2.0 */
/* What became of the sequences, by class. */
#ifndef FUZZ_TALLY_H
#define FUZZ_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#define TALLY_CLASSES 64

struct tally_class {
	uint64_t sequences, jumps, traps, refused;
	uint64_t far;				/* what was moved refers far */
	uint64_t entries, insides;		/* runs of the patched one */
	uint64_t exits, faults, timeouts;	/* how those ended */
	uint64_t excused;			/* see excuse.h */
	uint64_t fatal;				/* killed the sandbox, before any patch */
};

struct tally {
	struct tally_class class[TALLY_CLASSES];
	uint64_t led_on;			/* traps */
	uint64_t reasons[32];
};

void tally_print(const struct tally *tally);
struct tally_class tally_sum(const struct tally *tally);
/* Was each class that could be executed? Says which was not. */
bool tally_is_complete(const struct tally *tally, bool real);

#endif

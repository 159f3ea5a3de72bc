// SPDX-License-Identifier: GPL-2.0
/*
 * In four lanes, so that a processor need not wait for one multiplication to begin
 * the next.
 */

#include "hash.h"

#include <string.h>

#define LANES 4

uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
	uint64_t lane[LANES] = { hash, ~hash, hash << 1, ~hash << 1 };
	uint64_t word[LANES] = { 0 };
	const uint8_t *at = bytes;
	size_t left = len;

	for (; left >= sizeof(word); left -= sizeof(word), at += sizeof(word)) {
		memcpy(word, at, sizeof(word));
		for (int i = 0; i < LANES; i++)
			lane[i] = hash_word(lane[i], word[i]);
	}
	memset(word, 0, sizeof(word));
	if (left)
		memcpy(word, at, left);
	hash = hash_word(hash, len);
	for (int i = 0; i < LANES; i++)
		hash = hash_word(hash, hash_word(lane[i], word[i]));
	return hash;
}

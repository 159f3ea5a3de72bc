/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hashes, in the manner of FNV-1a, by words. FNV does not bring high bits down: a
 * shift does. Good against accidents, not against somebody who means to break them.
 */
#ifndef LIBINSTR_HASH_H
#define LIBINSTR_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_INIT 0xcbf29ce484222325ULL

static inline uint64_t hash_word(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15;
	return hash ^ hash >> 32;
}

/* Of @len more bytes. At the speed of memory: it is done with all of a file's text. */
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len);

#endif

// SPDX-License-Identifier: GPL-2.0
/*
 * The cache of layouts. A record is believed only if the site that is planned
 * anew, out of the file's bytes, is the one that was laid out: so the worst that a
 * stale or damaged file can do is to be of no use.
 */

#include "cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clean.h"
#include "machine.h"
#include "slab.h"

#define PATH_LEN 4096

static const char cache_magic[8] = "instr\0\0\2";

struct cache_head {
	char magic[8];
	uint64_t layout_version;
	uint64_t funcs;			/* stands for all functions */
	uint64_t sum;			/* of all there is, with 0 here */
	uint64_t nr, nr_counters, code_len, data_len, layout, cells;
	int64_t slab_start;
	uint32_t nr_shards, shard_len;
	uint8_t has_rdpid, pad[7];
};

struct cache_record {
	uint64_t offset;
	int64_t slot, block, slow;
	uint64_t counter;
	uint16_t block_len;
	uint8_t how, patch_len, window_len, flags_live, targets, pad;
};

struct cache {
	struct cache_head head;
	struct cache_record *record;	/* by ascending offset */
};

/* FNV-1a, by words: what is hashed has no padding that is not zero. */
static uint64_t hash_words(uint64_t hash, const void *words, size_t len)
{
	uint64_t word;

	for (size_t at = 0; at + sizeof(word) <= len; at += sizeof(word)) {
		memcpy(&word, (const uint8_t *)words + at, sizeof(word));
		hash = (hash ^ word) * 0x100000001b3;
		hash ^= hash >> 29;
	}
	return hash;
}

static uint64_t hash_funcs(const struct func_table *funcs)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < funcs->nr; i++) {
		const struct instr_func *func = &funcs->func[i];
		const uint64_t words[] = { func->vaddr, func->size, func->is_signal_frame };

		if (!func->is_alias)
			hash = hash_words(hash, words, sizeof(words));
	}
	return hash;
}

static uint64_t hash_file(const struct cache_head *head, const struct cache_record *record)
{
	struct cache_head without_sum = *head;
	uint64_t hash;

	without_sum.sum = 0;
	hash = hash_words(0xcbf29ce484222325, &without_sum, sizeof(without_sum));
	return hash_words(hash, record, head->nr * sizeof(*record));
}

/* ---- the file --------------------------------------------------------------- */

static bool cache_folder(char *path)
{
	const char *own = getenv("INSTR_CACHE");
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int len;

	if (own)
		len = snprintf(path, PATH_LEN, "%s", own);
	else if (xdg && *xdg)
		len = snprintf(path, PATH_LEN, "%s/instr", xdg);
	else if (home && *home)
		len = snprintf(path, PATH_LEN, "%s/.cache/instr", home);
	else
		len = snprintf(path, PATH_LEN, "/var/cache/instr");
	return len > 0 && len < PATH_LEN;
}

static bool cache_path(const struct instr_plan *plan, char *path)
{
	const char *build_id = instr_file_build_id(plan->file);
	size_t len;

	if (!build_id || !cache_folder(path) || !*path)
		return false;
	len = strlen(path);
	return (size_t)snprintf(path + len, PATH_LEN - len, "/%s-%02x-%u", build_id,
				plan->distance.top, plan->nr_cells) < PATH_LEN - len;
}

/* Nobody else may tell us where code is to lie. */
static bool is_ours(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	       !(st.st_mode & 022);
}

static bool read_all(int fd, void *to, size_t len)
{
	ssize_t got = 1;

	for (size_t done = 0; got > 0 && done < len; done += (size_t)got)
		got = read(fd, (uint8_t *)to + done, len - done);
	return got > 0;
}

static bool write_all(int fd, const void *from, size_t len)
{
	ssize_t put = 1;

	for (size_t done = 0; put > 0 && done < len; done += (size_t)put)
		put = write(fd, (const uint8_t *)from + done, len - done);
	return put > 0;
}

/* ---- reading ---------------------------------------------------------------- */

static bool head_is_of(const struct cache_head *head, const struct func_table *funcs)
{
	return !memcmp(head->magic, cache_magic, sizeof(head->magic)) &&
	       head->layout_version == SLAB_LAYOUT_VERSION &&
	       head->nr && head->nr <= funcs->nr && head->funcs == hash_funcs(funcs) &&
	       head->nr_shards == 1 + machine_here()->shards &&
	       head->has_rdpid == machine_here()->has_rdpid;
}

static bool cache_read(struct cache *cache, int fd, const struct func_table *funcs)
{
	struct cache_head *head = &cache->head;
	size_t len;

	if (!is_ours(fd) || !read_all(fd, head, sizeof(*head)) || !head_is_of(head, funcs))
		return false;
	len = head->nr * sizeof(*cache->record);
	cache->record = malloc(len);
	return cache->record && read_all(fd, cache->record, len) &&
	       hash_file(head, cache->record) == head->sum;
}

static void plan_take(struct instr_plan *plan, const struct cache_head *head)
{
	plan->nr_counters = head->nr_counters;
	plan->code_len = head->code_len;
	plan->data_len = head->data_len;
	plan->layout = head->layout;
	plan->cells = head->cells;
	plan->slab_start = head->slab_start;
	plan->nr_shards = head->nr_shards;
	plan->shard_len = head->shard_len;
}

struct cache *cache_load(struct instr_plan *plan, const struct func_table *funcs)
{
	CLEAN(close) int fd = -1;
	struct cache *cache;
	char path[PATH_LEN];

	if (!cache_path(plan, path))
		return NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return NULL;
	cache = calloc(1, sizeof(*cache));
	if (!cache || !cache_read(cache, fd, funcs)) {
		cache_free(cache);
		return NULL;
	}
	plan_take(plan, &cache->head);
	return cache;
}

void cache_free(struct cache *cache)
{
	if (!cache)
		return;
	free(cache->record);
	free(cache);
}

static const struct cache_record *cache_find(const struct cache *cache, uint64_t offset)
{
	size_t first = 0, end = cache->head.nr;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (cache->record[middle].offset < offset)
			first = middle + 1;
		else
			end = middle;
	}
	return first < cache->head.nr && cache->record[first].offset == offset ?
	       &cache->record[first] : NULL;
}

const uint8_t *cache_targets(const struct cache *cache, uint64_t offset)
{
	const struct cache_record *record = cache_find(cache, offset);

	return record ? &record->targets : NULL;
}

bool cache_place(const struct cache *cache, struct instr_plan_site *site)
{
	const struct cache_record *record = cache_find(cache, site->offset);

	if (!record || record->how != site->how || record->block_len != site->block_len ||
	    record->patch_len != site->patch_len || record->window_len != site->window_len ||
	    record->flags_live != site->flags_live)
		return false;
	site->slot = record->slot;
	site->block = record->block;
	site->slow = record->slow;
	site->counter = record->counter;
	return true;
}

/* ---- writing ---------------------------------------------------------------- */

static struct cache_record record_of(const struct instr_plan_site *site)
{
	return (struct cache_record){
		.offset = site->offset,
		.slot = site->slot,
		.block = site->block,
		.slow = site->slow,
		.counter = site->counter,
		.block_len = site->block_len,
		.how = (uint8_t)site->how,
		.patch_len = site->patch_len,
		.window_len = site->window_len,
		.flags_live = site->flags_live,
		.targets = site->targets,
	};
}

static void head_init(struct cache_head *head, const struct instr_plan *plan,
		      const struct func_table *funcs, const struct cache_record *record)
{
	*head = (struct cache_head){
		.layout_version = SLAB_LAYOUT_VERSION,
		.funcs = hash_funcs(funcs),
		.nr = plan->nr,
		.nr_counters = plan->nr_counters,
		.code_len = plan->code_len,
		.data_len = plan->data_len,
		.layout = plan->layout,
		.cells = plan->cells,
		.slab_start = plan->slab_start,
		.nr_shards = plan->nr_shards,
		.shard_len = plan->shard_len,
		.has_rdpid = machine_here()->has_rdpid,
	};
	memcpy(head->magic, cache_magic, sizeof(head->magic));
	head->sum = hash_file(head, record);
}

/* All folders of @path, for nobody but us. */
static void make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
}

/* Whoever reads it sees all of it, or the one before it. */
static void cache_write(char *path, const struct cache_head *head,
			const struct cache_record *record)
{
	char temporary[PATH_LEN + 16];
	bool good;
	int fd;

	snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
	fd = mkstemp(temporary);
	if (fd < 0)
		return;
	good = write_all(fd, head, sizeof(*head)) &&
	       write_all(fd, record, head->nr * sizeof(*record));
	good &= !close(fd);
	if (!good || rename(temporary, path))
		unlink(temporary);
}

void cache_store(const struct instr_plan *plan, const struct func_table *funcs)
{
	CLEAN(free) struct cache_record *record = calloc(plan->nr, sizeof(*record));
	struct cache_head head;
	char path[PATH_LEN];

	if (!record || !cache_path(plan, path))
		return;
	make_folders(path);
	for (size_t i = 0; i < plan->nr; i++)
		record[i] = record_of(&plan->site[i]);
	head_init(&head, plan, funcs, record);
	cache_write(path, &head, record);
}

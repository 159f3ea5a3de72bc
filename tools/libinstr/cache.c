// SPDX-License-Identifier: GPL-2.0
/*
 * The cache of plans. It is believed only if the text is the one that was planned,
 * byte for byte, as far as a hash can tell, and the functions are the same: a file
 * that is stale or damaged is of no use, and nothing worse.
 */

#include "cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clean.h"
#include "hash.h"
#include "machine.h"
#include "slab.h"

#define PATH_LEN 4096

static const char cache_magic[8] = "instr\0\0\3";

/*
 * Behind it come the sites, as they are in memory: to map them takes a tenth of the
 * time that it would take to make them.
 */
struct cache_head {
	char magic[8];
	uint32_t layout_version, site_len;
	uint64_t funcs, text;		/* hashes */
	uint64_t sum;			/* of all there is, with 0 here */
	uint64_t nr, nr_counters, code_len, data_len, layout, cells;
	int64_t slab_start, annex_start;
	uint64_t annex_len;
	uint32_t nr_shards, shard_len;
	uint8_t has_rdpid, pad[7];
};

static uint64_t hash_funcs(const struct func_table *funcs)
{
	uint64_t hash = HASH_INIT;

	for (size_t i = 0; i < funcs->nr; i++) {
		const struct instr_func *func = &funcs->func[i];

		if (!func->is_alias)
			hash = hash_word(hash_word(hash, func->vaddr),
					 func->size << 1 | func->is_signal_frame);
	}
	return hash;
}

static uint64_t hash_file(const struct cache_head *head, const struct instr_plan_site *site)
{
	struct cache_head without_sum = *head;

	without_sum.sum = 0;
	return hash_bytes(hash_bytes(HASH_INIT, &without_sum, sizeof(without_sum)), site,
			  head->nr * sizeof(*site));
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
	return (size_t)snprintf(path + len, PATH_LEN - len, "/%s-%02x%02x-%u", build_id,
				plan->distance.top, plan->distance.annex, plan->nr_cells) < PATH_LEN - len;
}

/* Nobody else may tell us where code is to lie. */
static bool is_ours(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_uid == geteuid() && !(st->st_mode & 022);
}

/* Pages that are in memory are mapped at once; it is written to only afterwards. */
static void *map_all(int fd, size_t *len)
{
	struct stat st;
	void *map;

	if (fstat(fd, &st) || !is_ours(&st) || st.st_size < (off_t)sizeof(struct cache_head))
		return NULL;
	*len = (size_t)st.st_size;
	map = mmap(NULL, *len, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (map == MAP_FAILED)
		return NULL;
	mprotect(map, *len, PROT_READ | PROT_WRITE);
	return map;
}

static bool write_all(int fd, const void *from, size_t len)
{
	ssize_t put = 1;

	for (size_t done = 0; put > 0 && done < len; done += (size_t)put)
		put = write(fd, (const uint8_t *)from + done, len - done);
	return put > 0;
}

/* ---- reading ---------------------------------------------------------------- */

static struct instr_plan_site *cache_sites(const struct cache *cache)
{
	return (struct instr_plan_site *)((struct cache_head *)cache->map + 1);
}

static bool cache_is_of(const struct cache *cache, const struct site_text *text)
{
	const struct cache_head *head = cache->map;

	return !memcmp(head->magic, cache_magic, sizeof(head->magic)) &&
	       head->layout_version == SLAB_LAYOUT_VERSION &&
	       head->site_len == sizeof(struct instr_plan_site) &&
	       head->nr && head->nr <= text->funcs->nr &&
	       cache->len == sizeof(*head) + head->nr * sizeof(struct instr_plan_site) &&
	       head->nr_shards == 1 + machine_here()->shards &&
	       head->has_rdpid == machine_here()->has_rdpid &&
	       head->funcs == hash_funcs(text->funcs) &&
	       head->text == hash_bytes(HASH_INIT, text->bytes, text->len) &&
	       head->sum == hash_file(head, cache_sites(cache));
}

static void plan_take(struct instr_plan *plan, const struct cache_head *head)
{
	plan->nr = head->nr;
	plan->nr_counters = head->nr_counters;
	plan->code_len = head->code_len;
	plan->data_len = head->data_len;
	plan->layout = head->layout;
	plan->cells = head->cells;
	plan->slab_start = head->slab_start;
	plan->annex_start = head->annex_start;
	plan->annex_len = head->annex_len;
	plan->nr_shards = head->nr_shards;
	plan->shard_len = head->shard_len;
}

bool cache_load(struct cache *cache, struct instr_plan *plan, const struct site_text *text)
{
	CLEAN(close) int fd = -1;
	char path[PATH_LEN];

	if (!cache_path(plan, path))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	cache->map = fd < 0 ? NULL : map_all(fd, &cache->len);
	if (!cache->map)
		return false;
	if (!cache_is_of(cache, text)) {
		cache_unload(cache);
		return false;
	}
	plan_take(plan, cache->map);
	plan->site = cache_sites(cache);
	return true;
}

void cache_unload(struct cache *cache)
{
	munmap(cache->map, cache->len);
	cache->map = NULL;
}

/* ---- writing ---------------------------------------------------------------- */

static void head_init(struct cache_head *head, const struct instr_plan *plan,
		      const struct site_text *text)
{
	*head = (struct cache_head){
		.layout_version = SLAB_LAYOUT_VERSION,
		.site_len = sizeof(*plan->site),
		.funcs = hash_funcs(text->funcs),
		.text = hash_bytes(HASH_INIT, text->bytes, text->len),
		.nr = plan->nr,
		.nr_counters = plan->nr_counters,
		.code_len = plan->code_len,
		.data_len = plan->data_len,
		.layout = plan->layout,
		.cells = plan->cells,
		.slab_start = plan->slab_start,
		.annex_start = plan->annex_start,
		.annex_len = plan->annex_len,
		.nr_shards = plan->nr_shards,
		.shard_len = plan->shard_len,
		.has_rdpid = machine_here()->has_rdpid,
	};
	memcpy(head->magic, cache_magic, sizeof(head->magic));
	head->sum = hash_file(head, plan->site);
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
			const struct instr_plan_site *site)
{
	char temporary[PATH_LEN + 16];
	bool good;
	int fd;

	snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
	fd = mkstemp(temporary);
	if (fd < 0)
		return;
	good = write_all(fd, head, sizeof(*head)) &&
	       write_all(fd, site, head->nr * sizeof(*site));
	good &= !close(fd);
	if (!good || rename(temporary, path))
		unlink(temporary);
}

void cache_store(const struct instr_plan *plan, const struct site_text *text)
{
	struct cache_head head;
	char path[PATH_LEN];

	if (!cache_path(plan, path))
		return;
	make_folders(path);
	head_init(&head, plan, text);
	cache_write(path, &head, plan->site);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The cache of plans. It is believed only if all that a plan is made of is the same, as
 * far as a hash can tell: the text, where it lies, the functions, what may not be
 * probed. So a file that is stale or damaged is of no use, and nothing worse.
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
#include "file.h"
#include "hash.h"
#include "machine.h"
#include "slab.h"

#define PATH_LEN 4096

/* Whoever changes what becomes of a site, in any file, changes its last number. */
static const char cache_magic[8] = "instr\0\0\7";

/*
 * Behind it come the sites, as they are in memory: to map them takes a tenth of the
 * time that it would take to make them.
 */
struct cache_head {
	char magic[8];
	uint32_t layout_version, site_len;
	uint64_t subject, text;		/* hashes */
	uint64_t sum;			/* of all there is, with 0 here */
	uint64_t nr, nr_counters, code_len, data_len, layout, cells;
	int64_t slab_start, annex_start;
	uint64_t annex_len;
	uint32_t nr_shards, shard_len;
	uint8_t has_rdpid, pad[7];
};

static uint64_t hash_file_place(uint64_t hash, const struct instr_file *file)
{
	hash = hash_word(hash_word(hash, file->skew), file->text->p_vaddr);
	for (size_t i = 0; i < file->nr_segments; i++) {
		const Elf64_Phdr *segment = &file->segment[i];

		hash = hash_word(hash_word(hash_word(hash, segment->p_type), segment->p_vaddr),
				 segment->p_memsz);
	}
	return hash;
}

static uint64_t hash_funcs(uint64_t hash, const struct func_table *funcs)
{
	for (size_t i = 0; i < funcs->nr; i++) {
		const struct instr_func *func = &funcs->func[i];

		if (!func->is_alias)
			hash = hash_word(hash_word(hash, func->vaddr),
					 func->size << 1 | func->is_signal_frame);
	}
	return hash;
}

/* All that a plan is made of, but for the text's bytes. */
static uint64_t hash_subject(const struct instr_plan *plan, const struct site_text *text)
{
	uint64_t hash = hash_file_place(HASH_INIT, plan->file);

	hash = hash_funcs(hash, text->funcs);
	hash = hash_bytes(hash, text->rseq, text->nr_rseq * sizeof(*text->rseq));
	return hash_bytes(hash, text->selfread.sum,
			  text->selfread.nr_sums * sizeof(*text->selfread.sum));
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

/* Is its length what its head says? */
static bool is_whole(int fd, const struct stat *st)
{
	struct cache_head head;

	return pread(fd, &head, sizeof(head), 0) == sizeof(head) &&
	       !memcmp(head.magic, cache_magic, sizeof(head.magic)) &&
	       head.nr <= INSTR_SITES_MAX && head.site_len == sizeof(struct instr_plan_site) &&
	       (uint64_t)st->st_size == sizeof(head) + head.nr * head.site_len;
}

/* Pages that are in memory are mapped at once; it is written to only afterwards. */
static void *map_all(int fd, size_t *len)
{
	struct stat st;
	void *map;

	if (fstat(fd, &st) || !is_ours(&st) || !is_whole(fd, &st))
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

static bool cache_is_of(const struct cache *cache, const struct instr_plan *plan,
			const struct site_text *text)
{
	const struct cache_head *head = cache->map;

	return head->layout_version == SLAB_LAYOUT_VERSION &&
	       head->nr && head->nr <= text->funcs->nr &&
	       head->nr_shards == 1 + machine_here()->shards &&
	       head->has_rdpid == machine_here()->has_rdpid &&
	       head->subject == hash_subject(plan, text) &&
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
	if (!cache_is_of(cache, plan, text)) {
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
		.subject = hash_subject(plan, text),
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

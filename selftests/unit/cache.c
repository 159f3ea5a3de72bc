// SPDX-License-Identifier: GPL-2.0
/*
 * The cache of layouts: a plan that is made with it is the plan that is made
 * without, and whatever is wrong with it makes it useless, not harmful.
 */

#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clean.h"
#include "scratch.h"
#include "tap.h"

#define LIBC "/lib/x86_64-linux-gnu/libc.so.6"

static char folder[] = "/tmp/instr-unit-cache-XXXXXX";
static char cached[512];	/* the one file in it */

static void use_cache(bool use)
{
	setenv("INSTR_CACHE", use ? folder : "", 1);
}

static bool find_cached(void)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int nr = 0;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(cached, sizeof(cached), "%s/%s", folder, entry->d_name);
		nr++;
	}
	closedir(dir);
	return nr == 1;
}

static struct instr_plan *plan_of(struct instr_file *file, const char *const *globs, size_t nr)
{
	CLEAN(free) struct instr_place *place = NULL;
	struct instr_plan *plan = NULL;
	struct instr_err err = { 0 };

	if (instr_places_match(file, globs, nr, &place, &nr, &err) ||
	    instr_plan_create(file, place, nr, *instr_distances(file), &plan, &err))
		printf("# %s\n", err.text);
	return plan;
}

static bool chunks_are_equal(const struct instr_plan *a, const struct instr_plan *b)
{
	for (size_t i = 0; i < a->nr_chunks; i++) {
		if (a->chunk[i].offset != b->chunk[i].offset || a->chunk[i].len != b->chunk[i].len ||
		    memcmp(a->chunk[i].bytes, b->chunk[i].bytes, a->chunk[i].len))
			return false;
	}
	return a->nr_chunks == b->nr_chunks;
}

static bool plans_are_equal(const struct instr_plan *a, const struct instr_plan *b)
{
	return a && b && a->layout == b->layout && a->slab_start == b->slab_start &&
	       a->code_len == b->code_len && a->data_len == b->data_len &&
	       a->nr_cells == b->nr_cells && a->cells == b->cells && a->nr == b->nr &&
	       a->nr_counters == b->nr_counters && a->shard_len == b->shard_len &&
	       a->nr_sites == b->nr_sites && a->nr_traps == b->nr_traps &&
	       !memcmp(a->site, b->site, a->nr * sizeof(*a->site)) &&
	       !memcmp(a->sites, b->sites, a->nr_sites * sizeof(*a->sites)) &&
	       !memcmp(a->traps, b->traps, a->nr_traps * sizeof(*a->traps)) &&
	       chunks_are_equal(a, b);
}

/* Two plans, the second with what the cache has now. */
static bool same_with_cache(const char *const *globs, size_t nr)
{
	CLEAN(file) struct instr_file *file = NULL;
	CLEAN(plan) struct instr_plan *without = NULL;
	CLEAN(plan) struct instr_plan *with = NULL;

	if (instr_file_open(LIBC, &file, NULL))
		return false;
	use_cache(false);
	without = plan_of(file, globs, nr);
	use_cache(true);
	with = plan_of(file, globs, nr);
	return plans_are_equal(without, with);
}

static void plans_are_the_same(void)
{
	static const char *const globs[] = { "malloc", "str*", "qsort_r", "*" };
	static const char *const inside[] = { "malloc", "malloc+0", "qsort_r" };

	CHECK(same_with_cache(globs, 1) && CHECK(find_cached()));
	CHECK(same_with_cache(globs, 1));
	CHECK(same_with_cache(globs + 1, 2));
	CHECK(same_with_cache(globs + 3, 1));
	CHECK(same_with_cache(inside, 3));
	CHECK(find_cached());
}

/* Did the last plan write it anew? */
static ino_t cached_inode(void)
{
	struct stat st;

	return stat(cached, &st) ? 0 : st.st_ino;
}

static void change_cached(off_t at, uint8_t by)
{
	int fd = open(cached, O_RDWR);
	uint8_t byte = 0;

	CHECK(pread(fd, &byte, 1, at) == 1);
	byte ^= by;
	CHECK(pwrite(fd, &byte, 1, at) == 1);
	close(fd);
}

static void it_is_used(void)
{
	static const char *const globs[] = { "malloc" };
	ino_t inode = cached_inode();

	CHECK(same_with_cache(globs, 1) && inode && cached_inode() == inode);
}

static void damage_makes_it_useless(void)
{
	static const char *const globs[] = { "malloc", "free", "*printf*" };
	struct stat st;

	CHECK(!stat(cached, &st));
	for (off_t at = 0; at < st.st_size; at += at < 200 ? 8 : 4099) {
		ino_t inode = cached_inode();

		change_cached(at, 0x41);
		if (!CHECK(same_with_cache(globs, 3)) || !CHECK(cached_inode() != inode)) {
			printf("# damaged at byte %ld\n", (long)at);
			break;
		}
	}
	CHECK(!truncate(cached, st.st_size / 2) && same_with_cache(globs, 3));
	CHECK(!truncate(cached, 5) && same_with_cache(globs, 3));
	CHECK(!truncate(cached, 0) && same_with_cache(globs, 3));
	CHECK(!stat(cached, &st) && st.st_size > 1000);
}

static void what_others_may_write_is_not_read(void)
{
	static const char *const globs[] = { "malloc" };
	ino_t inode = cached_inode();

	CHECK(!chmod(cached, 0666) && same_with_cache(globs, 1) && cached_inode() != inode);
	inode = cached_inode();
	if (geteuid())
		return;
	CHECK(!chown(cached, 65534, 65534) && same_with_cache(globs, 1) &&
	      cached_inode() != inode);
}

/* The same build ID, text and functions: what else differs must be noticed. */
static void another_file_of_that_name_is_not_taken_for_it(void)
{
	const char *const glob = "malloc";
	ino_t inode = cached_inode();
	struct scratch copy;
	Elf64_Phdr *segment;

	if (!CHECK(scratch_read(&copy, LIBC)))
		return;
	segment = (Elf64_Phdr *)(copy.bytes + ((Elf64_Ehdr *)copy.bytes)->e_phoff);
	use_cache(true);
	for (int i = 0; i < 2; i++) {
		CLEAN(file) struct instr_file *file = NULL;
		CLEAN(plan) struct instr_plan *plan = NULL;

		CHECK(scratch_write(&copy, copy.bytes, copy.len));
		CHECK(!instr_file_open(copy.path, &file, NULL));
		plan = plan_of(file, &glob, 1);
		CHECK(plan && (cached_inode() == inode) == !i);
		while (segment->p_type != PT_LOAD)
			segment++;
		segment->p_memsz += 4096;
	}
	scratch_exit(&copy);
}

static void it_can_be_done_without(void)
{
	static const char *const globs[] = { "malloc" };
	CLEAN(file) struct instr_file *file = NULL;
	CLEAN(plan) struct instr_plan *plan = NULL;

	CHECK(!unlink(cached) && !rmdir(folder));
	CHECK(!instr_file_open(LIBC, &file, NULL));
	setenv("INSTR_CACHE", "/proc/nowhere/at/all", 1);
	plan = plan_of(file, globs, 1);
	CHECK(plan && plan->nr_sites == 1);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!mkdtemp(folder))
		return 1;
	RUN(plans_are_the_same);
	RUN(it_is_used);
	RUN(damage_makes_it_useless);
	RUN(what_others_may_write_is_not_read);
	RUN(another_file_of_that_name_is_not_taken_for_it);
	RUN(it_can_be_done_without);
	return tap_done();
}

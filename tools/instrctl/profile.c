// SPDX-License-Identifier: GPL-2.0
/*
 * A profile: what is in a result, as pprof.c wants it.
 */

#include "profile.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "duration.h"
#include "libinstr/array.h"
#include "libinstr/clean.h"
#include "pprof.h"
#include "replace.h"
#include "say.h"

struct profile {
	const struct targets *targets;
	const struct result *result;
	size_t nr_files, nr_functions, nr_samples;
	struct pprof_file *file;
	struct pprof_function *function;
	struct pprof_sample *sample;
	size_t *function_of;	/* by number of a site: + 1; 0: it was not called */
};

/* ---- what was called ----------------------------------------------------------- */

static void mark_called(struct profile *profile)
{
	for (size_t i = 0; i < profile->result->nr; i++) {
		const struct result_space *space = &profile->result->space[i];

		for (size_t j = 0; j < space->nr; j++)
			profile->function_of[space->count[j].number] = 1;
	}
}

static void add_file(struct profile *profile, const struct target *target)
{
	struct pprof_file *file = &profile->file[profile->nr_files++];
	uint64_t len;

	file->name = target->name;
	file->build_id = instr_file_build_id(target->file);
	instr_file_text(target->file, &file->offset, &len);
	file->start = instr_file_text_vaddr(target->file, file->offset);
	file->end = file->start + len;
}

static void add_function(struct profile *profile, const struct target *target, size_t i)
{
	struct instr_place_info place = target_place(target, i);
	char name[NAME_LEN];

	profile->function[profile->nr_functions++] = (struct pprof_function) {
		.file = profile->nr_files - 1,
		.name = strdup(instr_place_name(&place, name, sizeof(name))),
		.vaddr = place.vaddr,
	};
	profile->function_of[target->first + i] = profile->nr_functions;
}

/* Files and functions are those that were called. */
static void add_target(struct profile *profile, const struct target *target)
{
	bool any = false;

	for (size_t i = 0; i < target->nr; i++) {
		if (!profile->function_of[target->first + i])
			continue;
		if (!any)
			add_file(profile, target);
		any = true;
		add_function(profile, target, i);
	}
}

/* ---- samples --------------------------------------------------------------------- */

static void add_sample(struct profile *profile, const struct result_space *space,
		       const struct result_count *count)
{
	struct pprof_sample sample = {
		.function = profile->function_of[count->number] - 1,
		.pid = space->pid,
		.comm = space->comm,
		.calls = count->calls,
	};

	if (profile->targets->goal.measure == INSTR_TIMES) {
		sample.total_ns = duration_ns(count->total, profile->result->tsc_khz);
		sample.self_ns = duration_ns(count->self, profile->result->tsc_khz);
	}
	if (!ARRAY_PUSH(profile->sample, profile->nr_samples, sample))
		out_of_memory();
}

static void profile_init(struct profile *profile, const struct targets *targets,
			 const struct result *result)
{
	*profile = (struct profile) {
		.targets = targets,
		.result = result,
		.file = allocate(targets->nr, sizeof(*profile->file)),
		.function = allocate(targets->nr_sites, sizeof(*profile->function)),
		.function_of = allocate(targets->nr_sites, sizeof(*profile->function_of)),
	};
	mark_called(profile);
	for (size_t i = 0; i < targets->nr; i++)
		add_target(profile, &targets->target[i]);
	for (size_t i = 0; i < result->nr; i++)
		for (size_t j = 0; j < result->space[i].nr; j++)
			add_sample(profile, &result->space[i], &result->space[i].count[j]);
}

static void profile_exit(struct profile *profile)
{
	for (size_t i = 0; i < profile->nr_functions; i++)
		free((char *)profile->function[i].name);
	free(profile->file);
	free(profile->function);
	free(profile->sample);
	free(profile->function_of);
}

static uint64_t wall_clock(void)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

int profile_write(const char *path, const struct targets *targets, const struct result *result,
		  double seconds, struct instr_err *err)
{
	CLEAN(free) uint8_t *bytes = NULL;
	struct profile profile;
	struct pprof pprof = {
		.timed = targets->goal.measure == INSTR_TIMES,
		.duration_ns = (uint64_t)(seconds * 1e9),
	};
	size_t len;

	profile_init(&profile, targets, result);
	pprof.begin_ns = wall_clock() - pprof.duration_ns;
	pprof.nr_files = profile.nr_files;
	pprof.file = profile.file;
	pprof.nr_functions = profile.nr_functions;
	pprof.function = profile.function;
	pprof.nr_samples = profile.nr_samples;
	pprof.sample = profile.sample;
	pprof_pack(&pprof, &bytes, &len);
	profile_exit(&profile);
	return replace_output(path, bytes, len, err);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Profiles for pprof.
 */

#include "pprof.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "libinstr/array.h"
#include "profile.pb-c.h"
#include "say.h"
#include "utf8.h"

#define NR_TYPES_MAX	3
#define NR_LABELS	2	/* of a sample */

/* All that a message points to, in arrays that don't move. */
struct builder {
	Profile__Profile profile;
	size_t nr_strings;
	char **string;
	size_t nr_types;
	Profile__ValueType type[NR_TYPES_MAX];
	Profile__Mapping *mapping;
	Profile__Location *location;
	Profile__Line *line;
	Profile__Function *function;
	Profile__Sample *sample;
	Profile__Label *label;
	uint64_t *location_id;	/* of each sample */
	int64_t *value;
	void **pointers[8];	/* the arrays of pointers */
	size_t nr_pointers;
};

/* Pointers to the elements of an array. */
static void *pointers_to(struct builder *builder, void *array, size_t nr, size_t size)
{
	void **pointer = allocate(nr, sizeof(*pointer));

	for (size_t i = 0; i < nr; i++)
		pointer[i] = (char *)array + i * size;
	builder->pointers[builder->nr_pointers++] = pointer;
	return pointer;
}

#define POINTERS(builder, array, nr) pointers_to(builder, array, nr, sizeof(*(array)))

/* An index into the table. */
static int64_t add_string(struct builder *builder, const char *bytes)
{
	if (builder->nr_strings && !*bytes)
		return 0;
	if (!ARRAY_PUSH(builder->string, builder->nr_strings, utf8_text(bytes)))
		out_of_memory();
	return (int64_t)builder->nr_strings - 1;
}

static int64_t number(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

/* ---- what is measured ---------------------------------------------------------- */

static int64_t add_type(struct builder *builder, const char *name, const char *unit)
{
	Profile__ValueType *type = &builder->type[builder->nr_types++];

	profile__value_type__init(type);
	type->type = add_string(builder, name);
	type->unit = add_string(builder, unit);
	return type->type;
}

/* What is taken if nobody asks: what adds up. */
static void add_types(struct builder *builder, bool timed)
{
	Profile__Profile *profile = &builder->profile;

	profile->default_sample_type = add_type(builder, "calls", "count");
	if (timed) {
		add_type(builder, "total", "nanoseconds");
		profile->default_sample_type = add_type(builder, "self", "nanoseconds");
	}
	profile->n_sample_type = builder->nr_types;
	profile->sample_type = POINTERS(builder, builder->type, builder->nr_types);
}

/* ---- where --------------------------------------------------------------------- */

static void add_mapping(struct builder *builder, const struct pprof_file *file, size_t i)
{
	Profile__Mapping *mapping = &builder->mapping[i];

	profile__mapping__init(mapping);
	mapping->id = i + 1;
	mapping->memory_start = file->start;
	mapping->memory_limit = file->end;
	mapping->file_offset = file->offset;
	mapping->filename = add_string(builder, file->name);
	mapping->build_id = file->build_id ? add_string(builder, file->build_id) : 0;
	mapping->has_functions = true;
}

static void add_mappings(struct builder *builder, const struct pprof *pprof)
{
	builder->mapping = allocate(pprof->nr_files, sizeof(*builder->mapping));
	for (size_t i = 0; i < pprof->nr_files; i++)
		add_mapping(builder, &pprof->file[i], i);
	builder->profile.n_mapping = pprof->nr_files;
	builder->profile.mapping = POINTERS(builder, builder->mapping, pprof->nr_files);
}

static void add_function(struct builder *builder, const struct pprof_function *from,
			 Profile__Line **line, size_t i)
{
	Profile__Function *function = &builder->function[i];
	Profile__Location *location = &builder->location[i];

	profile__function__init(function);
	function->id = i + 1;
	function->name = function->system_name = add_string(builder, from->name);
	profile__line__init(*line);
	(*line)->function_id = i + 1;
	profile__location__init(location);
	location->id = i + 1;
	location->mapping_id = from->file + 1;
	location->address = from->vaddr;
	location->n_line = 1;
	location->line = line;
}

static void add_functions(struct builder *builder, const struct pprof *pprof)
{
	size_t nr = pprof->nr_functions;
	Profile__Line **line;

	builder->function = allocate(nr, sizeof(*builder->function));
	builder->location = allocate(nr, sizeof(*builder->location));
	builder->line = allocate(nr, sizeof(*builder->line));
	line = POINTERS(builder, builder->line, nr);
	for (size_t i = 0; i < nr; i++)
		add_function(builder, &pprof->function[i], &line[i], i);
	builder->profile.n_function = builder->profile.n_location = nr;
	builder->profile.function = POINTERS(builder, builder->function, nr);
	builder->profile.location = POINTERS(builder, builder->location, nr);
}

/* ---- how much ------------------------------------------------------------------ */

struct label_keys {
	int64_t pid, comm;
};

static void add_labels(struct label_keys keys, int pid, int64_t comm, Profile__Label **label)
{
	profile__label__init(label[0]);
	label[0]->key = keys.pid;
	label[0]->num = pid;
	profile__label__init(label[1]);
	label[1]->key = keys.comm;
	label[1]->str = comm;
}

static void add_sample(struct builder *builder, const struct pprof_sample *from,
		       Profile__Label **label, size_t i)
{
	const uint64_t value[NR_TYPES_MAX] = { from->calls, from->total_ns, from->self_ns };
	Profile__Sample *sample = &builder->sample[i];

	profile__sample__init(sample);
	builder->location_id[i] = from->function + 1;
	sample->n_location_id = 1;
	sample->location_id = &builder->location_id[i];
	sample->n_value = builder->nr_types;
	sample->value = &builder->value[i * NR_TYPES_MAX];
	for (size_t j = 0; j < builder->nr_types; j++)
		sample->value[j] = number(value[j]);
	sample->n_label = NR_LABELS;
	sample->label = label;
}

/* Samples of a process follow each other: its name is one text. */
static void fill_samples(struct builder *builder, const struct pprof *pprof,
			 Profile__Label **label)
{
	const struct label_keys keys = { add_string(builder, "pid"), add_string(builder, "comm") };
	const char *last = NULL;
	int64_t comm = 0;

	for (size_t i = 0; i < pprof->nr_samples; i++) {
		const struct pprof_sample *sample = &pprof->sample[i];

		if (!last || strcmp(last, sample->comm))
			comm = add_string(builder, sample->comm);
		last = sample->comm;
		add_labels(keys, sample->pid, comm, &label[i * NR_LABELS]);
		add_sample(builder, sample, &label[i * NR_LABELS], i);
	}
}

static void add_samples(struct builder *builder, const struct pprof *pprof)
{
	size_t nr = pprof->nr_samples;

	builder->sample = allocate(nr, sizeof(*builder->sample));
	builder->label = allocate(nr * NR_LABELS, sizeof(*builder->label));
	builder->location_id = allocate(nr, sizeof(*builder->location_id));
	builder->value = allocate(nr * NR_TYPES_MAX, sizeof(*builder->value));
	fill_samples(builder, pprof, POINTERS(builder, builder->label, nr * NR_LABELS));
	builder->profile.n_sample = nr;
	builder->profile.sample = POINTERS(builder, builder->sample, nr);
}

/* ---- all of it ------------------------------------------------------------------- */

static void builder_init(struct builder *builder, const struct pprof *pprof)
{
	*builder = (struct builder) { 0 };
	profile__profile__init(&builder->profile);
	add_string(builder, "");
	add_types(builder, pprof->timed);
	add_mappings(builder, pprof);
	add_functions(builder, pprof);
	add_samples(builder, pprof);
	builder->profile.n_string_table = builder->nr_strings;
	builder->profile.string_table = builder->string;
	builder->profile.time_nanos = number(pprof->begin_ns);
	builder->profile.duration_nanos = number(pprof->duration_ns);
}

static void builder_exit(struct builder *builder)
{
	for (size_t i = 0; i < builder->nr_strings; i++)
		free(builder->string[i]);
	for (size_t i = 0; i < builder->nr_pointers; i++)
		free(builder->pointers[i]);
	free(builder->string);
	free(builder->mapping);
	free(builder->location);
	free(builder->line);
	free(builder->function);
	free(builder->sample);
	free(builder->label);
	free(builder->location_id);
	free(builder->value);
}

/* 16 more than the largest window: with a header as gzip has it, which tells no time. */
#define GZIP_WINDOW	(MAX_WBITS + 16)
#define MEMORY_LEVEL	8

static void compress_all(uint8_t *bytes, size_t len, uint8_t **ret, size_t *ret_len)
{
	z_stream stream = { .next_in = bytes, .avail_in = (uInt)len };
	size_t room;

	if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, MEMORY_LEVEL,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		out_of_memory();
	room = deflateBound(&stream, len);
	*ret = stream.next_out = allocate(room, 1);
	stream.avail_out = (uInt)room;
	/* There is room for all of it: it takes one call. */
	deflate(&stream, Z_FINISH);
	*ret_len = stream.total_out;
	deflateEnd(&stream);
}

void pprof_pack(const struct pprof *pprof, uint8_t **ret, size_t *len)
{
	struct builder builder;
	uint8_t *bytes;
	size_t bytes_len;

	builder_init(&builder, pprof);
	bytes = allocate(profile__profile__get_packed_size(&builder.profile), 1);
	bytes_len = profile__profile__pack(&builder.profile, bytes);
	builder_exit(&builder);
	compress_all(bytes, bytes_len, ret, len);
	free(bytes);
}

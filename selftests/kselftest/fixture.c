// SPDX-License-Identifier: GPL-2.0
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void __attribute__((noreturn, format(printf, 1, 2))) bail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("Bail out! ");
	vprintf(fmt, args);
	printf("\n");
	va_end(args);
	exit(1);
}

const char *target_path(const char *name)
{
	static char path[4][4096];
	static int next;
	char *at = path[next++ % 4];

	snprintf(at, sizeof(path[0]), "%s/%s", TARGETS, name);
	return at;
}

/* ---- a session ------------------------------------------------------------------- */

static void probes_write_slab(struct probes *probes)
{
	const struct instr_plan *plan = probes->plan;
	size_t i;

	for (i = 0; i < plan->nr_chunks; i++) {
		struct instr_slab_io arg = {
			.size = sizeof(arg), .overlay_id = probes->overlay_id,
			.offset = plan->chunk[i].offset, .len = plan->chunk[i].len,
			.ptr = (uintptr_t)plan->chunk[i].bytes,
		};

		if (ioctl(probes->fd, INSTR_SLAB_WRITE, &arg))
			bail("INSTR_SLAB_WRITE: %s", strerror(errno));
	}
}

static void probes_set_pointers(struct probes *probes)
{
	const struct instr_plan *plan = probes->plan;
	struct instr_pointers arg = {
		.size = sizeof(arg), .overlay_id = probes->overlay_id,
		.nr = plan->nr_pointers, .ready = plan->ready,
		.pointers = (uintptr_t)plan->pointers,
	};

	if (plan->nr_pointers && ioctl(probes->fd, INSTR_POINTERS, &arg))
		bail("INSTR_POINTERS: %s", strerror(errno));
}

void probes_open(struct probes *probes, const char *path, const char *const *names)
{
	struct instr_overlay_create arg = { .size = sizeof(arg) };
	struct instr_err err = { 0 };
	struct instr_place *places;
	size_t nr, nr_names = 0;

	while (names[nr_names])
		nr_names++;
	if (instr_file_open(path, &probes->file, &err) ||
	    instr_places_match(probes->file, names, nr_names, &places, &nr, &err) ||
	    instr_plan_create(probes->file, places, nr, instr_distances(probes->file)[0],
			      &probes->plan, &err))
		bail("%s", err.text);
	free(places);
	probes->fd = open("/dev/instr", O_RDWR | O_CLOEXEC);
	if (probes->fd < 0)
		bail("/dev/instr: %s", strerror(errno));
	arg.file_fd = instr_file_fd(probes->file);
	arg.slab_start = probes->plan->slab_start;
	arg.code_len = probes->plan->code_len;
	arg.data_len = probes->plan->data_len;
	arg.kept_len = probes->plan->kept_len;
	arg.layout = probes->plan->layout;
	arg.annex_start = probes->plan->annex_start;
	arg.annex_len = probes->plan->annex_len;
	arg.times_len = probes->plan->times_len;
	arg.frames_len = probes->plan->frames_len;
	if (ioctl(probes->fd, INSTR_OVERLAY_CREATE, &arg))
		bail("INSTR_OVERLAY_CREATE: %s", strerror(errno));
	probes->overlay_id = arg.out_overlay_id;
	probes_write_slab(probes);
	probes_set_pointers(probes);
}

void probes_close(struct probes *probes)
{
	if (probes->fd >= 0)
		close(probes->fd);
	instr_plan_destroy(probes->plan);
	instr_file_close(probes->file);
}

static int publish(struct probes *probes, size_t nr_sites)
{
	struct instr_publish arg = {
		.size = sizeof(arg), .overlay_id = probes->overlay_id,
		.nr_sites = nr_sites, .nr_traps = probes->plan->nr_traps,
		.sites = (uintptr_t)probes->plan->sites,
		.traps = (uintptr_t)probes->plan->traps,
		.nr_origins = probes->plan->nr_origins,
		.origins = (uintptr_t)probes->plan->origins,
		.nr_rewinds = probes->plan->nr_rewinds,
		.rewinds = (uintptr_t)probes->plan->rewinds,
		.nr_shapes = probes->plan->nr_shapes,
		.shapes = (uintptr_t)probes->plan->shapes,
	};

	return ioctl(probes->fd, INSTR_PUBLISH, &arg) ? -errno : 0;
}

int probes_publish(struct probes *probes)
{
	return publish(probes, probes->plan->nr_sites);
}

int probes_withdraw(struct probes *probes)
{
	return publish(probes, 0);
}

int probes_attach_with(struct probes *probes, pid_t pid, uint32_t flags)
{
	struct instr_attach arg = { .size = sizeof(arg), .flags = flags, .pid = pid };

	return ioctl(probes->fd, INSTR_ATTACH, &arg) ? -errno : (int)arg.out_views;
}

int probes_attach(struct probes *probes, pid_t pid)
{
	return probes_attach_with(probes, pid, 0);
}

int probes_detach(struct probes *probes, pid_t pid)
{
	struct instr_detach arg = { .size = sizeof(arg), .pid = pid };

	return ioctl(probes->fd, INSTR_DETACH, &arg) ? -errno : 0;
}

static const struct instr_plan_site *probes_site(struct probes *probes, const char *name)
{
	size_t i;

	for (i = 0; i < probes->plan->nr; i++) {
		const struct instr_plan_site *site = &probes->plan->site[i];

		if (!strcmp(instr_place_info(probes->file, site->place).name, name))
			return site;
	}
	bail("no site for %s", name);
}

enum instr_how probes_how(struct probes *probes, const char *name)
{
	return probes_site(probes, name)->how;
}

void probes_bytes(struct probes *probes, const char *name, bool patched, char *text,
		  size_t len)
{
	const struct instr_plan_site *site = probes_site(probes, name);
	uint8_t bytes[16];
	size_t i;

	if (pread(instr_file_fd(probes->file), bytes, sizeof(bytes), site->offset) !=
	    sizeof(bytes))
		bail("pread: %s", strerror(errno));
	if (patched)
		memcpy(bytes, site->new, site->patch_len);
	for (i = 0; i < sizeof(bytes) && 2 * i + 2 < len; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
}

uint64_t probes_count(struct probes *probes, const char *name)
{
	const struct instr_plan_site *site = probes_site(probes, name);
	struct instr_space_next space = { .size = sizeof(space) };
	uint64_t *data = malloc(probes->plan->data_len);
	uint64_t sum = 0;

	while (!ioctl(probes->fd, INSTR_SPACE_NEXT, &space)) {
		struct instr_data_read arg = {
			.size = sizeof(arg), .space_id = space.space_id,
			.overlay_id = probes->overlay_id,
			.nr = probes->plan->data_len / sizeof(*data),
			.ptr = (uintptr_t)data,
		};

		if (ioctl(probes->fd, INSTR_DATA_READ, &arg))
			bail("INSTR_DATA_READ: %s", strerror(errno));
		sum += instr_plan_count(probes->plan, site, data);
	}
	free(data);
	return sum;
}

uint64_t function_offset(struct instr_file *file, const char *name)
{
	const struct instr_func *funcs;
	size_t nr;

	instr_file_funcs(file, &funcs, &nr, NULL);
	for (size_t i = 0; i < nr; i++)
		if (!strcmp(funcs[i].name, name))
			return funcs[i].offset;
	return 0;
}

struct instr_info live_objects(int fd)
{
	struct instr_info info = { .size = sizeof(info) };

	if (ioctl(fd, INSTR_INFO, &info))
		bail("INSTR_INFO: %s", strerror(errno));
	return info;
}

/* ---- a puppet ---------------------------------------------------------------------- */

void puppet_start(struct puppet *puppet, const char *path)
{
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		bail("pipe: %s", strerror(errno));
	puppet->pid = fork();
	if (puppet->pid < 0)
		bail("fork: %s", strerror(errno));
	if (!puppet->pid) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		execl(path, path, NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	puppet->to = fdopen(to[1], "w");
	puppet->from = fdopen(from[0], "r");
	setvbuf(puppet->to, NULL, _IOLBF, 0);
	puppet_ask(puppet, "call 1");
}

static const char *puppet_vask(struct puppet *puppet, const char *fmt, va_list args)
{
	static char line[1024];

	vfprintf(puppet->to, fmt, args);
	fputc('\n', puppet->to);
	fflush(puppet->to);
	if (!fgets(line, sizeof(line), puppet->from)) {
		int status = 0;

		waitpid(puppet->pid, &status, 0);
		bail("the puppet died: status %#x, command: %s", status, fmt);
	}
	line[strcspn(line, "\n")] = 0;
	return line;
}

const char *puppet_ask(struct puppet *puppet, const char *fmt, ...)
{
	const char *answer;
	va_list args;

	va_start(args, fmt);
	answer = puppet_vask(puppet, fmt, args);
	va_end(args);
	return answer;
}

long puppet_number(struct puppet *puppet, const char *fmt, ...)
{
	const char *answer;
	va_list args;

	va_start(args, fmt);
	answer = puppet_vask(puppet, fmt, args);
	va_end(args);
	return strtol(answer, NULL, 10);
}

int puppet_end(struct puppet *puppet)
{
	int status = 0;

	fclose(puppet->to);
	waitpid(puppet->pid, &status, 0);
	fclose(puppet->from);
	return status;
}

bool peek(pid_t pid, uint64_t vaddr, void *bytes, size_t len)
{
	char path[64];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	got = pread(fd, bytes, len, vaddr);
	close(fd);
	return got == (ssize_t)len;
}

bool poke(pid_t pid, uint64_t vaddr, const void *bytes, size_t len)
{
	char path[64];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	got = pwrite(fd, bytes, len, vaddr);
	close(fd);
	return got == (ssize_t)len;
}

uint64_t word_at(pid_t pid, uint64_t vaddr)
{
	uint64_t word = ~0ULL;

	return peek(pid, vaddr, &word, sizeof(word)) ? word : ~0ULL;
}

uint64_t waits_at(pid_t pid)
{
	char name[64], line[256] = "";
	uint64_t at = 0;
	FILE *file;

	snprintf(name, sizeof(name), "/proc/%d/syscall", pid);
	file = fopen(name, "r");
	if (file && fgets(line, sizeof(line), file) && strrchr(line, ' '))
		at = strtoull(strrchr(line, ' '), NULL, 16);
	if (file)
		fclose(file);
	return at;
}

uint64_t text_base(pid_t pid, const char *path)
{
	uint64_t start, offset, base = 0;
	char name[64], line[4500], perms[8];
	FILE *maps;

	snprintf(name, sizeof(name), "/proc/%d/maps", pid);
	maps = fopen(name, "r");
	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%" SCNx64 "-%*x %7s %" SCNx64, &start, perms,
			   &offset) == 3 && perms[2] == 'x' && strstr(line, path)) {
			base = start - offset;
			break;
		}
	if (maps)
		fclose(maps);
	return base;
}

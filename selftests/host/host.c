// SPDX-License-Identifier: GPL-2.0
#include "host.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "clean.h"

#define PAGE 4096UL

/* All that are at work; the handler walks them. */
static struct host *hosts;
static unsigned long nr_traps;

/* ---- frames ----------------------------------------------------------------- */

static uint8_t *frames;
static uint32_t lanes_taken = 1;

static uint64_t fs_base(void)
{
	uint64_t base;

	asm volatile("rdfsbase %0" : "=r" (base));
	return base;
}

static uint64_t clock_ticks(void)
{
	uint32_t low, high;

	asm volatile("rdtsc" : "=a" (low), "=d" (high));
	return (uint64_t)high << 32 | low;
}

#define ENTRY_TAKEN	3	/* no FS base */

/*
 * A thread's control block is at the end of its stack, but for the first one's, and those of
 * runtimes that are none of C, where it doesn't begin with its address.
 */
#define STACK_REACH (1UL << 30)

static void set_stack(struct instr_thread *thread, uint64_t fs, uint64_t rsp)
{
	bool first = rsp > fs || fs - rsp > STACK_REACH;

	if (*(uint64_t *)fs != fs) {
		thread->stack_start = thread->stack_end = 0;
		return;
	}
	thread->stack_start = (first ? rsp : fs) - STACK_REACH;
	thread->stack_end = first ? rsp + STACK_REACH : fs;
}

/*
 * What the module does for a thread that has no entry; 1: it gets none. It calls nothing,
 * and is called instead of a trap, as a new thread may have that blocked.
 */
__attribute__((used, target("general-regs-only")))
static uint64_t enter_thread(struct instr_thread *thread, uint64_t rsp)
{
	uint64_t was = thread->fs_base, lane;

	if ((was && was != (fs_base() | INSTR_THREAD_LEFT)) ||
	    !__atomic_compare_exchange_n(&thread->fs_base, &was, ENTRY_TAKEN, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return 0;
	lane = __atomic_fetch_add(&lanes_taken, 1, __ATOMIC_RELAXED);
	thread->lane = lane < INSTR_LANES ? lane : 0;
	thread->born = clock_ticks();
	set_stack(thread, fs_base(), rsp);
	__atomic_store_n(&thread->fs_base, fs_base(), __ATOMIC_RELEASE);
	return 0;
}

void enter_thread_stub(void);
asm("enter_thread_stub:\n"
    "	push %rcx\n push %rdx\n push %rsi\n push %rdi\n"
    "	push %r8\n push %r9\n push %r10\n push %r11\n push %rbp\n"
    "	mov %rsp, %rsi\n mov %rsp, %rbp\n and $-16, %rsp\n"
    "	call enter_thread\n"
    "	mov %rbp, %rsp\n"
    "	pop %rbp\n pop %r11\n pop %r10\n pop %r9\n pop %r8\n"
    "	pop %rdi\n pop %rsi\n pop %rdx\n pop %rcx\n"
    "	ret\n");

/* At the trap: jmp *0(%rip), and where to. */
static void replace_thread_trap(const struct host *host)
{
	static const uint8_t jump[] = { 0xff, 0x25, 0, 0, 0, 0 };
	uint64_t target = (uint64_t)enter_thread_stub;
	uint8_t *at = host->slab + INSTR_THREAD_TRAP;

	memcpy(at, jump, sizeof(jump));
	memcpy(at + sizeof(jump), &target, sizeof(target));
}

/* What the module says of slabs, as it does: without @len there is none. */
static void tell_slab(uint64_t start, uint64_t len)
{
	struct instr_slabs *slabs = (struct instr_slabs *)(frames + INSTR_THREADS_LEN);
	size_t i = 0;

	while (i < INSTR_SLABS && (len ? slabs->slab[i].len : slabs->slab[i].start != start))
		i++;
	if (i == INSTR_SLABS)
		return;
	slabs->slab[i].start = start;
	__atomic_store_n(&slabs->slab[i].len, len, __ATOMIC_RELEASE);
}

static int frames_map(uint64_t len, struct instr_err *err)
{
	void *memory;

	if (frames)
		return 0;
	memory = mmap(NULL, len, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return instr_fail(err, -ENOMEM, "no memory for frames");
	frames = memory;
	return 0;
}

/* ---- traps ------------------------------------------------------------------ */

bool host_trap(int signal, const siginfo_t *info, void *context)
{
	greg_t *rip = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	uint8_t *at = (uint8_t *)*rip - (signal == SIGTRAP);

	/* Somebody sent it. */
	if (info->si_code <= 0)
		return false;
	for (struct host *host = hosts; host; host = host->next) {
		const struct instr_trap *trap =
			instr_plan_trap(host->plan, (uint64_t)(at - host->base));

		if (!trap)
			continue;
		__atomic_fetch_add(&nr_traps, 1, __ATOMIC_RELAXED);
		*rip = (greg_t)(host->base + (int64_t)trap->target);
		return true;
	}
	return false;
}

static void on_trap(int signal, siginfo_t *info, void *context)
{
	if (!host_trap(signal, info, context))
		__builtin_trap();
}

void host_handle_traps(void)
{
	struct sigaction action = {
		.sa_sigaction = on_trap,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	sigaction(SIGTRAP, &action, NULL);
	sigaction(SIGILL, &action, NULL);
}

unsigned long host_nr_traps(void)
{
	return __atomic_load_n(&nr_traps, __ATOMIC_RELAXED);
}

/* ---- text ------------------------------------------------------------------- */

static void copy(uint8_t *to, const uint8_t *from, size_t len)
{
	asm volatile("rep movsb" : "+D" (to), "+S" (from), "+c" (len) : : "memory");
}

/* mprotect(2) of all pages with sites; libc's may be one of them. */
static long text_protect(const struct host *host, long protection)
{
	const struct instr_plan *plan = host->plan;
	uint64_t first = plan->sites[0].offset & -PAGE;
	uint64_t end = (plan->sites[plan->nr_sites - 1].offset | (PAGE - 1)) + 1;
	long ret = SYS_mprotect;

	asm volatile("syscall"
		     : "+a" (ret)
		     : "D" (host->base + first), "S" (end - first), "d" (protection)
		     : "rcx", "r11", "memory");
	return ret;
}

void host_show(const struct host *host, bool probes)
{
	/* It could be done before, or host_prepare() would have failed. */
	text_protect(host, PROT_READ | PROT_WRITE | PROT_EXEC);
	for (size_t i = 0; i < host->plan->nr_sites; i++) {
		const struct instr_site *site = &host->plan->sites[i];

		copy(host->base + site->offset, probes ? site->new : site->old, site->len);
	}
	text_protect(host, PROT_READ | PROT_EXEC);
}

static int text_check(const struct host *host, struct instr_err *err)
{
	const char *path = instr_file_path(host->file);

	for (size_t i = 0; i < host->plan->nr_sites; i++) {
		const struct instr_site *site = &host->plan->sites[i];

		if (memcmp(host->base + site->offset, site->old, site->len))
			return instr_fail(err, -ESTALE, "%s: another text is mapped", path);
	}
	if (text_protect(host, PROT_READ | PROT_WRITE | PROT_EXEC) ||
	    text_protect(host, PROT_READ | PROT_EXEC))
		return instr_fail(err, -EACCES, "%s: its text can't be changed", path);
	return 0;
}

/* ---- slabs ------------------------------------------------------------------ */

static uint64_t slab_len(const struct host *host)
{
	return instr_plan_len(host->plan);
}

static uint8_t *slab_data(const struct host *host)
{
	return host->slab + host->plan->code_len;
}

static void slab_unmap(struct host *host)
{
	if (host->slab && host->measure)
		tell_slab((uint64_t)host->slab, 0);
	if (host->slab)
		munmap(host->slab, slab_len(host));
	if (host->annex)
		munmap(host->annex, host->plan->annex_len);
	host->slab = host->annex = NULL;
}

/* NULL: the place is taken. */
static uint8_t *map_at(uint8_t *want, size_t len)
{
	uint8_t *got = mmap(want, len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE,
			    -1, 0);

	if (got == want)
		return got;
	if (got != MAP_FAILED)
		munmap(got, len);
	return NULL;
}

/* Gives code the name that the module gives it, by which it is found. If it can't: none. */
static void name_code(uint8_t *at, size_t len)
{
	CLEAN(close) int fd = memfd_create("instr-slab", MFD_CLOEXEC);

	if (fd >= 0 && !ftruncate(fd, (off_t)len) &&
	    mmap(at, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) == MAP_FAILED)
		abort();
}

static void slab_fill(const struct host *host)
{
	const struct instr_plan *plan = host->plan;

	for (size_t i = 0; i < plan->nr_chunks; i++) {
		const struct instr_chunk *chunk = &plan->chunk[i];
		uint8_t *to = chunk->offset < plan->code_len ?
			      host->slab + chunk->offset :
			      host->annex + (chunk->offset - plan->code_len);

		memcpy(to, chunk->bytes, chunk->len);
	}
}

static int slab_map(struct host *host, struct instr_err *err)
{
	const struct instr_plan *plan = host->plan;
	const char *path = instr_file_path(host->file);

	host->slab = map_at(host->base + plan->slab_start, slab_len(host));
	if (plan->annex_len)
		host->annex = map_at(host->base + plan->annex_start, plan->annex_len);
	if (!host->slab || (plan->annex_len && !host->annex))
		return instr_fail(err, -EEXIST, "%s: the slab's place is taken", path);
	name_code(host->slab, plan->code_len);
	if (host->annex)
		name_code(host->annex, plan->annex_len);
	slab_fill(host);
	if (host->measure)
		replace_thread_trap(host);
	if (mprotect(host->slab, plan->code_len, PROT_READ | PROT_EXEC) ||
	    (host->annex && mprotect(host->annex, plan->annex_len, PROT_READ | PROT_EXEC)))
		return instr_fail(err, -EACCES, "%s: the slab can't be executed", path);
	if (host->measure)
		tell_slab((uint64_t)host->slab, plan->code_len);
	/* Nobody tells us of new threads. */
	host_gate(host, INSTR_GATE_MANY, NULL, 0);
	return 0;
}

uint64_t host_count(const struct host *host, const struct instr_plan_site *site)
{
	return instr_plan_count(host->plan, site, slab_data(host));
}

uint64_t host_count_all(const struct host *host)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < host->plan->nr; i++)
		sum += host_count(host, &host->plan->site[i]);
	return sum;
}

void host_gate(const struct host *host, uint64_t gate, const uint64_t *vfork, size_t nr)
{
	struct instr_control *control = (struct instr_control *)slab_data(host);

	memset(control, 0, sizeof(*control));
	control->frames = (uint64_t)frames | (frames && gate <= INSTR_GATE_MANY);
	for (size_t i = 0; i < nr; i++)
		control->vfork[i] = vfork[i];
	control->gate = gate;
}

const void *host_frames(void)
{
	return frames;
}

const void *host_times_of(const struct host *host)
{
	return slab_data(host) + host->plan->data_len + host->plan->kept_len;
}

void host_times(const struct host *host, const struct instr_plan_site *site,
		struct instr_times *ret)
{
	memset(ret, 0, sizeof(*ret));
	instr_times_add(ret, host->plan, site, host_times_of(host), frames);
}

const struct instr_plan_site *host_site(const struct host *host, const char *name)
{
	for (size_t i = 0; i < host->plan->nr_places; i++) {
		const struct instr_plan_site *site = instr_plan_place(host->plan, i);

		if (!site->place.at && !strcmp(host->func[site->place.func].name, name))
			return site;
	}
	return NULL;
}

/* ---- the life of a host ----------------------------------------------------- */

/* One byte a function: does it trap anywhere? NULL: no memory. */
static bool *traps_find(const struct instr_plan *plan)
{
	const struct instr_func *func;
	bool *traps = NULL;
	size_t nr;

	if (!instr_file_funcs(plan->file, &func, &nr, NULL))
		traps = calloc(nr + 1, sizeof(*traps));
	for (size_t i = 0; traps && i < plan->nr; i++) {
		if (plan->site[i].how == INSTR_HOW_TRAP)
			traps[plan->site[i].record] = true;
	}
	return traps;
}

/* Without traps: plans once to find out who needs one, and again without those. */
static int plan_timed(struct host *host, const struct instr_place *place, size_t nr,
		      struct instr_distance distance, struct instr_err *err)
{
	CLEAN(free) struct instr_place *kept = calloc(nr + 1, sizeof(*kept));
	CLEAN(plan) struct instr_plan *all = NULL;
	CLEAN(free) bool *traps = NULL;
	size_t nr_kept = 0;
	int code;

	if (!kept)
		return -ENOMEM;
	code = instr_plan_exits(host->file, host->measure, host->way, place, nr, distance, &all,
				err);
	if (code)
		return code;
	traps = traps_find(all);
	if (!traps)
		return -ENOMEM;
	for (size_t i = 0; i < nr; i++) {
		if (host->traps || !traps[place[i].func])
			kept[nr_kept++] = place[i];
	}
	return instr_plan_exits(host->file, host->measure, host->way, kept, nr_kept, distance,
				&host->plan, err);
}

static int plan_at(struct host *host, const struct instr_place *place, size_t nr,
		   struct instr_distance distance, struct instr_err *err)
{
	int code = host->measure ?
		   plan_timed(host, place, nr, distance, err) :
		   instr_plan_create(host->file, place, nr, distance, &host->plan, err);

	if (!code)
		code = text_check(host, err);
	if (!code && host->measure)
		code = frames_map(host->plan->frames_len, err);
	if (!code)
		code = slab_map(host, err);
	if (!code)
		return 0;
	slab_unmap(host);
	instr_plan_destroy(host->plan);
	host->plan = NULL;
	return code;
}

static int plan_somewhere(struct host *host, const struct instr_place *place, size_t nr,
			  struct instr_err *err)
{
	const struct instr_distance *distance = instr_distances(host->file);
	int code = -EEXIST;

	for (; distance->top && code == -EEXIST; distance++)
		code = plan_at(host, place, nr, *distance, err);
	return code;
}

static int prepare(struct host *host, const char *path, const char *const *globs,
		   size_t nr_globs, uint64_t load, struct instr_distance distance,
		   struct instr_err *err)
{
	CLEAN(file) struct instr_file *file = NULL;
	CLEAN(free) struct instr_place *place = NULL;
	size_t nr;
	int code;

	code = instr_file_open(path, &file, err);
	if (!code)
		code = instr_file_funcs(file, &host->func, &nr, err);
	if (!code)
		code = instr_places_match(file, globs, nr_globs, &place, &nr, err);
	if (code)
		return code;
	host->file = file;
	host->base = (uint8_t *)(load + instr_file_text_vaddr(file, 0));
	code = distance.top ? plan_at(host, place, nr, distance, err) :
			      plan_somewhere(host, place, nr, err);
	if (code)
		return code;
	host->file = TAKE(file);
	host->next = hosts;
	hosts = host;
	return 0;
}

int host_prepare(struct host *host, const char *path, const char *const *globs,
		 size_t nr_globs, uint64_t load, struct instr_distance distance,
		 struct instr_err *err)
{
	memset(host, 0, sizeof(*host));
	return prepare(host, path, globs, nr_globs, load, distance, err);
}

int host_prepare_exits(struct host *host, enum instr_measure measure, enum instr_way way,
		       const char *path, const char *const *globs, size_t nr_globs,
		       uint64_t load, bool traps, struct instr_err *err)
{
	memset(host, 0, sizeof(*host));
	host->measure = measure;
	host->way = way;
	host->traps = traps;
	return prepare(host, path, globs, nr_globs, load, HOST_ANYWHERE, err);
}

void host_leave(struct host *host)
{
	struct host **at = &hosts;

	while (*at != host)
		at = &(*at)->next;
	*at = host->next;
}

void host_finish(struct host *host)
{
	host_leave(host);
	slab_unmap(host);
	instr_plan_destroy(host->plan);
	instr_file_close(host->file);
}

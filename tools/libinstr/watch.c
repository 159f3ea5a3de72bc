// SPDX-License-Identifier: GPL-2.0
/*
 * A watch: see watch.h for who may touch what.
 *
 * An entry of the list is not changed while a reader may see it: a changed copy
 * takes its place. The two counts of children are the exception, they are
 * counted up in place, since a shell may fork ten thousand times a second.
 */

#define _LGPL_SOURCE		/* inlines RCU's readers; our licence allows it */

#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <urcu.h>
#include <urcu/rculist.h>
#include <urcu/uatomic.h>

#include "err.h"

struct entry {
	struct instr_process process;
	struct cds_list_head node;
};

struct instr_watch {
	struct instr_netlink *nl;
	uint32_t session_id;
	bool processes;

	struct cds_list_head entries;
	unsigned int lost;

	int gone;
	/* A write to @wake asks the thread to empty the socket and post @settled. */
	int wake;
	sem_t settled;
	bool stop;
	pthread_t thread;
};

/* ---- the list, as its only writer sees it --------------------------------- */

static struct entry *entry_find(struct instr_watch *watch, const struct instr_message *msg)
{
	struct entry *entry, *last = NULL;

	cds_list_for_each_entry(entry, &watch->entries, node) {
		if (msg->space_id && entry->process.space_id == msg->space_id)
			return entry;
		/* The last one is the image that it runs now. */
		if (entry->process.pid == msg->pid)
			last = entry;
	}
	/* What has ended is another process, which had the same pid. */
	if (msg->space_id || !last || last->process.state == INSTR_PROCESS_ENDED)
		return NULL;
	return last;
}

static struct entry *entry_add(struct instr_watch *watch, const struct instr_message *msg)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->process.space_id = msg->space_id;
	entry->process.pid = msg->pid;
	memcpy(entry->process.comm, msg->comm, sizeof(entry->process.comm));
	cds_list_add_tail_rcu(&entry->node, &watch->entries);
	return entry;
}

static void entry_replace(struct entry *entry, const struct instr_process *process)
{
	struct entry *new = malloc(sizeof(*new));

	if (!new)
		return;
	new->process = *process;
	cds_list_replace_rcu(&entry->node, &new->node);
	synchronize_rcu();
	free(entry);
}

/* ---- events --------------------------------------------------------------- */

/* One that shares the memory and is not waited for counts as a thread. */
static void on_fork(struct entry *entry, const struct instr_message *msg)
{
	if (!(msg->clone_flags & INSTR_CLONE_VM))
		uatomic_inc(&entry->process.children);
	else if (msg->clone_flags & INSTR_CLONE_VFORK)
		uatomic_inc(&entry->process.vforks);
}

static void on_change(struct entry *entry, const struct instr_message *msg)
{
	struct instr_process process = entry->process;

	switch (msg->event) {
	case INSTR_EVENT_DETACH:
		process.state = INSTR_PROCESS_DETACHED;
		break;
	case INSTR_EVENT_EXIT:
		process.state = INSTR_PROCESS_ENDED;
		process.status = msg->status;
		break;
	case INSTR_EVENT_REFUSED:
		process.error = msg->error;
		break;
	default:
		return;
	}
	entry_replace(entry, &process);
}

static bool post(int fd)
{
	uint64_t one = 1;

	return write(fd, &one, sizeof(one)) == sizeof(one);
}

static void keep(struct instr_watch *watch, const struct instr_message *msg)
{
	struct entry *entry;

	entry = entry_find(watch, msg);
	/* Of what is not counted nothing concerns us, nor do children of that. */
	if (!msg->space_id && (!entry || msg->event == INSTR_EVENT_FORK))
		return;
	if (!entry)
		entry = entry_add(watch, msg);
	if (!entry)
		uatomic_inc(&watch->lost);
	else if (msg->event == INSTR_EVENT_FORK)
		on_fork(entry, msg);
	else
		on_change(entry, msg);
}

static void on_event(const struct instr_message *msg, void *arg)
{
	struct instr_watch *watch = arg;

	if (msg->session_id != watch->session_id)
		return;
	if (watch->processes)
		keep(watch, msg);
	/* What was never seen in it has no end of its own. */
	if (msg->event == INSTR_EVENT_GONE || msg->event == INSTR_EVENT_EXIT)
		post(watch->gone);
}

/* ---- the thread ----------------------------------------------------------- */

static void watch_receive(struct instr_watch *watch)
{
	while (instr_netlink_receive(watch->nl, on_event, watch, NULL) == -ENOBUFS)
		uatomic_inc(&watch->lost);
}

static void *watch_main(void *arg)
{
	struct instr_watch *watch = arg;
	struct pollfd fds[] = {
		{ .fd = instr_netlink_fd(watch->nl), .events = POLLIN },
		{ .fd = watch->wake, .events = POLLIN },
	};
	uint64_t nr;
	bool asked;

	while (!uatomic_read(&watch->stop)) {
		if (poll(fds, 2, -1) < 0)
			continue;
		/* In this order: what was sent before we were asked is then read. */
		asked = read(watch->wake, &nr, sizeof(nr)) == sizeof(nr);
		watch_receive(watch);
		if (asked)
			sem_post(&watch->settled);
	}
	return NULL;
}

/* Signals are the main thread's business. */
static int thread_start(struct instr_watch *watch)
{
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&watch->thread, NULL, watch_main, watch);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -error;
}

static int watch_start(struct instr_watch *watch, struct instr_err *err)
{
	int code = instr_netlink_open(&watch->nl, err);

	if (!code)
		code = instr_netlink_subscribe(watch->nl, err);
	if (code)
		return code;
	watch->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	watch->gone = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	code = watch->wake < 0 || watch->gone < 0 ? -errno : thread_start(watch);
	return code ? instr_fail(err, code, "the event thread: %s", strerror(-code)) : 0;
}

static void watch_free(struct instr_watch *watch)
{
	struct entry *entry, *next;

	cds_list_for_each_entry_safe(entry, next, &watch->entries, node)
		free(entry);
	if (watch->wake >= 0)
		close(watch->wake);
	if (watch->gone >= 0)
		close(watch->gone);
	instr_netlink_close(watch->nl);
	sem_destroy(&watch->settled);
	free(watch);
}

int instr_watch_open(uint32_t session_id, bool processes, struct instr_watch **ret,
		     struct instr_err *err)
{
	struct instr_watch *watch = calloc(1, sizeof(*watch));
	int code;

	if (!watch)
		return err_memory(err);
	watch->session_id = session_id;
	watch->processes = processes;
	watch->wake = watch->gone = -1;
	CDS_INIT_LIST_HEAD(&watch->entries);
	sem_init(&watch->settled, 0, 0);
	code = watch_start(watch, err);
	if (code) {
		watch_free(watch);
		return code;
	}
	rcu_register_thread();
	*ret = watch;
	return 0;
}

void instr_watch_close(struct instr_watch *watch)
{
	if (!watch)
		return;
	uatomic_set(&watch->stop, true);
	post(watch->wake);
	pthread_join(watch->thread, NULL);
	rcu_unregister_thread();
	watch_free(watch);
}

void instr_watch_settle(struct instr_watch *watch)
{
	/* Fails only when the thread has been woken already. */
	if (!post(watch->wake))
		return;
	while (sem_wait(&watch->settled) && errno == EINTR)
		;
}

int instr_watch_gone_fd(const struct instr_watch *watch)
{
	return watch->gone;
}

void instr_watch_each(struct instr_watch *watch,
		      void (*fn)(const struct instr_process *process, void *arg), void *arg)
{
	struct entry *entry;

	rcu_read_lock();
	cds_list_for_each_entry_rcu(entry, &watch->entries, node)
		fn(&entry->process, arg);
	rcu_read_unlock();
}

unsigned int instr_watch_lost(const struct instr_watch *watch)
{
	return uatomic_read(&watch->lost);
}

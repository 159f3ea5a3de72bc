/* SPDX-License-Identifier: GPL-2.0 */
/* What a hook has to leave for when its thread may sleep. */
#ifndef INSTR_WORK_H
#define INSTR_WORK_H

#include <linux/list.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct file;
struct instr_exact;
struct instr_session;
struct instr_space;
struct mm_struct;
struct task_struct;

/**
 * struct instr_work - one thing to be done
 * @node: in the pool
 * @by_due: among the notes (child.c)
 * @file: by which the thread comes to it; NULL: a worker does it, by @work
 * @due: the thread that it is left for (child.c); only compared
 * @fn: does it, and gives up the references on what is named below, which it holds
 */
struct instr_work {
	struct list_head node;
	struct hlist_node by_due;
	struct file *file;
	struct work_struct work;
	const struct task_struct *due;
	void (*fn)(struct instr_work *work);
	struct instr_session *session;
	struct task_struct *task;
	struct mm_struct *mm;
	struct instr_space *space;
	unsigned long fs_base;
	unsigned long frames;
	struct instr_exact *exact;
};

/* For work in the address space of a target, which may make it wait. */
extern struct workqueue_struct *instr_work_wq;

int instr_work_init(void);
void instr_work_exit(void);

/* Between them there is a pool. */
void instr_work_open(void);
void instr_work_close(void);

/* A copy of @what, to be queued, once, by any thread; NULL: there is no memory. Atomic. */
struct instr_work *instr_work_make(const struct instr_work *what);
void instr_work_queue_made(struct instr_work *work);

/* Both at once. False: there was no memory, and nothing is done. Atomic. */
bool instr_work_queue(const struct instr_work *what);

#endif

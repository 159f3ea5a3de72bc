// SPDX-License-Identifier: GPL-2.0
/*
 * Work of hooks: what needs to sleep is done by the same thread when it goes back to user
 * mode, before its next instruction there. Mainline exports no task_work_add(), but fput()
 * does the same: the ->release() of a file whose last reference was dropped runs at that
 * point. Prepared files wait in a pool, which is filled again as soon as half of them are
 * taken: a thread may wait long for its vfork child, with one in hand. Should the pool run dry,
 * a worker does the work, at once or a little later.
 */

#include "work.h"

#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#define POOL	64

struct workqueue_struct *instr_work_wq;

static LIST_HEAD(pool);
static DEFINE_SPINLOCK(pool_lock);
static bool pool_open;
static unsigned int pool_nr;

static int work_release(struct inode *inode, struct file *file)
{
	struct instr_work *work = file->private_data;

	if (work->fn)
		work->fn(work);
	kfree(work);
	return 0;
}

static const struct file_operations work_fops = {
	.owner = THIS_MODULE,
	.release = work_release,
};

/* False: it takes no more, or there is no memory. */
static bool pool_add(void)
{
	struct instr_work *work = kzalloc(sizeof(*work), GFP_KERNEL);
	bool added;

	if (!work)
		return false;
	work->file = anon_inode_getfile("[instr-work]", &work_fops, work, O_RDONLY);
	if (IS_ERR(work->file)) {
		kfree(work);
		return false;
	}
	spin_lock_irq(&pool_lock);
	added = pool_open && pool_nr < POOL;
	if (added) {
		list_add(&work->node, &pool);
		pool_nr++;
	}
	spin_unlock_irq(&pool_lock);
	if (!added)
		fput(work->file);
	return added;
}

static void pool_fill(struct work_struct *unused)
{
	while (READ_ONCE(pool_nr) < POOL && pool_add())
		;
}

static DECLARE_WORK(pool_filling, pool_fill);

static struct instr_work *pool_take(void)
{
	struct instr_work *work;
	unsigned long flags;

	spin_lock_irqsave(&pool_lock, flags);
	work = list_first_entry_or_null(&pool, struct instr_work, node);
	if (work) {
		list_del(&work->node);
		pool_nr--;
	}
	if (pool_open && pool_nr < POOL / 2)
		queue_work(system_unbound_wq, &pool_filling);
	spin_unlock_irqrestore(&pool_lock, flags);
	return work;
}

void instr_work_open(void)
{
	pool_open = true;
	pool_fill(NULL);
}

void instr_work_close(void)
{
	struct instr_work *work;

	spin_lock_irq(&pool_lock);
	pool_open = false;
	spin_unlock_irq(&pool_lock);
	cancel_work_sync(&pool_filling);
	while ((work = pool_take()))
		fput(work->file);
}

static void work_late(struct work_struct *work)
{
	struct instr_work *late = container_of(work, struct instr_work, work);

	late->fn(late);
	kfree(late);
	module_put(THIS_MODULE);
}

struct instr_work *instr_work_make(const struct instr_work *what)
{
	struct instr_work *work = pool_take();
	struct file *file = work ? work->file : NULL;

	if (!work)
		work = kmalloc(sizeof(*work), GFP_ATOMIC);
	if (!work)
		return NULL;
	*work = *what;
	work->file = file;
	return work;
}

void instr_work_queue_made(struct instr_work *work)
{
	if (work->file) {
		fput(work->file);
		return;
	}
	__module_get(THIS_MODULE);
	INIT_WORK(&work->work, work_late);
	queue_work(instr_work_wq, &work->work);
}

bool instr_work_queue(const struct instr_work *what)
{
	struct instr_work *work = instr_work_make(what);

	if (work)
		instr_work_queue_made(work);
	return work;
}

int instr_work_init(void)
{
	instr_work_wq = alloc_workqueue("instr-work", WQ_UNBOUND, 0);
	return instr_work_wq ? 0 : -ENOMEM;
}

/* A worker may be about to return. */
void instr_work_exit(void)
{
	destroy_workqueue(instr_work_wq);
}

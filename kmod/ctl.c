// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/instr: copies what user space says, and calls who does it. A new command is
 * one line in ctl_cmds[].
 */

#include "ctl.h"

#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/threads.h>
#include <linux/uaccess.h>

#include "attach.h"
#include "frames.h"
#include "hook.h"
#include "live.h"
#include "overlay.h"
#include "pointer.h"
#include "request.h"
#include "session.h"
#include "view.h"

static int ctl_info(struct instr_session *session, void *data)
{
	struct instr_info *arg = data;

	if (arg->flags)
		return -EOPNOTSUPP;
	*arg = (struct instr_info){
		.size = arg->size,
		.out_abi = INSTR_ABI,
		.out_session_id = session->id,
		.out_sessions = atomic_read(&instr_live.sessions),
		.out_overlays = atomic_read(&instr_live.overlays),
		.out_spaces = atomic_read(&instr_live.spaces),
		.out_views = atomic_read(&instr_live.views),
		.out_pages = atomic64_read(&instr_live.pages),
		.out_pinned = atomic64_read(&instr_live.pinned),
		.out_tsc_khz = instr_frames_khz(),
	};
	return 0;
}

static int ctl_overlay_create(struct instr_session *session, void *data)
{
	return instr_request_overlay_create(session, data);
}

static int ctl_slab_write(struct instr_session *session, void *data)
{
	return instr_request_slab_write(session, data);
}

static int ctl_slab_read(struct instr_session *session, void *data)
{
	return instr_request_slab_read(session, data);
}

/* Arrays of a request, each a copy of its own. */
struct ctl_arrays {
	void *sites, *traps, *origins, *rewinds, *shapes;
};

static int ctl_copy(void **to, u64 from, u32 nr, size_t each)
{
	void *copy = vmemdup_user(u64_to_user_ptr(from), array_size(nr, each));

	if (IS_ERR(copy))
		return PTR_ERR(copy);
	*to = copy;
	return 0;
}

static int ctl_copy_arrays(const struct instr_publish *arg, struct ctl_arrays *to)
{
	return ctl_copy(&to->sites, arg->sites, arg->nr_sites, sizeof(struct instr_site)) ?:
	       ctl_copy(&to->traps, arg->traps, arg->nr_traps, sizeof(struct instr_trap)) ?:
	       ctl_copy(&to->origins, arg->origins, arg->nr_origins,
			sizeof(struct instr_origin)) ?:
	       ctl_copy(&to->rewinds, arg->rewinds, arg->nr_rewinds,
			sizeof(struct instr_rewind)) ?:
	       ctl_copy(&to->shapes, arg->shapes, arg->nr_shapes,
			sizeof(struct instr_shape));
}

static void ctl_free_arrays(const struct ctl_arrays *arrays)
{
	kvfree(arrays->sites);
	kvfree(arrays->traps);
	kvfree(arrays->origins);
	kvfree(arrays->rewinds);
	kvfree(arrays->shapes);
}

static int ctl_publish(struct instr_session *session, void *data)
{
	struct instr_publish *arg = data;
	struct ctl_arrays arrays = {};
	int err;

	if (arg->flags)
		return -EOPNOTSUPP;
	if (arg->nr_sites > INSTR_SITES_MAX || arg->nr_traps > INSTR_TRAPS_MAX ||
	    arg->nr_origins > INSTR_TRAPS_MAX || arg->nr_rewinds > INSTR_TRAPS_MAX ||
	    arg->nr_shapes > INSTR_SHAPES_MAX || arg->pad)
		return -EINVAL;
	err = ctl_copy_arrays(arg, &arrays);
	if (!err)
		err = instr_request_publish(session, &(struct instr_changes){
			.arg = arg, .sites = arrays.sites, .traps = arrays.traps,
			.origins = arrays.origins, .rewinds = arrays.rewinds,
			.shapes = arrays.shapes,
		});
	ctl_free_arrays(&arrays);
	return err;
}

static int ctl_pointers(struct instr_session *session, void *data)
{
	const struct instr_pointers *arg = data;
	struct instr_pointer_set *set;
	int err;

	if (arg->flags)
		return -EOPNOTSUPP;
	if (!arg->nr || arg->nr > INSTR_POINTERS_MAX)
		return -EINVAL;
	set = kvmalloc(struct_size(set, pointer, arg->nr), GFP_KERNEL);
	if (!set)
		return -ENOMEM;
	set->nr = arg->nr;
	set->ready = arg->ready;
	err = copy_from_user(set->pointer, u64_to_user_ptr(arg->pointers),
			     array_size(arg->nr, sizeof(*set->pointer))) ? -EFAULT : 0;
	if (!err)
		err = instr_request_pointers(session, arg->overlay_id, set);
	if (err)
		kvfree(set);
	return err;
}

static int ctl_attach(struct instr_session *session, void *data)
{
	return instr_attach(session, data);
}

static int ctl_attach_all(struct instr_session *session, void *data)
{
	return instr_attach_all(session, data);
}

static int ctl_detach(struct instr_session *session, void *data)
{
	return instr_detach(session, data);
}

static int ctl_space_next(struct instr_session *session, void *data)
{
	return instr_request_space_next(session, data);
}

static int ctl_data_read(struct instr_session *session, void *data)
{
	struct instr_data_read *arg = data;
	u64 *sums;
	int err;

	if (arg->flags)
		return -EOPNOTSUPP;
	if (arg->offset % sizeof(u64) || arg->offset > INSTR_DATA_MAX ||
	    arg->nr > (INSTR_DATA_MAX - arg->offset) / sizeof(u64))
		return -EINVAL;
	sums = kvcalloc(arg->nr, sizeof(*sums), GFP_KERNEL);
	if (!sums)
		return -ENOMEM;
	err = instr_request_data_read(session, arg, sums);
	if (!err && copy_to_user(u64_to_user_ptr(arg->ptr), sums,
				 arg->nr * sizeof(*sums)))
		err = -EFAULT;
	kvfree(sums);
	return err;
}

static int ctl_times_read(struct instr_session *session, void *data)
{
	return instr_request_times_read(session, data);
}

static int ctl_threads_read(struct instr_session *session, void *data)
{
	struct instr_threads_read *arg = data;
	u32 nr = arg->nr;
	u64 *fs_base;
	int err;

	if (arg->flags)
		return -EOPNOTSUPP;
	if (arg->pad)
		return -EINVAL;
	/* No process has more. */
	arg->nr = min_t(u32, nr, PID_MAX_LIMIT);
	fs_base = kvcalloc(arg->nr, sizeof(*fs_base), GFP_KERNEL);
	if (!fs_base)
		return -ENOMEM;
	err = instr_request_threads_read(session, arg, fs_base);
	if (!err && copy_to_user(u64_to_user_ptr(arg->ptr), fs_base,
				 min(arg->nr, arg->out_nr) * sizeof(*fs_base)))
		err = -EFAULT;
	kvfree(fs_base);
	arg->nr = nr;
	return err;
}

static int ctl_space_forget(struct instr_session *session, void *data)
{
	return instr_request_space_forget(session, data);
}

static int ctl_remove(struct instr_session *session, void *data)
{
	struct instr_remove *arg = data;
	int nr;

	if (arg->flags)
		return -EOPNOTSUPP;
	nr = instr_session_remove(session, arg->session_id);
	if (nr < 0)
		return nr;
	arg->out_removed = nr;
	return 0;
}

/* @locked: called with session->lock held, and only while the session is alive. */
struct ctl_cmd {
	unsigned int cmd;
	size_t size;
	bool locked;
	int (*fn)(struct instr_session *session, void *arg);
};

#define CTL_CMD(_cmd, _struct, _locked, _fn) \
	[_IOC_NR(_cmd)] = { .cmd = _cmd, .size = sizeof(_struct), \
			    .locked = _locked, .fn = _fn }

static const struct ctl_cmd ctl_cmds[] = {
	CTL_CMD(INSTR_INFO, struct instr_info, true, ctl_info),
	CTL_CMD(INSTR_OVERLAY_CREATE, struct instr_overlay_create, true,
		ctl_overlay_create),
	CTL_CMD(INSTR_SLAB_WRITE, struct instr_slab_io, true, ctl_slab_write),
	CTL_CMD(INSTR_SLAB_READ, struct instr_slab_io, true, ctl_slab_read),
	CTL_CMD(INSTR_PUBLISH, struct instr_publish, true, ctl_publish),
	CTL_CMD(INSTR_ATTACH, struct instr_attach, false, ctl_attach),
	CTL_CMD(INSTR_DETACH, struct instr_detach, true, ctl_detach),
	CTL_CMD(INSTR_SPACE_NEXT, struct instr_space_next, true, ctl_space_next),
	CTL_CMD(INSTR_DATA_READ, struct instr_data_read, true, ctl_data_read),
	CTL_CMD(INSTR_POINTERS, struct instr_pointers, true, ctl_pointers),
	CTL_CMD(INSTR_TIMES_READ, struct instr_times_read, true, ctl_times_read),
	CTL_CMD(INSTR_THREADS_READ, struct instr_threads_read, true, ctl_threads_read),
	CTL_CMD(INSTR_SPACE_FORGET, struct instr_space_forget, true, ctl_space_forget),
	CTL_CMD(INSTR_ATTACH_ALL, struct instr_attach_all, false, ctl_attach_all),
	CTL_CMD(INSTR_REMOVE, struct instr_remove, false, ctl_remove),
};

/* The largest of the above; a table that outgrows it does not build. */
#define CTL_ARG_MAX	104

static int ctl_call(struct instr_session *session, const struct ctl_cmd *cmd, void *arg)
{
	int err;

	if (!cmd->locked)
		return READ_ONCE(session->dead) ? -ESHUTDOWN : cmd->fn(session, arg);
	mutex_lock(&session->lock);
	err = session->dead ? -ESHUTDOWN : cmd->fn(session, arg);
	mutex_unlock(&session->lock);
	return err;
}

/*
 * Results are copied out also on an error, where there may be one to tell
 * (out_bad); what the caller gave is returned as it was.
 */
static long ctl_ioctl(struct file *file, unsigned int number, unsigned long ptr)
{
	struct instr_session *session = file->private_data;
	void __user *user = (void __user *)ptr;
	const struct ctl_cmd *cmd;
	u64 arg[CTL_ARG_MAX / sizeof(u64)] = {};
	u32 size;
	int err;

	if (_IOC_TYPE(number) != INSTR_IOC || _IOC_NR(number) >= ARRAY_SIZE(ctl_cmds))
		return -ENOTTY;
	cmd = &ctl_cmds[_IOC_NR(number)];
	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < cmd->size)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(arg, cmd->size, user, size);
	if (err)
		return err;
	err = ctl_call(session, cmd, arg);
	if ((_IOC_DIR(cmd->cmd) & _IOC_READ) && copy_to_user(user, arg, cmd->size))
		return -EFAULT;
	/* Mappings that were there before the first sites. */
	if (!err && cmd->fn == ctl_publish)
		instr_attach_rescan(session);
	return err;
}

static int ctl_open(struct inode *inode, struct file *file)
{
	struct instr_session *session;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = instr_hook_get();
	if (err)
		return err;
	session = instr_session_create();
	if (IS_ERR(session)) {
		instr_hook_put();
		return PTR_ERR(session);
	}
	file->private_data = session;
	return nonseekable_open(inode, file);
}

static int ctl_release(struct inode *inode, struct file *file)
{
	struct instr_session *session = file->private_data;

	instr_session_end(session);
	instr_session_put(session);
	instr_hook_put();
	/* So that whoever unloads the module next finds it unused. */
	instr_view_flush();
	return 0;
}

static const struct file_operations ctl_fops = {
	.owner = THIS_MODULE,
	.open = ctl_open,
	.release = ctl_release,
	.unlocked_ioctl = ctl_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice ctl_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "instr",
	.fops = &ctl_fops,
	.mode = 0600,
};

/* No holes, and the sizes that programs were built with. */
static void check_abi(void)
{
	BUILD_BUG_ON(sizeof(struct instr_info) != 56);
	BUILD_BUG_ON(sizeof(struct instr_overlay_create) != 104);
	BUILD_BUG_ON(sizeof(struct instr_slab_io) != 40);
	BUILD_BUG_ON(sizeof(struct instr_site) != 32);
	BUILD_BUG_ON(sizeof(struct instr_trap) != 16);
	BUILD_BUG_ON(sizeof(struct instr_origin) != 16);
	BUILD_BUG_ON(sizeof(struct instr_row) != 8);
	BUILD_BUG_ON(sizeof(struct instr_shape) != 256);
	BUILD_BUG_ON(sizeof(struct instr_rewind) != 24);
	BUILD_BUG_ON(sizeof(struct instr_publish) != 80);
	BUILD_BUG_ON(sizeof(struct instr_attach) != 16);
	BUILD_BUG_ON(sizeof(struct instr_detach) != 16);
	BUILD_BUG_ON(sizeof(struct instr_space_next) != 64);
	BUILD_BUG_ON(sizeof(struct instr_data_read) != 40);
	BUILD_BUG_ON(sizeof(struct instr_remove) != 16);
	BUILD_BUG_ON(sizeof(struct instr_pointer) != 40);
	BUILD_BUG_ON(sizeof(struct instr_pointers) != 32);
	BUILD_BUG_ON(sizeof(struct instr_control) != 512);
	BUILD_BUG_ON(sizeof(struct instr_thread) != 64);
	BUILD_BUG_ON(sizeof(struct instr_stack_page) != 32);
	BUILD_BUG_ON(sizeof(struct instr_return) != 32);
	BUILD_BUG_ON(INSTR_THREADS_LEN + sizeof(struct instr_slabs) > INSTR_STACK_PAGES_AT);
	BUILD_BUG_ON(sizeof(struct instr_times_read) != 56);
	BUILD_BUG_ON(sizeof(struct instr_threads_read) != 32);
	BUILD_BUG_ON(sizeof(struct instr_space_forget) != 16);
	BUILD_BUG_ON(sizeof(struct instr_attach_all) != 56);
	BUILD_BUG_ON(sizeof(struct instr_info) > CTL_ARG_MAX);
	BUILD_BUG_ON(sizeof(struct instr_overlay_create) > CTL_ARG_MAX);
	BUILD_BUG_ON(sizeof(struct instr_space_next) > CTL_ARG_MAX);
}

int instr_ctl_init(void)
{
	check_abi();
	return misc_register(&ctl_device);
}

void instr_ctl_exit(void)
{
	misc_deregister(&ctl_device);
}

// SPDX-License-Identifier: GPL-2.0
#include "event.h"

#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <net/genetlink.h>

#include "edition.h"
#include "overlay.h"
#include "session.h"
#include "space.h"

static struct genl_family event_family;

/* ---- events ---------------------------------------------------------------------- */

/* What a message says; zero and NULL are left out, but for @status of an exit. */
struct event_message {
	enum instr_event event;
	u32 session_id, space_id, overlay_id;
	pid_t pid, tid, child;
	u32 clone_flags, err, status;
	const char *comm;		/* of a task: it may change meanwhile */
};

static bool put_u32(struct sk_buff *skb, int attr, u32 value)
{
	return !value || !nla_put_u32(skb, attr, value);
}

static bool event_fill(struct sk_buff *skb, const struct event_message *message)
{
	char comm[TASK_COMM_LEN];

	strscpy(comm, message->comm, sizeof(comm));
	return put_u32(skb, INSTR_A_EVENT, message->event) &&
	       put_u32(skb, INSTR_A_SESSION_ID, message->session_id) &&
	       put_u32(skb, INSTR_A_SPACE_ID, message->space_id) &&
	       put_u32(skb, INSTR_A_OVERLAY_ID, message->overlay_id) &&
	       put_u32(skb, INSTR_A_PID, message->pid) &&
	       put_u32(skb, INSTR_A_TID, message->tid) &&
	       put_u32(skb, INSTR_A_CHILD, message->child) &&
	       put_u32(skb, INSTR_A_CLONE_FLAGS, message->clone_flags) &&
	       put_u32(skb, INSTR_A_ERRNO, message->err) &&
	       (message->event != INSTR_EVENT_EXIT ||
		!nla_put_u32(skb, INSTR_A_STATUS, message->status)) &&
	       !nla_put_string(skb, INSTR_A_COMM, comm) &&
	       !nla_put_u64_64bit(skb, INSTR_A_TIME, ktime_get_ns(), INSTR_A_PAD);
}

static void event_send(const struct event_message *message)
{
	struct sk_buff *skb;
	void *header;

	if (!genl_has_listeners(&event_family, &init_net, 0))
		return;
	skb = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_ATOMIC);
	if (!skb)
		return;
	header = genlmsg_put(skb, 0, 0, &event_family, 0, INSTR_CMD_EVENT);
	if (!header || !event_fill(skb, message)) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, header);
	genlmsg_multicast(&event_family, skb, 0, 0, GFP_ATOMIC);
}

static pid_t space_pid(const struct instr_space *space)
{
	return pid_nr(space->tgid);
}

void instr_event_space(enum instr_event event, const struct instr_space *space)
{
	event_send(&(struct event_message){
		.event = event,
		.session_id = space->session_id,
		.space_id = space->id,
		.pid = space_pid(space),
		.comm = space->comm,
	});
}

void instr_event_refused(const struct instr_space *space, u32 overlay_id, int err)
{
	event_send(&(struct event_message){
		.event = INSTR_EVENT_REFUSED,
		.session_id = space->session_id,
		.space_id = space->id,
		.overlay_id = overlay_id,
		.pid = space_pid(space),
		.err = err,
		.comm = space->comm,
	});
}

void instr_event_fork(const struct instr_space *space, struct task_struct *parent,
		      struct task_struct *child)
{
	event_send(&(struct event_message){
		.event = INSTR_EVENT_FORK,
		.session_id = space->session_id,
		.space_id = space->id,
		.pid = task_tgid_nr(parent),
		.tid = task_pid_nr(parent),
		.child = task_pid_nr(child),
		.clone_flags = child->mm == parent->mm ? INSTR_CLONE_VM : 0,
		.comm = parent->group_leader->comm,
	});
}

void instr_event_exec(struct instr_session *session, struct task_struct *task)
{
	event_send(&(struct event_message){
		.event = INSTR_EVENT_EXEC,
		.session_id = session->id,
		.pid = task_tgid_nr(task),
		.comm = task->comm,
	});
}

void instr_event_exit_process(struct instr_session *session, struct task_struct *task)
{
	struct signal_struct *signal = task->signal;

	event_send(&(struct event_message){
		.event = INSTR_EVENT_EXIT,
		.session_id = session->id,
		.pid = task_tgid_nr(task),
		.status = signal->flags & SIGNAL_GROUP_EXIT ?
			  signal->group_exit_code : task->group_leader->exit_code,
		.comm = task->group_leader->comm,
	});
}

/* ---- dumps: cb->args[0] objects have been sent ------------------------------------- */

struct dump {
	struct sk_buff *skb;
	struct netlink_callback *cb;
	long nr;
};

static void *dump_begin(struct dump *dump, u8 cmd)
{
	return genlmsg_put(dump->skb, NETLINK_CB(dump->cb->skb).portid,
			   dump->cb->nlh->nlmsg_seq, &event_family, NLM_F_MULTI, cmd);
}

/* One more object: sent before, sent now, or (-EMSGSIZE) for the next message. */
static int dump_object(struct dump *dump, u8 cmd,
		       bool (*fill)(struct sk_buff *skb, struct instr_session *session,
				    void *object),
		       struct instr_session *session, void *object)
{
	void *header;

	if (dump->nr++ < dump->cb->args[0])
		return 0;
	header = dump_begin(dump, cmd);
	if (!header)
		return -EMSGSIZE;
	if (!fill(dump->skb, session, object)) {
		genlmsg_cancel(dump->skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(dump->skb, header);
	dump->cb->args[0]++;
	return 0;
}

static int dump_all(struct sk_buff *skb, struct netlink_callback *cb,
		    int (*fn)(struct instr_session *session, void *data))
{
	struct dump dump = { .skb = skb, .cb = cb };

	int err = instr_session_for_each(fn, &dump);

	return skb->len ?: err;
}

static bool fill_session(struct sk_buff *skb, struct instr_session *session, void *object)
{
	return !nla_put_u32(skb, INSTR_A_SESSION_ID, session->id) &&
	       !nla_put_u32(skb, INSTR_A_PID, pid_nr(session->owner)) &&
	       !nla_put_string(skb, INSTR_A_COMM, session->comm) &&
	       !nla_put_u32(skb, INSTR_A_OVERLAYS,
			    list_count_nodes(&session->overlays)) &&
	       !nla_put_u32(skb, INSTR_A_SPACES, list_count_nodes(&session->spaces));
}

static int dump_session(struct instr_session *session, void *data)
{
	return dump_object(data, INSTR_CMD_SESSION_GET, fill_session, session, NULL);
}

static int dump_sessions(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_all(skb, cb, dump_session);
}

static bool put_u64(struct sk_buff *skb, int attr, u64 value)
{
	return !nla_put_u64_64bit(skb, attr, value, INSTR_A_PAD);
}

static bool put_path(struct sk_buff *skb, struct file *file)
{
	char *page = (char *)__get_free_page(GFP_KERNEL), *path;
	bool put;

	if (!page)
		return false;
	path = file_path(file, page, PAGE_SIZE);
	put = !nla_put_string(skb, INSTR_A_PATH, IS_ERR(path) ? "" : path);
	free_page((unsigned long)page);
	return put;
}

static bool fill_overlay(struct sk_buff *skb, struct instr_session *session, void *object)
{
	struct instr_overlay *overlay = object;
	struct instr_edition *edition =
		rcu_dereference_protected(overlay->edition,
					  lockdep_is_held(&session->lock));

	return !nla_put_u32(skb, INSTR_A_SESSION_ID, session->id) &&
	       !nla_put_u32(skb, INSTR_A_OVERLAY_ID, overlay->id) &&
	       put_u64(skb, INSTR_A_DEV, overlay->inode->i_sb->s_dev) &&
	       put_u64(skb, INSTR_A_INODE, overlay->inode->i_ino) &&
	       !nla_put_u32(skb, INSTR_A_SITES, edition ? edition->nr_sites : 0) &&
	       !nla_put_u32(skb, INSTR_A_PAGES, edition ? edition->nr : 0) &&
	       put_u64(skb, INSTR_A_SLAB_START, overlay->slab_start) &&
	       put_u64(skb, INSTR_A_CODE_LEN, overlay->code->code_len) &&
	       put_u64(skb, INSTR_A_DATA_LEN, overlay->code->data_len) &&
	       put_u64(skb, INSTR_A_ANNEX_START, overlay->annex_start) &&
	       put_u64(skb, INSTR_A_ANNEX_LEN, overlay->code->annex_len) &&
	       put_path(skb, overlay->file);
}

static int dump_session_overlays(struct instr_session *session, void *data)
{
	struct instr_overlay *overlay;
	int err = 0;

	list_for_each_entry(overlay, &session->overlays, node) {
		err = dump_object(data, INSTR_CMD_OVERLAY_GET, fill_overlay, session,
				  overlay);
		if (err)
			break;
	}
	return err;
}

static int dump_overlays(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_all(skb, cb, dump_session_overlays);
}

static bool fill_space(struct sk_buff *skb, struct instr_session *session, void *object)
{
	struct instr_space *space = object;

	return !nla_put_u32(skb, INSTR_A_SESSION_ID, session->id) &&
	       !nla_put_u32(skb, INSTR_A_SPACE_ID, space->id) &&
	       !nla_put_u32(skb, INSTR_A_PID, space_pid(space)) &&
	       !nla_put_string(skb, INSTR_A_COMM, space->comm) &&
	       !nla_put_u32(skb, INSTR_A_LIVE,
			    instr_space_lives(space) && !space->detached) &&
	       !nla_put_u32(skb, INSTR_A_VIEWS, instr_space_count_views(space)) &&
	       !nla_put_u32(skb, INSTR_A_SLABS, instr_space_count_slabs(space)) &&
	       !nla_put_u32(skb, INSTR_A_PRIVATE, space->private) &&
	       !nla_put_u32(skb, INSTR_A_ERRNO, space->refused);
}

static int dump_session_spaces(struct instr_session *session, void *data)
{
	struct instr_space *space;
	int err = 0;

	list_for_each_entry(space, &session->spaces, node) {
		err = dump_object(data, INSTR_CMD_SPACE_GET, fill_space, session, space);
		if (err)
			break;
	}
	return err;
}

static int dump_spaces(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_all(skb, cb, dump_session_spaces);
}

/* ---- the family ---------------------------------------------------------------------- */

static const struct genl_ops event_ops[] = {
	{ .cmd = INSTR_CMD_SESSION_GET, .dumpit = dump_sessions,
	  .flags = GENL_ADMIN_PERM },
	{ .cmd = INSTR_CMD_OVERLAY_GET, .dumpit = dump_overlays,
	  .flags = GENL_ADMIN_PERM },
	{ .cmd = INSTR_CMD_SPACE_GET, .dumpit = dump_spaces,
	  .flags = GENL_ADMIN_PERM },
};

static const struct genl_multicast_group event_groups[] = {
	{ .name = INSTR_GENL_EVENTS, .flags = GENL_MCAST_CAP_NET_ADMIN },
};

static struct genl_family event_family __ro_after_init = {
	.name = INSTR_GENL_NAME,
	.version = INSTR_GENL_VERSION,
	.maxattr = INSTR_A_MAX,
	.module = THIS_MODULE,
	.parallel_ops = true,	/* a session may keep a dump waiting */
	.ops = event_ops,
	.n_ops = ARRAY_SIZE(event_ops),
	.resv_start_op = __INSTR_CMD_LAST,
	.mcgrps = event_groups,
	.n_mcgrps = ARRAY_SIZE(event_groups),
};

int instr_event_init(void)
{
	return genl_register_family(&event_family);
}

void instr_event_exit(void)
{
	genl_unregister_family(&event_family);
}

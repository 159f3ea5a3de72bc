// SPDX-License-Identifier: GPL-2.0
#include "event.h"

#include <linux/ktime.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <net/genetlink.h>

#include "scope.h"
#include "space.h"

/* Whose group is told; NULL: nobody yet. */
static const struct genl_family *event_family;

void instr_event_set_family(const struct genl_family *family)
{
	event_family = family;
}

/* What a message says; zero and NULL are left out, but for @status of an exit. */
struct event_message {
	enum instr_event event;
	u32 session_id, space_id, overlay_id;
	pid_t pid, tid, child;
	u32 clone_flags, measured, err, status;
	u64 start;
	const char *comm;		/* of a task: it may change meanwhile */
};

static bool put_u32(struct sk_buff *skb, int attr, u32 value)
{
	return !value || !nla_put_u32(skb, attr, value);
}

static bool put_start(struct sk_buff *skb, u64 start)
{
	return !start || !nla_put_u64_64bit(skb, INSTR_A_START, start, INSTR_A_PAD);
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
	       put_u32(skb, INSTR_A_MEASURED, message->measured) &&
	       put_u32(skb, INSTR_A_ERRNO, message->err) &&
	       put_start(skb, message->start) &&
	       (message->event != INSTR_EVENT_EXIT ||
		!nla_put_u32(skb, INSTR_A_STATUS, message->status)) &&
	       !nla_put_string(skb, INSTR_A_COMM, comm) &&
	       !nla_put_u64_64bit(skb, INSTR_A_TIME, ktime_get_ns(), INSTR_A_PAD);
}

static void event_send(const struct event_message *message)
{
	struct sk_buff *skb;
	void *header;

	if (!genl_has_listeners(event_family, &init_net, 0))
		return;
	skb = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_ATOMIC);
	if (!skb)
		return;
	header = genlmsg_put(skb, 0, 0, event_family, 0, INSTR_CMD_EVENT);
	if (!header || !event_fill(skb, message)) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, header);
	genlmsg_multicast(event_family, skb, 0, 0, GFP_ATOMIC);
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

void instr_event_refused_image(u32 session_id, struct task_struct *task, int err)
{
	event_send(&(struct event_message){
		.event = INSTR_EVENT_REFUSED,
		.session_id = session_id,
		.pid = task_tgid_nr(task),
		.err = err,
		.start = task->group_leader->start_boottime,
		.comm = task->comm,
	});
}

void instr_event_fork(u32 session_id, u32 space_id, const struct instr_kin *child,
		      u32 clone_flags)
{
	event_send(&(struct event_message){
		.event = INSTR_EVENT_FORK,
		.session_id = session_id,
		.space_id = space_id,
		.pid = task_tgid_nr(current),
		.tid = task_pid_nr(current),
		.child = child->pid,
		.clone_flags = clone_flags,
		.measured = child->measured,
		.start = child->start,
		.comm = current->group_leader->comm,
	});
}

void instr_event_fork_failed(u32 session_id, u32 clone_flags, int err)
{
	event_send(&(struct event_message){
		.event = INSTR_EVENT_FORK_FAILED,
		.session_id = session_id,
		.pid = task_tgid_nr(current),
		.tid = task_pid_nr(current),
		.clone_flags = clone_flags,
		.err = err,
		.start = current->group_leader->start_boottime,
		.comm = current->group_leader->comm,
	});
}

void instr_event_exec(u32 session_id, struct task_struct *task)
{
	event_send(&(struct event_message){
		.event = INSTR_EVENT_EXEC,
		.session_id = session_id,
		.pid = task_tgid_nr(task),
		.start = task->group_leader->start_boottime,
		.comm = task->comm,
	});
}

void instr_event_exit_process(u32 session_id, struct task_struct *task)
{
	struct signal_struct *signal = task->signal;

	event_send(&(struct event_message){
		.event = INSTR_EVENT_EXIT,
		.session_id = session_id,
		.pid = task_tgid_nr(task),
		.status = signal->flags & SIGNAL_GROUP_EXIT ?
			  signal->group_exit_code : task->group_leader->exit_code,
		.start = task->group_leader->start_boottime,
		.comm = task->group_leader->comm,
	});
}

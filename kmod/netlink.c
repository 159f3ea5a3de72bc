// SPDX-License-Identifier: GPL-2.0
/*
 * The generic netlink family: dumps of what there is. Events are sent by event.c.
 */

#include "netlink.h"

#include <linux/fs.h>
#include <linux/pid.h>
#include <linux/slab.h>
#include <net/genetlink.h>

#include <linux/instr_event.h>

#include "edition.h"
#include "event.h"
#include "keep.h"
#include "overlay.h"
#include "session.h"
#include "space.h"

static struct genl_family netlink_family;

/* ---- dumps ---------------------------------------------------------------------------- */

/*
 * Objects come and go between two messages: what is to be sent next is what lies behind the
 * last that was sent, of session cb->args[0] and number cb->args[1], by which they ascend.
 */
struct dump {
	struct sk_buff *skb;
	struct netlink_callback *cb;
};

static bool dump_is_behind(const struct dump *dump, u32 session_id, u64 number)
{
	const long *last = dump->cb->args;

	return session_id > last[0] || (session_id == last[0] && number > last[1]);
}

static void *dump_begin(struct dump *dump, u8 cmd)
{
	return genlmsg_put(dump->skb, NETLINK_CB(dump->cb->skb).portid,
			   dump->cb->nlh->nlmsg_seq, &netlink_family, NLM_F_MULTI, cmd);
}

/* One more object: sent before, sent now, or (-EMSGSIZE) for the next message. */
static int dump_object(struct dump *dump, u8 cmd,
		       bool (*fill)(struct sk_buff *skb, struct instr_session *session,
				    void *object),
		       struct instr_session *session, u64 number, void *object)
{
	void *header;

	if (!dump_is_behind(dump, session->id, number))
		return 0;
	header = dump_begin(dump, cmd);
	if (!header)
		return -EMSGSIZE;
	if (!fill(dump->skb, session, object)) {
		genlmsg_cancel(dump->skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(dump->skb, header);
	dump->cb->args[0] = session->id;
	dump->cb->args[1] = number;
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
	return dump_object(data, INSTR_CMD_SESSION_GET, fill_session, session, 1, NULL);
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

static u64 edition_memory(const struct instr_edition *edition)
{
	u64 pages = 0;
	u32 i;

	for (i = 0; edition && i < edition->nr; i++)
		pages += edition->patch[i].traced == edition->patch[i].page ? 1 : 2;
	return pages << PAGE_SHIFT;
}

static bool fill_overlay(struct sk_buff *skb, struct instr_session *session, void *object)
{
	struct instr_overlay *overlay = object;
	struct instr_edition *edition = instr_overlay_edition(overlay);

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
	       put_u64(skb, INSTR_A_MEMORY, edition_memory(edition) +
		       instr_code_memory(overlay->code)) &&
	       put_path(skb, overlay->file);
}

static int dump_session_overlays(struct instr_session *session, void *data)
{
	struct instr_overlay *overlay;
	int err = 0;

	list_for_each_entry(overlay, &session->overlays, node) {
		err = dump_object(data, INSTR_CMD_OVERLAY_GET, fill_overlay, session,
				  overlay->id, overlay);
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
	struct instr_unwinds unwinds = instr_keep_unwinds(space);

	return !nla_put_u32(skb, INSTR_A_SESSION_ID, session->id) &&
	       !nla_put_u32(skb, INSTR_A_SPACE_ID, space->id) &&
	       !nla_put_u32(skb, INSTR_A_PID, pid_nr(space->tgid)) &&
	       !nla_put_string(skb, INSTR_A_COMM, space->comm) &&
	       !nla_put_u32(skb, INSTR_A_LIVE,
			    instr_space_lives(space) && !space->detached) &&
	       !nla_put_u32(skb, INSTR_A_VIEWS, instr_space_count_views(space)) &&
	       !nla_put_u32(skb, INSTR_A_SLABS, instr_space_count_slabs(space)) &&
	       !nla_put_u32(skb, INSTR_A_PRIVATE, space->private) &&
	       !nla_put_u32(skb, INSTR_A_ERRNO, space->refused) &&
	       put_u64(skb, INSTR_A_LOOKUPS, unwinds.lookups) &&
	       put_u64(skb, INSTR_A_FUNCTIONS, unwinds.functions) &&
	       put_u64(skb, INSTR_A_MEMORY, instr_keep_memory(space));
}

static int dump_session_spaces(struct instr_session *session, void *data)
{
	struct instr_space *space;
	int err = 0;

	list_for_each_entry(space, &session->spaces, node) {
		err = dump_object(data, INSTR_CMD_SPACE_GET, fill_space, session, space->id,
				  space);
		if (err)
			break;
	}
	return err;
}

static int dump_spaces(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_all(skb, cb, dump_session_spaces);
}

struct dump_processes {
	struct dump *dump;
	struct instr_session *session;
};

static bool fill_process(struct sk_buff *skb, struct instr_session *session, void *object)
{
	const struct instr_kin *kin = object;

	return !nla_put_u32(skb, INSTR_A_SESSION_ID, session->id) &&
	       !nla_put_u32(skb, INSTR_A_PID, kin->pid) &&
	       put_u64(skb, INSTR_A_START, kin->start) &&
	       !nla_put_string(skb, INSTR_A_COMM, kin->comm) &&
	       !nla_put_u32(skb, INSTR_A_MEASURED, kin->measured) &&
	       !nla_put_u32(skb, INSTR_A_PARENT, kin->parent) &&
	       !nla_put_u32(skb, INSTR_A_CLONE_FLAGS, kin->clone_flags);
}

static int dump_process(const struct instr_kin *kin, void *data)
{
	struct dump_processes *processes = data;

	return dump_object(processes->dump, INSTR_CMD_PROCESS_GET, fill_process,
			   processes->session, kin->number, (void *)kin);
}

static int dump_session_processes(struct instr_session *session, void *data)
{
	struct dump_processes processes = { .dump = data, .session = session };

	return instr_scope_for_each(&session->scope, dump_process, &processes);
}

static int dump_processes(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_all(skb, cb, dump_session_processes);
}

/* ---- the family ---------------------------------------------------------------------- */

static const struct genl_ops netlink_ops[] = {
	{ .cmd = INSTR_CMD_SESSION_GET, .dumpit = dump_sessions,
	  .flags = GENL_ADMIN_PERM },
	{ .cmd = INSTR_CMD_OVERLAY_GET, .dumpit = dump_overlays,
	  .flags = GENL_ADMIN_PERM },
	{ .cmd = INSTR_CMD_SPACE_GET, .dumpit = dump_spaces,
	  .flags = GENL_ADMIN_PERM },
	{ .cmd = INSTR_CMD_PROCESS_GET, .dumpit = dump_processes,
	  .flags = GENL_ADMIN_PERM },
};

static const struct genl_multicast_group netlink_groups[] = {
	{ .name = INSTR_GENL_EVENTS, .flags = GENL_MCAST_CAP_NET_ADMIN },
};

static struct genl_family netlink_family __ro_after_init = {
	.name = INSTR_GENL_NAME,
	.version = INSTR_GENL_VERSION,
	.maxattr = INSTR_A_MAX,
	.module = THIS_MODULE,
	.parallel_ops = true,	/* a session may keep a dump waiting */
	.ops = netlink_ops,
	.n_ops = ARRAY_SIZE(netlink_ops),
	.resv_start_op = __INSTR_CMD_LAST,
	.mcgrps = netlink_groups,
	.n_mcgrps = ARRAY_SIZE(netlink_groups),
};

int instr_netlink_init(void)
{
	int err = genl_register_family(&netlink_family);

	if (!err)
		instr_event_set_family(&netlink_family);
	return err;
}

void instr_netlink_exit(void)
{
	genl_unregister_family(&netlink_family);
}

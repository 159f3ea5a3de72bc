// SPDX-License-Identifier: GPL-2.0
/*
 * The netlink family: the only place of the tools that knows libnl.
 *
 * Messages are decoded by a table, one line an attribute.
 */

#include "event.h"

#include <errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "dev.h"
#include "err.h"

/* A burst of some ten thousand events may wait while we are not scheduled. */
#define RECEIVE_BUFFER	(16 << 20)
/* A dump that the kernel changed under way is asked for again. */
#define DUMP_TRIES	5

struct instr_netlink {
	struct nl_sock *sock;
	int family;
	void (*on_event)(const struct instr_message *msg, void *arg);
	void *arg;
};

/* ---- messages ------------------------------------------------------------- */

#define FIELD(attr, nla_type, member)					\
	[attr] = { nla_type, offsetof(struct instr_message, member),	\
		   sizeof(((struct instr_message *)NULL)->member) }

static const struct {
	uint16_t type;
	uint16_t at;
	uint16_t len;
} fields[INSTR_A_MAX + 1] = {
	FIELD(INSTR_A_EVENT, NLA_U32, event),
	FIELD(INSTR_A_SESSION_ID, NLA_U32, session_id),
	FIELD(INSTR_A_SPACE_ID, NLA_U32, space_id),
	FIELD(INSTR_A_OVERLAY_ID, NLA_U32, overlay_id),
	FIELD(INSTR_A_PID, NLA_U32, pid),
	FIELD(INSTR_A_TID, NLA_U32, tid),
	FIELD(INSTR_A_CHILD, NLA_U32, child),
	FIELD(INSTR_A_CLONE_FLAGS, NLA_U32, clone_flags),
	FIELD(INSTR_A_ERRNO, NLA_U32, error),
	FIELD(INSTR_A_STATUS, NLA_U32, status),
	FIELD(INSTR_A_COMM, NLA_STRING, comm),
	FIELD(INSTR_A_TIME, NLA_U64, time),
	FIELD(INSTR_A_OVERLAYS, NLA_U32, overlays),
	FIELD(INSTR_A_SPACES, NLA_U32, spaces),
	FIELD(INSTR_A_DEV, NLA_U64, dev),
	FIELD(INSTR_A_INODE, NLA_U64, inode),
	FIELD(INSTR_A_SITES, NLA_U32, sites),
	FIELD(INSTR_A_PAGES, NLA_U32, pages),
	FIELD(INSTR_A_SLAB_START, NLA_U64, slab_start),
	FIELD(INSTR_A_CODE_LEN, NLA_U64, code_len),
	FIELD(INSTR_A_ANNEX_START, NLA_U64, annex_start),
	FIELD(INSTR_A_ANNEX_LEN, NLA_U64, annex_len),
	FIELD(INSTR_A_DATA_LEN, NLA_U64, data_len),
	FIELD(INSTR_A_PATH, NLA_STRING, path),
	FIELD(INSTR_A_LIVE, NLA_U32, live),
	FIELD(INSTR_A_VIEWS, NLA_U32, views),
	FIELD(INSTR_A_SLABS, NLA_U32, slabs),
	FIELD(INSTR_A_PRIVATE, NLA_U32, private_pages),
	FIELD(INSTR_A_START, NLA_U64, start),
	FIELD(INSTR_A_PARENT, NLA_U32, parent),
	FIELD(INSTR_A_MEASURED, NLA_U32, measured),
	FIELD(INSTR_A_LOOKUPS, NLA_U64, lookups),
	FIELD(INSTR_A_FUNCTIONS, NLA_U64, functions),
	FIELD(INSTR_A_MEMORY, NLA_U64, memory),
};

_Static_assert(INSTR_A_MAX < 64, "instr_message::has is too short");

const char *instr_event_name(uint32_t event, char *text, size_t text_len)
{
	static const char *const names[] = {
		[INSTR_EVENT_ATTACH] = "attach",
		[INSTR_EVENT_DETACH] = "detach",
		[INSTR_EVENT_FORK] = "fork",
		[INSTR_EVENT_EXEC] = "exec",
		[INSTR_EVENT_EXIT] = "exit",
		[INSTR_EVENT_GONE] = "gone",
		[INSTR_EVENT_REFUSED] = "refused",
		[INSTR_EVENT_FORK_FAILED] = "no fork",
	};

	if (event < sizeof(names) / sizeof(names[0]) && names[event])
		return names[event];
	snprintf(text, text_len, "event %u", event);
	return text;
}

const char *instr_clone_name(uint32_t clone_flags)
{
	if (clone_flags & INSTR_CLONE_VFORK)
		return "vfork";
	return clone_flags & INSTR_CLONE_VM ? "clone" : "fork";
}

static void field_decode(struct instr_message *msg, int attr, struct nlattr *nla)
{
	void *to = (char *)msg + fields[attr].at;

	switch (fields[attr].type) {
	case NLA_U32:
		*(uint32_t *)to = nla_get_u32(nla);
		break;
	case NLA_U64:
		*(uint64_t *)to = nla_get_u64(nla);
		break;
	case NLA_STRING:
		nla_strlcpy(to, nla, fields[attr].len);
		break;
	default:
		return;
	}
	msg->has |= 1ULL << attr;
}

/* An attribute of another length than ours is a lie; the message is dropped. */
static bool message_decode(struct nlmsghdr *header, struct instr_message *msg)
{
	struct nlattr *attrs[INSTR_A_MAX + 1];
	struct nla_policy policy[INSTR_A_MAX + 1] = { 0 };

	for (int i = 0; i <= INSTR_A_MAX; i++)
		policy[i].type = fields[i].type;
	if (genlmsg_parse(header, 0, attrs, INSTR_A_MAX, policy) < 0)
		return false;

	memset(msg, 0, sizeof(*msg));
	for (int i = 0; i <= INSTR_A_MAX; i++)
		if (attrs[i])
			field_decode(msg, i, attrs[i]);
	return true;
}

/* ---- the socket ----------------------------------------------------------- */

static int netlink_fail(struct instr_err *err, int nl_code)
{
	switch (-nl_code) {
	case NLE_PERM:
	case NLE_NOACCESS:
		instr_fail(err, -EPERM, "netlink family " INSTR_GENL_NAME ": must be root");
		return instr_hint(err, -EPERM, INSTR_HINT_ROOT);
	case NLE_OBJ_NOTFOUND:
	case NLE_NOADDR:
		instr_fail(err, -ENOENT, "netlink family " INSTR_GENL_NAME ": is not there");
		return instr_hint(err, -ENOENT, INSTR_HINT_LOAD);
	case NLE_NOMEM:
		return err_memory(err);
	default:
		return instr_fail(err, -EIO, "netlink family " INSTR_GENL_NAME ": %s",
				  nl_geterror(nl_code));
	}
}

static int netlink_connect(struct instr_netlink *nl)
{
	int code = genl_connect(nl->sock);

	if (code < 0)
		return code;
	nl_socket_disable_auto_ack(nl->sock);
	nl->family = genl_ctrl_resolve(nl->sock, INSTR_GENL_NAME);
	return nl->family < 0 ? nl->family : 0;
}

int instr_netlink_open(struct instr_netlink **ret, struct instr_err *err)
{
	struct instr_netlink *nl = calloc(1, sizeof(*nl));
	int code;

	if (!nl)
		return err_memory(err);
	nl->sock = nl_socket_alloc();
	code = nl->sock ? netlink_connect(nl) : -NLE_NOMEM;
	if (code < 0) {
		instr_netlink_close(nl);
		return netlink_fail(err, code);
	}
	*ret = nl;
	return 0;
}

void instr_netlink_close(struct instr_netlink *nl)
{
	if (!nl)
		return;
	if (nl->sock)
		nl_socket_free(nl->sock);
	free(nl);
}

int instr_netlink_fd(const struct instr_netlink *nl)
{
	return nl_socket_get_fd(nl->sock);
}

/* ---- dumps ---------------------------------------------------------------- */

struct dump {
	struct instr_message *msg;
	size_t nr, room;
	bool no_memory;
};

static bool dump_grow(struct dump *dump)
{
	size_t room = dump->room ? 2 * dump->room : 8;
	void *msg = reallocarray(dump->msg, room, sizeof(*dump->msg));

	if (!msg)
		return false;
	dump->msg = msg;
	dump->room = room;
	return true;
}

static int on_object(struct nl_msg *msg, void *arg)
{
	struct dump *dump = arg;

	if (dump->nr == dump->room && !dump_grow(dump)) {
		dump->no_memory = true;
		return NL_SKIP;
	}
	if (message_decode(nlmsg_hdr(msg), &dump->msg[dump->nr]))
		dump->nr++;
	return NL_OK;
}

static int dump_once(struct instr_netlink *nl, enum instr_cmd cmd, struct dump *dump)
{
	int code;

	dump->nr = 0;
	code = nl_socket_modify_cb(nl->sock, NL_CB_VALID, NL_CB_CUSTOM, on_object, dump);
	if (code < 0)
		return code;
	code = genl_send_simple(nl->sock, nl->family, cmd, INSTR_GENL_VERSION, NLM_F_DUMP);
	if (code < 0)
		return code;
	return nl_recvmsgs_default(nl->sock);
}

int instr_netlink_dump(struct instr_netlink *nl, enum instr_cmd cmd,
		       struct instr_message **ret, size_t *nr, struct instr_err *err)
{
	struct dump dump = { 0 };
	int code = -NLE_DUMP_INTR;

	for (int i = 0; i < DUMP_TRIES && code == -NLE_DUMP_INTR; i++)
		code = dump_once(nl, cmd, &dump);
	if (code >= 0 && dump.no_memory)
		code = -NLE_NOMEM;
	if (code < 0) {
		free(dump.msg);
		return netlink_fail(err, code);
	}
	*ret = dump.msg;
	*nr = dump.nr;
	return 0;
}

/* ---- events --------------------------------------------------------------- */

static int on_message(struct nl_msg *msg, void *arg)
{
	struct instr_netlink *nl = arg;
	struct instr_message decoded;

	if (genlmsg_hdr(nlmsg_hdr(msg))->cmd == INSTR_CMD_EVENT &&
	    message_decode(nlmsg_hdr(msg), &decoded))
		nl->on_event(&decoded, nl->arg);
	return NL_OK;
}

static void receive_buffer_grow(struct nl_sock *sock)
{
	int size = RECEIVE_BUFFER;

	/* Beyond net.core.rmem_max where we may; a small one only loses more. */
	if (setsockopt(nl_socket_get_fd(sock), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(nl_socket_get_fd(sock), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

int instr_netlink_subscribe(struct instr_netlink *nl, struct instr_err *err)
{
	int group = genl_ctrl_resolve_grp(nl->sock, INSTR_GENL_NAME, INSTR_GENL_EVENTS);
	int code = group;

	if (code < 0)
		return netlink_fail(err, code);
	receive_buffer_grow(nl->sock);
	/* Events answer nobody: they have no sequence number. */
	nl_socket_disable_seq_check(nl->sock);
	code = nl_socket_modify_cb(nl->sock, NL_CB_VALID, NL_CB_CUSTOM, on_message, nl);
	if (code >= 0)
		code = nl_socket_set_nonblocking(nl->sock);
	if (code >= 0)
		code = nl_socket_add_membership(nl->sock, group);
	return code < 0 ? netlink_fail(err, code) : 0;
}

int instr_netlink_receive(struct instr_netlink *nl,
			  void (*on_event)(const struct instr_message *msg, void *arg),
			  void *arg, struct instr_err *err)
{
	int code;

	nl->on_event = on_event;
	nl->arg = arg;
	do {
		code = nl_recvmsgs_default(nl->sock);
	} while (code >= 0);

	switch (-code) {
	case NLE_AGAIN:
		return 0;
	case NLE_NOMEM:		/* as libnl says ENOBUFS */
		return instr_fail(err, -ENOBUFS, "events were lost");
	default:
		return netlink_fail(err, code);
	}
}

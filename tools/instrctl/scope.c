// SPDX-License-Identifier: GPL-2.0
/*
 * Scopes: what of them the kernel decides (struct instr_attach_all), and trees, which are
 * looked for in /proc.
 */

#include "scope.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "libinstr/array.h"
#include "say.h"

/* ---- what is asked for ------------------------------------------------------- */

int64_t scope_parse_uid(const char *text)
{
	struct passwd *user = getpwnam(text);
	unsigned long uid;
	char *end;

	if (user)
		return user->pw_uid;
	errno = 0;
	uid = strtoul(text, &end, 10);
	if (errno || *end || text[0] < '0' || text[0] > '9' || uid >= UINT32_MAX)
		exit(usage_error("--uid %s: no such user", text));
	return uid;
}

const char *scope_parse_comm(const char *text)
{
	const size_t max = sizeof(((struct instr_attach_all *)NULL)->comm);

	if (!text[0] || strlen(text) >= max)
		exit(usage_error("--comm %s: not 1 to %zu characters", text, max - 1));
	return text;
}

bool scope_has_filter(const struct scope *scope)
{
	return scope->uid >= 0 || scope->cgroup || scope->comm;
}

/* ---- all --------------------------------------------------------------------- */

/* Where version 2 is mounted, alone or beside version 1. */
static const char *const cgroup_roots[2] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

static int open_cgroup(const char *name, struct instr_err *err)
{
	int fd = name[0] == '/' ? open(name, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	for (size_t i = 0; i < 2 && fd < 0; i++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s/cgroup.procs", cgroup_roots[i], name);
		if (access(path, F_OK))
			continue;
		*strrchr(path, '/') = '\0';
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return fd >= 0 ? fd : instr_fail(err, -ENOENT, "--cgroup %s: there is none", name);
}

int scope_attach(const struct scope *scope, struct instr_dev *dev, uint32_t flags,
		 unsigned int *views, struct instr_err *err)
{
	struct instr_attach_all which = { .flags = flags };
	int fd = -1, code;

	if (scope->uid >= 0) {
		which.flags |= INSTR_ALL_UID;
		which.uid = scope->uid;
	}
	if (scope->comm) {
		which.flags |= INSTR_ALL_COMM;
		memcpy(which.comm, scope->comm, strlen(scope->comm));
	}
	if (scope->cgroup) {
		fd = open_cgroup(scope->cgroup, err);
		if (fd < 0)
			return fd;
		which.flags |= INSTR_ALL_CGROUP;
		which.cgroup_fd = fd;
	}
	code = instr_dev_attach_all(dev, &which, views, err);
	if (fd >= 0)
		close(fd);
	if (code == -EBADF)
		instr_fail(err, code, "--cgroup %s: is not of cgroup version 2", scope->cgroup);
	return code;
}

/* ---- a tree ------------------------------------------------------------------ */

struct tree {
	size_t nr;
	pid_t *pid;
};

static bool tree_has(const struct tree *tree, pid_t pid)
{
	for (size_t i = 0; i < tree->nr; i++)
		if (tree->pid[i] == pid)
			return true;
	return false;
}

/* 0: it has ended, or can't be seen. */
static pid_t parent_of(pid_t pid)
{
	char path[64], line[512];
	pid_t parent = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	/* Its name, which may have any character in it, ends with the last ')'. */
	if (fgets(line, sizeof(line), file)) {
		char *at = strrchr(line, ')');

		if (!at || sscanf(at + 1, " %*c %d", &parent) != 1)
			parent = 0;
	}
	fclose(file);
	return parent;
}

/* One that ended meanwhile, or is followed already, is as good as attached. */
static int tree_add(struct tree *tree, struct instr_dev *dev, pid_t pid, uint32_t flags,
		    struct instr_err *err)
{
	unsigned int views;
	int code = instr_dev_attach(dev, pid, flags, &views, NULL);

	if (code == -ENOEXEC)
		say(SAY_NOTE, "process %d: is a 32-bit program, not counted", pid);
	else if (code && code != -ESRCH && code != -EEXIST)
		return instr_dev_attach(dev, pid, flags, &views, err);
	if (!ARRAY_PUSH(tree->pid, tree->nr, pid))
		out_of_memory();
	return 0;
}

/* Children of whom there is in @tree. *found: there was one. */
static int tree_grow(struct tree *tree, struct instr_dev *dev, uint32_t flags, bool *found,
		     struct instr_err *err)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int code = 0;

	if (!proc)
		return instr_fail(err, -errno, "/proc: %s", strerror(errno));
	*found = false;
	while (!code && (entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name);

		if (pid <= 0 || tree_has(tree, pid) || !tree_has(tree, parent_of(pid)))
			continue;
		*found = true;
		code = tree_add(tree, dev, pid, flags, err);
	}
	closedir(proc);
	return code;
}

/*
 * Children of who is attached are followed. So when none is found any more who is not, all
 * are.
 */
int scope_attach_tree(struct instr_dev *dev, pid_t pid, uint32_t flags, size_t *nr,
		      struct instr_err *err)
{
	struct tree tree = { 0 };
	bool found = true;
	int code = 0;

	if (!ARRAY_PUSH(tree.pid, tree.nr, pid))
		out_of_memory();
	while (!code && found)
		code = tree_grow(&tree, dev, flags, &found, err);
	*nr = tree.nr;
	free(tree.pid);
	return code;
}

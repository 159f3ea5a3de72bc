// SPDX-License-Identifier: GPL-2.0
#include "tree.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"

struct tree {
	const struct instr_message *msg;
	size_t nr, nr_ordered;
	size_t *order;		/* numbers of messages */
	bool *done;
	unsigned int *depth;
};

/* They are listed in the order in which they were made: a parent that lives comes first. */
static bool is_child(const struct tree *tree, size_t child, size_t parent)
{
	const struct instr_message *msg = &tree->msg[child], *of = &tree->msg[parent];

	return child > parent && msg->parent && msg->parent == of->pid &&
	       msg->session_id == of->session_id;
}

static bool has_parent(const struct tree *tree, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (is_child(tree, i, j))
			return true;
	return false;
}

static void take(struct tree *tree, size_t i, size_t depth)
{
	tree->done[i] = true;
	tree->depth[tree->nr_ordered] = (unsigned int)depth;
	tree->order[tree->nr_ordered++] = i;
}

static size_t next_child(const struct tree *tree, size_t parent)
{
	size_t i = parent + 1;

	while (i < tree->nr && (tree->done[i] || !is_child(tree, i, parent)))
		i++;
	return i;
}

/* @root and all below it, which may be deeper than a stack is long. */
static void take_tree(struct tree *tree, size_t root)
{
	size_t *path = allocate(tree->nr, sizeof(*path));
	size_t depth = 0;

	take(tree, root, 0);
	path[0] = root;
	for (;;) {
		size_t child = next_child(tree, path[depth]);

		if (child < tree->nr) {
			path[++depth] = child;
			take(tree, child, depth);
		} else if (!depth--) {
			break;
		}
	}
	free(path);
}

static void reorder(const struct tree *tree, struct instr_message *msg)
{
	struct instr_message *ordered = allocate(tree->nr, sizeof(*ordered));

	for (size_t i = 0; i < tree->nr; i++)
		ordered[i] = msg[tree->order[i]];
	memcpy(msg, ordered, tree->nr * sizeof(*msg));
	free(ordered);
}

unsigned int *tree_order(struct instr_message *msg, size_t nr)
{
	struct tree tree = {
		.msg = msg,
		.nr = nr,
		.order = allocate(nr, sizeof(size_t)),
		.done = allocate(nr, sizeof(bool)),
		.depth = allocate(nr, sizeof(unsigned int)),
	};

	for (size_t i = 0; i < nr; i++) {
		if (!tree.done[i] && !has_parent(&tree, i))
			take_tree(&tree, i);
	}
	reorder(&tree, msg);
	free(tree.order);
	free(tree.done);
	return tree.depth;
}

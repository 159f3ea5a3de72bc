// SPDX-License-Identifier: GPL-2.0
#include "tree.h"

#include <stdlib.h>

#include "say.h"

struct tree {
	struct instr_message *msg, *ordered;
	size_t nr, nr_ordered;
	bool *done;
	unsigned int *depth;
};

static void *allocate(size_t nr, size_t size)
{
	void *memory = calloc(nr ?: 1, size);

	if (!memory)
		out_of_memory();
	return memory;
}

static bool is_child(const struct instr_message *msg, const struct instr_message *of)
{
	return msg->session_id == of->session_id && msg->parent == of->pid;
}

/* They are listed in the order in which they were made, so a parent that lives comes first. */
static bool has_parent(const struct tree *tree, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (tree->msg[i].parent && is_child(&tree->msg[i], &tree->msg[j]))
			return true;
	return false;
}

static void take(struct tree *tree, size_t i, unsigned int depth)
{
	tree->done[i] = true;
	tree->depth[tree->nr_ordered] = depth;
	tree->ordered[tree->nr_ordered++] = tree->msg[i];
}

static size_t next_child(const struct tree *tree, const struct instr_message *of)
{
	size_t i = 0;

	while (i < tree->nr && (tree->done[i] || !is_child(&tree->msg[i], of)))
		i++;
	return i;
}

/* The last one that was taken, and all below it. It may be deeper than a stack is long. */
static void take_descendants(struct tree *tree)
{
	size_t *path = allocate(tree->nr, sizeof(*path));
	size_t depth = 0;

	path[0] = tree->nr_ordered - 1;
	for (;;) {
		size_t child = next_child(tree, &tree->ordered[path[depth]]);

		if (child < tree->nr) {
			take(tree, child, (unsigned int)++depth);
			path[depth] = tree->nr_ordered - 1;
		} else if (depth) {
			depth--;
		} else {
			break;
		}
	}
	free(path);
}

unsigned int *tree_order(struct instr_message *msg, size_t nr)
{
	struct tree tree = {
		.msg = msg,
		.nr = nr,
		.ordered = allocate(nr, sizeof(*msg)),
		.done = allocate(nr, sizeof(bool)),
		.depth = allocate(nr, sizeof(unsigned int)),
	};

	for (size_t i = 0; i < nr; i++) {
		if (tree.done[i] || has_parent(&tree, i))
			continue;
		take(&tree, i, 0);
		take_descendants(&tree);
	}
	for (size_t i = 0; i < tree.nr_ordered; i++)
		msg[i] = tree.ordered[i];
	free(tree.ordered);
	free(tree.done);
	return tree.depth;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The gate: who counts in a space, and how. It is what the code of slabs looks at
 * first (struct instr_control).
 */

#include "gate.h"

#include <linux/string.h>
#include <asm/cpufeature.h>

#include "space.h"

#define VFORK_NONE	1	/* an FS base that no thread has */

/*
 * One word says both where frames are and that the gate is open. Only whoever shows them
 * writes it: a space of an earlier session may still have the same pages.
 */
static void gate_set_frames(struct instr_space *space)
{
	bool open = space->control.gate <= INSTR_GATE_MANY;
	struct instr_slab *slab;

	if (!space->frames_shown)
		return;
	space->control.frames = space->frames_shown | (open ? INSTR_FRAMES_OPEN : 0);
	list_for_each_entry(slab, &space->slabs, node)
		instr_data_frames(&slab->data, space->control.frames);
}

static void gate_set(struct instr_space *space)
{
	struct instr_slab *slab;

	lockdep_assert_held(&space->lock);
	if (!space->vforks) {
		memset(space->control.vfork, 0, sizeof(space->control.vfork));
		space->control.gate = space->many ? INSTR_GATE_MANY : INSTR_GATE_SOLO;
	} else if (space->vforks > INSTR_VFORKS_MAX ||
		   !boot_cpu_has(X86_FEATURE_FSGSBASE)) {
		space->control.gate = INSTR_GATE_SHUT;
	} else if (space->control.gate != INSTR_GATE_SHUT) {
		space->control.gate = INSTR_GATE_VFORK;
	}
	list_for_each_entry(slab, &space->slabs, node)
		instr_data_control(&slab->data, &space->control);
	gate_set_frames(space);
}

void instr_gate_show_frames(struct instr_space *space)
{
	spin_lock(&space->lock);
	space->frames_shown = space->frames;
	gate_set_frames(space);
	spin_unlock(&space->lock);
}

void instr_gate_hide_frames(struct instr_space *space)
{
	struct instr_slab *slab;

	spin_lock(&space->lock);
	if (space->frames_shown)
		list_for_each_entry(slab, &space->slabs, node)
			instr_data_frames(&slab->data, 0);
	space->frames_shown = 0;
	space->control.frames = 0;
	spin_unlock(&space->lock);
}

void instr_gate_set_many(struct instr_space *space)
{
	spin_lock(&space->lock);
	if (!space->many) {
		space->many = true;
		gate_set(space);
	}
	spin_unlock(&space->lock);
}

/* An entry is taken once for each child: a vfork child may have one of its own. */
static u64 *vfork_entry(struct instr_space *space, u64 value)
{
	int i;

	for (i = 0; i < INSTR_VFORKS_MAX; i++)
		if (space->control.vfork[i] == value)
			return &space->control.vfork[i];
	return NULL;
}

void instr_gate_vfork_begin(struct instr_space *space, unsigned long fs_base)
{
	u64 *entry;

	spin_lock(&space->lock);
	space->vforks++;
	entry = vfork_entry(space, VFORK_NONE) ?: vfork_entry(space, 0);
	if (entry)
		*entry = fs_base;
	/* A thread with no FS base can't be told from others. */
	if (!entry || !fs_base)
		space->control.gate = INSTR_GATE_SHUT;
	gate_set(space);
	spin_unlock(&space->lock);
}

void instr_gate_vfork_end(struct instr_space *space, unsigned long fs_base)
{
	u64 *entry;

	spin_lock(&space->lock);
	space->vforks--;
	entry = vfork_entry(space, fs_base);
	if (entry && fs_base)
		*entry = VFORK_NONE;
	gate_set(space);
	spin_unlock(&space->lock);
}

static bool gate_lists(const struct instr_space *space, unsigned long fs_base)
{
	int i;

	for (i = 0; i < INSTR_VFORKS_MAX && READ_ONCE(space->control.vfork[i]); i++)
		if (READ_ONCE(space->control.vfork[i]) == fs_base)
			return true;
	return false;
}

/*
 * With no lock: a vfork child's own entry stays as long as it runs here. Whether another
 * thread was counted while the gate was shut, and then opened, or the other way round, can't
 * be known; nor are all counted then.
 */
bool instr_gate_counts(const struct instr_space *space, unsigned long fs_base)
{
	u64 gate = READ_ONCE(space->control.gate);

	return gate != INSTR_GATE_SHUT &&
	       !(gate == INSTR_GATE_VFORK && gate_lists(space, fs_base));
}

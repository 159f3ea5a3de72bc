// SPDX-License-Identifier: GPL-2.0
/*
 * The gate: who counts in a space, and how. It is what the code of slabs looks at
 * first (struct instr_control).
 */

#include "gate.h"

#include <linux/minmax.h>
#include <linux/rculist.h>
#include <linux/string.h>
#include <asm/cpufeature.h>

#include "overlay.h"
#include "space.h"

#define VFORK_NONE	1	/* an FS base that no thread has */

/*
 * What is to be said in a slab that was told nothing. A thread alone counts; where frames are
 * must be known.
 */
static bool gate_says_nothing(const struct instr_space *space)
{
	return space->control.gate == INSTR_GATE_SOLO && !space->frames_shown;
}

bool instr_gate_is_untold(struct instr_space *space)
{
	struct instr_slab *slab;
	bool untold = false;

	spin_lock(&space->lock);
	if (!gate_says_nothing(space))
		list_for_each_entry(slab, &space->slabs, node)
			untold |= !slab->control;
	spin_unlock(&space->lock);
	return untold;
}

/* Somebody else may have been faster. */
static void slab_begin(struct instr_space *space, struct instr_slab *slab, struct page *page)
{
	spin_lock(&space->lock);
	if (!slab->control) {
		instr_slab_control(page, &space->control);
		if (space->frames_shown)
			instr_slab_frames(page, space->control.frames);
		swap(slab->control, page);
	}
	spin_unlock(&space->lock);
	if (page)
		instr_slab_unpin(page);
}

int instr_gate_tell(struct instr_space *space)
{
	struct instr_slab *slab;
	struct page *page;
	int err;

	if (!instr_gate_is_untold(space))
		return 0;
	list_for_each_entry_rcu(slab, &space->slabs, node, true) {
		if (READ_ONCE(slab->control))
			continue;
		err = instr_slab_pin(slab->overlay->code, slab->base, &page);
		if (err)
			return err;
		slab_begin(space, slab, page);
	}
	return 0;
}

void instr_gate_leave(struct instr_space *space)
{
	struct instr_slab *slab;

	list_for_each_entry_rcu(slab, &space->slabs, node, true) {
		struct page *page = NULL;

		spin_lock(&space->lock);
		swap(slab->control, page);
		spin_unlock(&space->lock);
		if (page)
			instr_slab_unpin(page);
	}
}

static void gate_set_control(struct instr_space *space)
{
	struct instr_slab *slab;

	list_for_each_entry(slab, &space->slabs, node)
		if (slab->control)
			instr_slab_control(slab->control, &space->control);
}

static void gate_write_frames(struct instr_space *space, u64 frames)
{
	struct instr_slab *slab;

	space->control.frames = frames;
	list_for_each_entry(slab, &space->slabs, node)
		if (slab->control)
			instr_slab_frames(slab->control, frames);
}

/*
 * One word says both where frames are and that the gate is open. Only whoever shows them
 * writes it: a space of an earlier session may still have the same pages.
 */
static void gate_set_frames(struct instr_space *space)
{
	bool open = space->control.gate <= INSTR_GATE_MANY;

	if (space->frames_shown)
		gate_write_frames(space, space->frames_shown | (open ? INSTR_FRAMES_OPEN : 0));
}

static void gate_set(struct instr_space *space)
{
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
	gate_set_control(space);
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
	spin_lock(&space->lock);
	if (space->frames_shown)
		gate_write_frames(space, 0);
	space->frames_shown = 0;
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

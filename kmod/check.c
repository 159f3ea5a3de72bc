// SPDX-License-Identifier: GPL-2.0
#include "check.h"

#include <linux/errno.h>
#include <linux/types.h>

#define CHECK_PAGE	4096ULL
/* User space ends at 2^47 on x86-64 with four levels; offsets stay far below. */
#define CHECK_OFFSET_MAX	(1ULL << 46)

static bool page_aligned(__u64 value)
{
	return !(value & (CHECK_PAGE - 1));
}

static bool position_is_sane(__u64 position)
{
	return (__s64)position >= -(__s64)CHECK_OFFSET_MAX &&
	       (__s64)position <= (__s64)CHECK_OFFSET_MAX;
}

/* Behind all other values were checked: nothing overflows. */
static bool annex_is_sane(const struct instr_overlay_create *arg)
{
	__s64 start = (__s64)arg->slab_start, annex = (__s64)arg->annex_start;
	__s64 len = arg->code_len + arg->data_len + arg->kept_len + arg->times_len;

	if (!arg->annex_len)
		return !arg->annex_start;
	return page_aligned(arg->annex_start) && page_aligned(arg->annex_len) &&
	       position_is_sane(arg->annex_start) &&
	       arg->annex_len <= INSTR_CODE_MAX - arg->code_len &&
	       (annex >= start + len || annex + (__s64)arg->annex_len <= start);
}

static bool times_are_sane(const struct instr_overlay_create *arg)
{
	if (!arg->times_len)
		return !arg->frames_len;
	return page_aligned(arg->times_len) && arg->times_len <= INSTR_TIMES_MAX &&
	       page_aligned(arg->frames_len) && arg->frames_len <= INSTR_TIMES_MAX &&
	       arg->frames_len >= INSTR_FRAMES_MIN;
}

/* Behind the others, too. */
static bool slots_are_sane(const struct instr_overlay_create *arg)
{
	__u64 offset = arg->slots_start - arg->slab_start;

	if (!arg->nr_slots)
		return !arg->slots_start;
	return page_aligned(arg->slots_start) && offset < arg->code_len &&
	       arg->nr_slots <= (arg->code_len - offset) / INSTR_SLOT_LEN &&
	       arg->nr_slots <= arg->kept_len / sizeof(struct instr_return) &&
	       arg->frames_len >= INSTR_STACK_PAGES_AT +
				  INSTR_STACK_PAGES * sizeof(struct instr_stack_page);
}

int instr_check_overlay(const struct instr_overlay_create *arg)
{
	if (arg->flags)
		return -EOPNOTSUPP;
	if (!page_aligned(arg->slab_start) || !page_aligned(arg->code_len) ||
	    !page_aligned(arg->data_len))
		return -EINVAL;
	if (!arg->code_len || arg->code_len > INSTR_CODE_MAX)
		return -EINVAL;
	if (!arg->data_len || arg->data_len > INSTR_DATA_MAX)
		return -EINVAL;
	if (!page_aligned(arg->kept_len) || arg->kept_len > INSTR_DATA_MAX)
		return -EINVAL;
	if (!times_are_sane(arg) || !position_is_sane(arg->slab_start) ||
	    !annex_is_sane(arg) || !slots_are_sane(arg))
		return -EINVAL;
	return 0;
}

int instr_check_slab_io(const struct instr_slab_io *arg, __u64 code_len)
{
	if (arg->flags)
		return -EOPNOTSUPP;
	if (arg->pad)
		return -EINVAL;
	if (!arg->len || arg->len > (64ULL << 20))
		return -EINVAL;
	if (arg->offset > code_len || arg->len > code_len - arg->offset)
		return -EINVAL;
	return 0;
}

int instr_check_times_read(const struct instr_times_read *arg, __u64 total)
{
	if (arg->flags)
		return -EOPNOTSUPP;
	if (arg->pad || arg->len > (64ULL << 20))
		return -EINVAL;
	if (arg->offset > total || arg->len > total - arg->offset)
		return -EINVAL;
	return 0;
}

bool instr_check_pointer(const struct instr_pointer *pointer, __s64 start, __u64 code_len,
			 __u64 kept_len)
{
	return position_is_sane(pointer->position) && pointer->position % 8 == 0 &&
	       position_is_sane(pointer->lazy_start) &&
	       position_is_sane(pointer->lazy_end) &&
	       pointer->target - (__u64)start < code_len &&
	       pointer->kept % 8 == 0 && pointer->kept < kept_len;
}

static bool site_is_sane(const struct instr_site *site)
{
	int i;

	if (site->flags & ~INSTR_SITE_FLAGS_ALL)
		return false;
	for (i = 0; i < (int)sizeof(site->pad); i++)
		if (site->pad[i])
			return false;
	if (!site->len || site->len > INSTR_SITE_MAX)
		return false;
	if (site->offset >= CHECK_OFFSET_MAX)
		return false;
	return site->offset / CHECK_PAGE ==
	       (site->offset + site->len - 1) / CHECK_PAGE;
}

int instr_check_sites(const struct instr_site *sites, __u32 nr, __u32 *bad)
{
	__u64 end = 0;
	__u32 i;

	for (i = 0; i < nr; i++) {
		*bad = i;
		if (!site_is_sane(&sites[i]) || sites[i].offset < end)
			return -ERANGE;
		end = sites[i].offset + sites[i].len;
	}
	return 0;
}

static bool position_is_code(const struct instr_check_code *code, __u64 position)
{
	return position - (__u64)code->start < code->len ||
	       position - (__u64)code->annex_start < code->annex_len;
}

int instr_check_traps(const struct instr_trap *traps, __u32 nr,
		      const struct instr_check_code *code, __u32 *bad)
{
	__u32 i;

	for (i = 0; i < nr; i++) {
		*bad = i;
		if (traps[i].offset >= CHECK_OFFSET_MAX)
			return -ERANGE;
		if (i && traps[i].offset <= traps[i - 1].offset)
			return -ERANGE;
		if (!position_is_code(code, traps[i].target))
			return -ERANGE;
	}
	return 0;
}

int instr_check_origins(const struct instr_origin *origins, __u32 nr,
			const struct instr_check_code *code, __u32 *bad)
{
	__u32 i;

	for (i = 0; i < nr; i++) {
		*bad = i;
		if ((origins[i].offset & ~INSTR_ORIGIN_ANY) >= CHECK_OFFSET_MAX)
			return -ERANGE;
		if (i && (__s64)origins[i].code <= (__s64)origins[i - 1].code)
			return -ERANGE;
		if (!position_is_code(code, origins[i].code))
			return -ERANGE;
	}
	return 0;
}

static bool bytes_are_zero(const __u8 *bytes, __u32 len)
{
	while (len--)
		if (*bytes++)
			return false;
	return true;
}

static bool row_is_sane(const struct instr_row *row)
{
	return row->ax <= row->depth && row->cx <= row->depth &&
	       row->flags_at <= row->depth && row->flags <= INSTR_FLAGS_AH &&
	       (!row->flags_at || row->flags == INSTR_FLAGS_AX) &&
	       row->counted <= 1 && !row->pad;
}

static bool shape_is_sane(const struct instr_shape *shape)
{
	int i;

	if (!shape->nr || shape->nr > INSTR_ROWS_MAX || shape->row[0].at ||
	    !bytes_are_zero(shape->pad, sizeof(shape->pad)))
		return false;
	for (i = 0; i < shape->nr; i++)
		if (!row_is_sane(&shape->row[i]) ||
		    (i && shape->row[i].at <= shape->row[i - 1].at))
			return false;
	return bytes_are_zero((const __u8 *)&shape->row[i],
			      (INSTR_ROWS_MAX - i) * sizeof(shape->row[0]));
}

int instr_check_shapes(const struct instr_shape *shapes, __u32 nr, __u32 *bad)
{
	__u32 i;

	for (i = 0; i < nr; i++) {
		*bad = i;
		if (!shape_is_sane(&shapes[i]))
			return -ERANGE;
	}
	return 0;
}

static bool counter_is_sane(__u32 counter, const struct instr_check_code *code)
{
	return !counter || (counter % sizeof(__u64) == 0 && counter < code->data_len &&
			    counter >= sizeof(struct instr_control));
}

static bool rewind_offset_is_sane(const struct instr_rewind *rewind,
				  const struct instr_check_code *code)
{
	switch (rewind->flags) {
	case INSTR_REWIND_POINTER:
		return rewind->offset % sizeof(__u64) == 0 && rewind->offset < code->kept_len;
	case INSTR_REWIND_ROUTINE:
		return !rewind->offset && !rewind->counter;
	case INSTR_REWIND_CALL:
	case 0:
		return rewind->offset < CHECK_OFFSET_MAX;
	default:
		return false;
	}
}

static bool rewind_is_sane(const struct instr_rewind *rewind, __u32 nr_shapes,
			   const struct instr_check_code *code)
{
	return position_is_code(code, rewind->code) && rewind->shape < nr_shapes &&
	       counter_is_sane(rewind->counter, code) && rewind_offset_is_sane(rewind, code);
}

int instr_check_rewinds(const struct instr_rewind *rewinds, __u32 nr, __u32 nr_shapes,
			const struct instr_check_code *code, __u32 *bad)
{
	__u32 i;

	for (i = 0; i < nr; i++) {
		*bad = i;
		if (!rewind_is_sane(&rewinds[i], nr_shapes, code))
			return -ERANGE;
		if (i && (__s64)rewinds[i].code <= (__s64)rewinds[i - 1].code)
			return -ERANGE;
	}
	return 0;
}

int instr_check_fragile(const struct instr_site *sites, __u32 nr_sites,
			const struct instr_trap *traps, __u32 nr_traps, __u32 *bad)
{
	__u32 i, t = 0;

	for (i = 0; i < nr_sites; i++) {
		if (!(sites[i].flags & INSTR_SITE_FRAGILE))
			continue;
		while (t < nr_traps && traps[t].offset < sites[i].offset)
			t++;
		*bad = i;
		if (t == nr_traps || traps[t].offset != sites[i].offset)
			return -ERANGE;
	}
	return 0;
}

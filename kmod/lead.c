// SPDX-License-Identifier: GPL-2.0
#include "lead.h"

#include <linux/err.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>

static struct instr_leads *leads_alloc(u32 nr)
{
	struct instr_leads *leads = kvzalloc(struct_size(leads, entry, nr), GFP_KERNEL);

	if (leads)
		leads->nr = nr;
	return leads;
}

struct instr_leads *instr_leads_merge(const struct instr_leads *old, instr_lead_fn fn,
				      const void *request, u32 nr, u32 *bad)
{
	u32 old_nr = old ? old->nr : 0, i = 0, j = 0, n = 0;
	struct instr_leads *merged;

	if (nr > INSTR_TRAPS_MAX - old_nr)
		return ERR_PTR(-EINVAL);
	merged = leads_alloc(old_nr + nr);
	if (!merged)
		return ERR_PTR(-ENOMEM);
	while (i < old_nr || j < nr) {
		const struct instr_lead *next = i < old_nr ? &old->entry[i] : NULL;
		struct instr_lead lead = j < nr ? fn(request, j, NULL) : *next;

		if (j == nr || (next && next->from < lead.from)) {
			merged->entry[n++] = *next;
			i++;
			continue;
		}
		if (next && next->from == lead.from) {
			if (next->to != lead.to || next->any != lead.any) {
				*bad = j;
				kvfree(merged);
				return ERR_PTR(-EEXIST);
			}
			lead = fn(request, j, next);
			i++;
		}
		merged->entry[n++] = lead;
		j++;
	}
	merged->nr = n;
	return merged;
}

const struct instr_lead *instr_leads_find(const struct instr_leads *leads, s64 from)
{
	u32 low = 0, high = leads ? leads->nr : 0;

	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if (leads->entry[mid].from == from)
			return &leads->entry[mid];
		if (leads->entry[mid].from < from)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Landing pads. A list has a head:
 *
 *	an encoding, then an address:	what landing pads count from, else the frame's start
 *	an encoding, then a number:	where types are
 *	an encoding, then a number:	of the numbers that follow, and bytes of them
 *
 * and for each range of calls its start, length and landing pad (0: none), and what
 * types it catches. Addresses and types may be left out.
 */

#include "landing.h"

#include <dwarf.h>

#include "file.h"
#include "frame.h"

static bool read_byte(struct landing *landing, uint8_t *ret)
{
	if (landing->at >= landing->end)
		return false;
	*ret = *landing->at++;
	return true;
}

static bool read_number(struct landing *landing, uint8_t encoding, uint64_t *ret)
{
	size_t len;

	if (encoding == DW_EH_PE_uleb128)
		return frame_read_uleb(&landing->at, landing->end, ret);
	len = frame_read_pointer(landing->at, landing->end, 0, encoding, ret);
	landing->at += len;
	return len;
}

/* @vaddr: where the list begins. */
static bool read_base(struct landing *landing, uint64_t vaddr)
{
	uint8_t encoding;
	size_t len;

	if (!read_byte(landing, &encoding))
		return false;
	if (encoding == DW_EH_PE_omit)
		return true;
	len = frame_read_pointer(landing->at, landing->end, vaddr + 1, encoding, &landing->base);
	landing->at += len;
	return len;
}

static bool skip_types(struct landing *landing)
{
	uint8_t encoding;
	uint64_t offset;

	return read_byte(landing, &encoding) &&
	       (encoding == DW_EH_PE_omit ||
		frame_read_uleb(&landing->at, landing->end, &offset));
}

bool landing_init(struct landing *landing, const struct instr_file *file, uint64_t vaddr,
		  uint64_t start)
{
	uint64_t room = file_room_at(file, vaddr), len;

	*landing = (struct landing){ .at = file_bytes_at(file, vaddr, room), .base = start };
	landing->end = landing->at + room;
	if (!landing->at || !read_base(landing, vaddr) || !skip_types(landing) ||
	    !read_byte(landing, &landing->encoding) ||
	    !frame_read_uleb(&landing->at, landing->end, &len) ||
	    len > (uint64_t)(landing->end - landing->at))
		return false;
	landing->end = landing->at + len;
	return true;
}

bool landing_next(struct landing *landing, uint64_t *ret)
{
	uint64_t start, len, pad, action;

	while (landing->at < landing->end) {
		if (!read_number(landing, landing->encoding, &start) ||
		    !read_number(landing, landing->encoding, &len) ||
		    !read_number(landing, landing->encoding, &pad) ||
		    !frame_read_uleb(&landing->at, landing->end, &action)) {
			landing->is_broken = true;
			return false;
		}
		*ret = landing->base + pad;
		if (pad)
			return true;
	}
	return false;
}

# SPDX-License-Identifier: GPL-2.0
# The objects of libinstr that plans are made by: the rest of it needs the module.
LIBRARY	:= err file symbol pclntab relative frame cfi plt pointer func match ldcache needed \
	   machine insn jump landing exits boundary ifunc reloc far flags rseq \
	   go selfread reason runtime returns site gate block timing hash cell slab cache stack \
	   unwinding lookup iterate rewind timed times plan table rules symbols symfile

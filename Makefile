# SPDX-License-Identifier: GPL-2.0
# What people type. Everything is built in build/: a module for each kernel whose
# headers are installed, and the tool.
#
#   make            module(s) and tool        make demo     try it
#   make check      all tests                 make unit     those that need no kernel
#   make coverage   what becomes of the functions of some files
#   make bench      what it costs, beside others (selftests/bench/README.md)
#   make load       insmod, on this machine   make install  module and tool
#   make deps       install what is needed    make clean

BUILD := $(CURDIR)/build
PREFIX ?= /usr/local
DESTDIR ?=

# The newest installed headers of each supported series, and the running kernel's.
newest = $(shell ls -d /usr/src/linux-headers-$(1).*-amd64 2>/dev/null | \
		grep -v -e cloud -e rt-amd64 | sort -V | tail -n 1 | \
		sed 's,.*/linux-headers-,,')
running := $(shell uname -r)
KERNELS ?= $(sort $(call newest,6.1) $(call newest,6.12) \
	$(if $(wildcard /lib/modules/$(running)/build/Makefile),$(running)))
headers = $(firstword $(wildcard /lib/modules/$(1)/build /usr/src/linux-headers-$(1)))
MODULES := $(KERNELS:%=$(BUILD)/kmod/%/instr.ko)
KMOD_SRC := Kbuild $(shell find kmod uapi -type f)

all: modules tools

modules: $(MODULES)
	$(if $(MODULES),,$(error no kernel headers are installed: make deps))

# An external module is built where its sources are: a tree of links for each
# kernel keeps the kernels apart, and this tree clean.
$(BUILD)/kmod/%/instr.ko: $(KMOD_SRC)
	@rm -rf $(BUILD)/obj/kmod/$*
	@mkdir -p $(BUILD)/obj/kmod/$* $(@D)
	@cp -rs $(CURDIR)/Kbuild $(CURDIR)/kmod $(CURDIR)/uapi $(BUILD)/obj/kmod/$*/
	$(MAKE) -C $(call headers,$*) M=$(BUILD)/obj/kmod/$* W=1 modules
	@cp $(BUILD)/obj/kmod/$*/kmod/instr.ko $@

tools:
	$(MAKE) -C tools

selftests: tools
	$(MAKE) -C selftests

deps:
	selftests/deps

demo: deps
	$(MAKE) all
	selftests/demo

unit: tools
	$(MAKE) -C selftests/unit check
	selftests/cli/run

coverage:
	@$(MAKE) -s -C selftests/unit coverage

check: all selftests
	selftests/run

bench: all
	selftests/bench/deps
	$(MAKE) -C selftests/bench bench

load: modules
	modprobe -r instr 2>/dev/null || true
	insmod $(BUILD)/kmod/$(running)/instr.ko

install: all
	$(MAKE) -C tools install PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include/linux uapi/linux/instr.h \
		uapi/linux/instr_event.h
	for kernel in $(KERNELS); do \
		install -D -m 644 $(BUILD)/kmod/$$kernel/instr.ko \
			$(DESTDIR)/lib/modules/$$kernel/updates/instr.ko || exit 1; \
		[ -n "$(DESTDIR)" ] || depmod $$kernel || true; \
	done

clean:
	rm -rf $(BUILD)

.PHONY: all coverage modules tools selftests deps demo unit check bench load install clean

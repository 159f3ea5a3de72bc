# SPDX-License-Identifier: GPL-2.0
"""The programs that unwind their stacks in all the ways there are, and how each is run.

    for program in unwinds.PROGRAMS:        host/unwind, kselftest/unwind
        if not program.missing(): ...

Each is run as it is and wholly instrumented: it ends and says the same. Environment:

    INSTR_SCALE=N   what they do a million times they do a million / N times
    INSTR_EXIT=HOW  how exits are seen: "return", "slot", "auto"; unset: nothing is said
"""

import os
import re
import resource
import signal

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
TARGETS = os.path.join(TOP, "build", "selftests", "targets")

C = ("libc.so.6",)
CXX = ("libc.so.6", "libstdc++.so.6", "libgcc_s.so.1")
RUST = ("libc.so.6", "libgcc_s.so.1")
LLVM = "/usr/lib/x86_64-linux-gnu/libunwind.so.1"
NONGNU = "/usr/lib/x86_64-linux-gnu/libunwind.so.8"


class Program:
    """name: also that of the file, up to a colon; files: instrumented beside it;
    status: how it ends; ends: exits that some of its functions have; own: those that its
    own have, and no others, beside returns; left: how many of their calls, at most, have
    not ended when it does; lines: a pattern of those that are compared, of its output;
    alone: nothing can be preloaded;
    whole: in an emulated machine, too, all files are instrumented;
    hidden: files of which the tool instruments what unwinds, unasked;
    slots: return slots don't break it."""

    def __init__(self, name, files, *args, status=0, ends=(), own=(), left=None, env=None,
                 needs=(), lines=b"", alone=False, whole=False, hidden=(), slots=True):
        self.name = " ".join((name, *args))
        self.path = os.path.join(TARGETS, name.partition(":")[0])
        self.argv = [self.path, *args]
        self.files = files
        self.status = status
        self.ends = ends
        self.own = own
        self.left = left
        self.env = env or {}
        self.needs = (self.path, *needs)
        self.lines = re.compile(lines)
        self.alone = alone
        self.whole = whole
        self.hidden = hidden
        self.slots = slots

    def own_kinds(self):
        """All ends that its own functions may seem to have."""
        return {"return", "inside", *self.own}

    def missing(self):
        """What it needs that is not here, or None."""
        return next((path for path in self.needs if not os.path.exists(path)), None)

    def verdict(self, result):
        """Of (status, output): what must not change."""
        status, output = result
        return status, [line for line in output.splitlines() if self.lines.search(line)]


def static(name, *args, **kwargs):
    return Program(name, (), *args, alone=True, **kwargs)


def llvm(name, *args, files=CXX, **kwargs):
    """With LLVM's unwinder before libgcc's."""
    hidden = () if os.path.basename(LLVM) in files else (os.path.basename(LLVM),)
    return Program(name, files, *args, env={"LD_PRELOAD": LLVM}, needs=(LLVM,),
                   ends=("exception",), hidden=hidden, **kwargs)


def nongnu(name, *args, files=CXX, **kwargs):
    """With the other libunwind before libgcc's."""
    return Program(name, files, *args, env={"LD_PRELOAD": NONGNU}, needs=(NONGNU,),
                   ends=("exception",), hidden=(os.path.basename(NONGNU),), slots=False,
                   **kwargs)


ABORTS = -signal.SIGABRT

PROGRAMS = [
    Program("exceptions", CXX, "faults", ends=("exception",), whole=True),
    Program("exceptions-own-libgcc", C, "faults", ends=("exception",)),
    static("exceptions-static", "faults", ends=("exception",)),
    static("exceptions-static-pie", "faults", ends=("exception",)),
    llvm("exceptions:llvm"),
    llvm("exceptions:llvm-measured", files=(*CXX, os.path.basename(LLVM))),
    llvm("threads:llvm"),
    nongnu("exceptions:nongnu"),
    nongnu("threads:nongnu"),
    Program("steps", (*C, os.path.basename(NONGNU)), slots=False),
    Program("throw", CXX, "fault", ends=("exception",)),
    Program("terminate", CXX, "uncaught", status=ABORTS),
    Program("terminate", CXX, "noexcept", status=ABORTS),
    Program("terminate", CXX, "two", status=ABORTS),
    Program("terminate", CXX, "bare", status=ABORTS),
    Program("terminate", CXX, "nothing", status=ABORTS),
    Program("terminate", CXX, "handler", status=3),
    Program("terminate", CXX, "exits", status=4),
    Program("threads", CXX, ends=("exception",)),
    Program("million", CXX, ends=("exception",)),
    Program("cancel", CXX, ends=("thread",), own=("thread",)),
    Program("cleanup", (*C, "libgcc_s.so.1")),
    Program("cleanup-unwound", (*C, "libgcc_s.so.1"), ends=("thread",)),
    Program("forced", CXX, ends=("exception",)),
    Program("backtrace", (*C, "libgcc_s.so.1")),
    static("backtrace-later"),
    Program("jumps", C, ends=("longjmp",)),
    Program("coroutines", C),
    Program("carriers", C, ends=("thread",), own=("thread",)),
    Program("tailcalls", C),
    Program("registers", C),
    Program("processes", C),
    Program("heirs", CXX),
    Program("storm", CXX, ends=("exception",)),
    Program("alarms", CXX, ends=("exception",), own=("exception", "thread"), left=1),
    llvm("alarms:llvm", own=("exception", "thread"), left=1),
    Program("panics", RUST, status=101, env={"RUST_BACKTRACE": "1"},
            lines=rb"^\d|panicked|panics::"),
    static("jumps-musl", ends=("longjmp",)),
    static("jumps-musl-static", ends=("longjmp",)),
    static("tailcalls-musl"),
]


def chosen(names):
    """Those whose files have these names, or all; but for those that slots break."""
    programs = PROGRAMS
    if os.environ.get("INSTR_EXIT") == "slot":
        programs = [program for program in programs if program.slots]
    return [program for program in programs
            if not names or os.path.basename(program.path) in names or program.name in names]


def prepare():
    """For programs that abort."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

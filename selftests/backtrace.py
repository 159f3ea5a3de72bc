# SPDX-License-Identifier: GPL-2.0
"""For gdb, attached to targets/frames.c, with the file of "instrctl symbols" in FRAMES_SYMBOLS:
steps through rounds of it, and at each instruction looks at all frames. Prints TAP, but for
the plan: counting begins at FRAMES_TAP.

    gdb -q -batch -p PID -x backtrace.py
"""

import os
import gdb

# frames_middle may call frames_inner by a jump.
CHAINS = [["main", "frames_outer", "frames_middle", "frames_inner", "frames_leaf"],
          ["main", "frames_outer", "frames_inner", "frames_leaf"],
          ["main", "frames_outer", "frames_middle", "frames_leaf"]]
STEPS = int(os.environ.get("FRAMES_STEPS", "4000"))
COMPLAINTS = 5

number = int(os.environ.get("FRAMES_TAP", "1"))


def test(good, name):
    global number
    print(f"{'ok' if good else 'not ok'} {number} - {name}", flush=True)
    number += 1


def slabs(pid):
    with open(f"/proc/{pid}/maps") as maps:
        ranges = [line.split()[0].split("-") for line in maps
                  if "instr-slab" in line and line.split()[1] == "r-xp"]
    return [(int(start, 16), int(end, 16)) for start, end in ranges]


def frames():
    frame = gdb.newest_frame()
    while frame:
        yield frame
        frame = frame.older()


class Steps:
    def __init__(self, pid):
        self.slabs = slabs(pid)
        self.in_slab = self.nr = self.bad = 0
        self.seen = set()
        self.unnamed = set()
        self.main_stack = None
        self.depth = self.deepest = 0
        self.rounds = 0

    def is_slab(self, pc):
        return any(start <= pc < end for start, end in self.slabs)

    def complain(self, what):
        self.bad += 1
        if self.bad <= COMPLAINTS:
            print(f"# step {self.nr}: {what}")
            for line in gdb.execute("bt", to_string=True).splitlines()[:8]:
                print("#", line)
            print("#", gdb.execute("x/i $pc", to_string=True).strip())

    def names(self, found):
        """Of the program's own frames, the outermost first, from main() on."""
        names = [frame.name() for frame in reversed(found) if not self.is_slab(frame.pc())]
        return names[names.index("main"):] if "main" in names else []

    def look(self):
        self.nr += 1
        found = list(frames())
        pc = found[0].pc()
        names = self.names(found)
        if self.is_slab(pc):
            self.in_slab += 1
            symbol = gdb.execute("info symbol $pc", to_string=True)
            self.seen.add(symbol.split("[")[0])
            if "[instr]" not in symbol:
                self.unnamed.add(symbol.strip())
        depth, self.depth = self.depth, len(names)
        self.deepest = max(self.deepest, len(names))
        if not names or not any(names == chain[:len(names)] for chain in CHAINS):
            return self.complain(f"frames are {names}")
        # gdb takes the frame of a "ret" for one that is gone, and does not look further.
        if gdb.selected_inferior().read_memory(pc, 1)[0] == b"\xc3":
            self.depth = 0
        elif depth and abs(depth - len(names)) > 1:
            return self.complain(f"there were {depth} frames, and are {len(names)}")
        main = next(frame for frame in found if frame.name() == "main")
        stack = int(main.read_register("rsp"))
        self.main_stack = self.main_stack or stack
        if stack != self.main_stack:
            self.complain(f"main's stack is at {stack:#x}, not {self.main_stack:#x}")


def main():
    pid = gdb.selected_inferior().pid
    gdb.execute("set confirm off")
    gdb.execute("set pagination off")
    gdb.execute(f"add-symbol-file {os.environ['FRAMES_SYMBOLS']}", to_string=True)
    steps = Steps(pid)
    at = gdb.Breakpoint("frames_outer")
    places = gdb.decode_line("frames_outer")[1]
    test(len(places) == 1, "a function's name is that of its text only")
    gdb.execute("continue", to_string=True)
    at.enabled = False
    while steps.nr < STEPS:
        steps.look()
        gdb.execute("stepi", to_string=True)
        if gdb.newest_frame().name() == "main":
            steps.rounds += 1
            at.enabled = True
            gdb.execute("continue", to_string=True)
            at.enabled = False
            steps.depth = 0
    test(steps.bad == 0 and steps.deepest == len(CHAINS[0]), f"all frames at {steps.nr} instructions, {steps.rounds} rounds")
    test(steps.in_slab > STEPS // 2, f"... {steps.in_slab} of them in slabs")
    test(not steps.unnamed, f"... each with a name: {len(steps.seen)} in all")
    for name in sorted(steps.unnamed)[:COMPLAINTS]:
        print("#", name)
    at.delete()
    inside = gdb.Breakpoint("*&'frames_leaf[instr]'")
    gdb.execute("continue", to_string=True)
    steps.look()
    test(steps.is_slab(gdb.newest_frame().pc()), "a breakpoint in a slab, by its name")
    inside.delete()
    gdb.execute("detach")


try:
    main()
except Exception as error:
    test(False, f"gdb: {error}")
    gdb.execute("kill")

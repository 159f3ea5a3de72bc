# SPDX-License-Identifier: GPL-2.0
"""Programs that are measured, and their children: what tests in Python share.

    report, out, why = stat(options, command)
    ok(good, name, notes...)                    TAP
    skip(name, why)
    sys.exit(done())
"""

import fcntl
import json
import os
import struct
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGETS = os.path.join(ROOT, "build/selftests/targets")
FOLLOW = ["--children=follow"]
FOLLOW_EXEC = FOLLOW + ["--follow-exec"]
EXACT = ["--vfork=exact"]

_work = tempfile.TemporaryDirectory()
WORK = _work.name

_tests = _failures = 0


def ok(good, name, *why):
    global _tests, _failures
    _tests += 1
    _failures += not good
    print(f"{'ok' if good else 'not ok'} {_tests} {name}", flush=True)
    if not good:
        for line in why:
            print("#", str(line)[:2000])


def skip(name, why):
    ok(True, f"{name} # SKIP {why}")


def done():
    print(f"1..{_tests}")
    return 1 if _failures else 0


# ---- the tool --------------------------------------------------------------------

def stat(options, command, meanwhile=None, **more):
    """The report, or None, what the command wrote, and all that went wrong."""
    with tempfile.NamedTemporaryFile("r", dir=WORK) as out:
        with subprocess.Popen(["instrctl", "stat", "-j", "-o", out.name, *options, "--", *command],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, **more) as run:
            if meanwhile:
                meanwhile()
            said, complaints = run.communicate(timeout=300)
        text = out.read()
    report = json.loads(text) if text else None
    return report, said, (run.returncode, complaints)


def show(*what):
    return json.loads(subprocess.run(["instrctl", "show", "-j", *what], check=True, text=True,
                                     capture_output=True).stdout)


def calls_by_function(rows):
    calls = {}
    for row in rows:
        calls[row["function"]] = calls.get(row["function"], 0) + row["calls"]
    return calls


# ---- events ----------------------------------------------------------------------

class Monitor:
    def __init__(self):
        self.out = open(os.path.join(WORK, "events"), "w+", encoding="utf-8")
        self.run = subprocess.Popen(["instrctl", "monitor", "-j"], stdout=self.out,
                                    stderr=subprocess.PIPE, text=True)
        self.run.stderr.readline()

    def end(self):
        time.sleep(0.5)
        self.run.terminate()
        self.run.wait()
        self.out.seek(0)
        return [json.loads(line) for line in self.out]


def lineage_is_whole(events):
    """Each child is told of before anything of its own is, and its end is, once."""
    lives = {}
    for event in events:
        session, what = event.get("session"), event["event"]
        if what == "lost":
            return "lost"
        if what == "fork":
            key = (session, event["child"])
            if lives.get(key) == "lives":
                return event
            lives[key] = "lives"
        elif (session, event["pid"]) in lives and what in ("exec", "exit", "attach"):
            key = (session, event["pid"])
            if lives[key] != "lives":
                return event
            if what == "exit":
                lives[key] = "ended"
    return [key for key, state in lives.items() if state == "lives"]


# ---- what is left ----------------------------------------------------------------

INFO = struct.Struct("8I2Q2I")                          # struct instr_info
INSTR_INFO = 3 << 30 | INFO.size << 16 | 0xf7 << 8


def live_objects():
    """Of all but whoever asks: sessions, overlays, spaces, views, pages, pinned."""
    fd = os.open("/dev/instr", os.O_RDWR)
    try:
        info = INFO.unpack(fcntl.ioctl(fd, INSTR_INFO, INFO.pack(INFO.size, *[0] * 11)))
    finally:
        os.close(fd)
    return [info[4] - 1, *info[5:10]]


def nothing_is_left():
    """Of sessions that are over, as soon as workers have had their turn."""
    for _ in range(100):
        if not any(live_objects()):
            break
        time.sleep(0.1)
    live = live_objects()
    ok(not any(live), "nothing is left", live)

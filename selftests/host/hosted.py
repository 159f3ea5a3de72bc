# SPDX-License-Identifier: GPL-2.0
"""Runs programs as they are, and wholly instrumented, and compares.

    tap = Tap(path of build/)
    verdict = run(argv)                             (status, output)
    again, log = run_hosted(argv, ["cc1", "libc.so.6"])
    tap.test(verdict == again, "cc1 compiles", ...)
    sys.exit(tap.done())
"""

import collections
import os
import re
import signal
import subprocess
import sys
import tempfile

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
OUT = os.path.join(TOP, "build", "host")
HOSTED = re.compile(r"(\d+) (.*): (\d+) functions, (\d+) calls, (\d+) traps(?:, own: (.*))?\n")


class Log:
    """What the instrumented processes said: {pid: (functions, calls, traps)}. ends: how often
    functions of the programs themselves ended in which way, if they were timed."""

    def __init__(self, path):
        self.process = {}
        self.trouble = []
        self.ends = collections.Counter()
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                match = HOSTED.fullmatch(line)
                if match:
                    self.process[int(match[1])] = tuple(int(match[i]) for i in (3, 4, 5))
                    for end in filter(None, (match[6] or "").split(", ")):
                        number, kind = end.split()
                        self.ends[kind] += int(number)
                else:
                    self.trouble.append(line.rstrip())

    def total(self, what):
        return sum(process[what] for process in self.process.values())

    calls = property(lambda self: self.total(1))
    traps = property(lambda self: self.total(2))

    def said_by(self, functions):
        """Was some process wholly at work, with no trouble in any?"""
        return not self.trouble and any(process[0] >= functions and process[1] > 0
                                        for process in self.process.values())


def run(argv, cwd=None, env=None, timeout=300):
    """Returns (status, output); status is None if it had to be killed."""
    with subprocess.Popen(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          start_new_session=True) as process:
        try:
            output = process.communicate(timeout=timeout)[0]
            return process.returncode, output
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None, process.communicate()[0]


def run_hosted(argv, files, cwd=None, env=None, timeout=900):
    """As run(), with all functions of files instrumented in all programs; and the log."""
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log")
        with open(log, "w", encoding="utf-8"):
            pass
        # Programs that change who they are may still write to it.
        os.chmod(folder, 0o777)
        os.chmod(log, 0o666)
        env = dict(os.environ if env is None else env)
        preload = [os.path.join(OUT, "preload.so"), env.get("LD_PRELOAD")]
        env.update(INSTR_HOST=":".join(files), INSTR_HOST_LOG=log,
                   LD_PRELOAD=":".join(filter(None, preload)))
        return run(argv, cwd, env, timeout), Log(log)


def source(package):
    """The path of its upstream tar file."""
    script = os.path.join(os.path.dirname(__file__), "source")
    return subprocess.check_output([script, package], text=True).strip()


class Tap:
    """Numbers the tests, and remembers failures."""

    def __init__(self):
        self.number = 0
        self.failed = 0

    def test(self, good, name, *notes):
        self.number += 1
        print(f"{'ok' if good else 'not ok'} {self.number} {name}")
        if not good:
            self.failed += 1
            for note in notes:
                print(f"# {note}")
        sys.stdout.flush()

    def skip(self, name, why):
        self.number += 1
        print(f"ok {self.number} {name} # SKIP {why}", flush=True)

    def done(self):
        print(f"1..{self.number}")
        return 1 if self.failed else 0

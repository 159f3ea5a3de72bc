#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Profiles, as Go's pprof reads them.

    pprof.py FILE EXPRESSION        is it true of the Profile p?
"""

import glob
import os
import re
import subprocess
import sys


def run(*args):
    tool = sorted(glob.glob("/usr/lib/go-*/pkg/tool/*/pprof"))[-1]
    env = {**os.environ, "HOME": "/nonexistent", "PPROF_TMPDIR": "/tmp"}
    return subprocess.run([tool, "-symbolize=none", *args], env=env, capture_output=True,
                          text=True, errors="surrogateescape", check=True).stdout


class Profile:
    def __init__(self, path):
        text = run("-raw", path)
        head, samples, locations, mappings = re.split(
            r"^(?:Samples:|Locations|Mappings)\n", text, flags=re.M)
        self.head = head
        types, *lines = samples.splitlines()
        self.types = types.replace("[dflt]", "").split()
        self.default = re.search(r"(\S+)/\S+\[dflt\]", types)[1]
        self.functions = {}     # id: (mapping, address, name)
        for line in locations.splitlines():
            match = re.fullmatch(r" *(\d+): 0x([0-9a-f]+) M=(\d+) (.*):0 s=0(\(.*\))?", line)
            if match:
                self.functions[int(match[1])] = int(match[3]), int(match[2], 16), \
                    match[4].rstrip()
        self.mappings = [line.split() for line in mappings.splitlines()]
        self.samples = []       # (values, function, labels)
        for line in lines:
            match = re.fullmatch(r" *([\d ]+): (\d+) ?", line)
            if match:
                values = [int(value) for value in match[1].split()]
                self.samples.append((values, self.functions[int(match[2])][2], {}))
            else:
                for key, value in re.findall(r"(\w+):\[([^\]]*)\]", line):
                    self.samples[-1][2][key] = value

    def sum(self, kind, function=None, **labels):
        at = [name.split("/")[0] for name in self.types].index(kind)
        return sum(values[at] for values, name, its in self.samples
                   if function in (None, name) and labels.items() <= its.items())

    def labels(self, label):
        return {its.get(label) for _, _, its in self.samples}


if __name__ == "__main__":
    p = Profile(sys.argv[1])
    if not eval(sys.argv[2]):
        print(run("-raw", sys.argv[1]), file=sys.stderr)
        sys.exit(1)

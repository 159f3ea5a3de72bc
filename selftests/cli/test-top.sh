# SPDX-License-Identifier: GPL-2.0
# top: what it says before it would need the module.

ctl top -b
says "no pattern" 2 'which functions'
ctl top -b -f main
says "no program" 2 'in which program'
ctl top -f main -- true
says "no terminal" 2 'this is no terminal: -b prints plain text'
for seconds in x 0 -1 nan ''; do
	ctl top -b -d "$seconds" -f main -- true
	says "-d '$seconds'" 2 '^instrctl: top: -d'
done
for count in x 0 -1 ''; do
	ctl top -b -n "$count" -f main -- true
	says "-n '$count'" 2 '^instrctl: top: -n'
done
for key in x '' calls,rate; do
	ctl top -b -s "$key" -f main -- true
	says "-s '$key'" 2 'calls, rate, total, self, p99, pid or name'
done
for key in total self p99; do
	ctl top -b -s $key -f main -- true
	says "-s $key of what is not timed" 2 "^instrctl: top: -s $key: only with --time"
done
for key in total p99; do
	ctl top -b -T --by process -s $key -f main -- true
	says "-s $key of processes" 2 "^instrctl: top: -s $key: only by function"
done
ctl top -b -s pid -f main -- true
says "-s pid of functions" 2 '^instrctl: top: -s pid: only with --by process'
for what in '' pid functions; do
	ctl top -b --by "$what" -f main -- true
	says "--by '$what'" 2 'function or process'
done
ctl top -b -T --by process -s self -f main -- no-such-command
says "a command that is not found" 127 'no-such-command: command not found'
ctl top -b -s name -f mian -- bash -c 'echo ran'
says "no such function" 125 "no function matches 'mian'"
[ -z "$out" ]
report $? "... and nothing was run"

# On a terminal: of a kind that nobody knows.
try env TERM=no-such-terminal script -qec "$INSTRCTL top -f xmalloc -- /bin/bash -c 'echo ran'" /dev/null
prints "a terminal that is not known" 125 'top: terminal: TERM=no-such-terminal is not known'

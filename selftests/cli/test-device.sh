# SPDX-License-Identifier: GPL-2.0
# Without the module, or without the right to use it.

ctl remove
says "remove: nothing to remove" 2 'which session'
ctl remove --all 3
says "remove: all and one" 2 'choose one'
ctl remove x
says "remove: not a number" 2 'ID x: not a number'
ctl remove 0
says "remove: out of range" 2 'ID 0: not from 1'
ctl remove -j 3
says "remove: -j is no option of it" 2 '-j: no such option'
ctl show nothing
says "show: what is that" 2 'nothing: not one of'
ctl monitor -n 0
says "monitor: a count of nothing" 2 '-n 0: not from 1'
ctl check more
says "check: takes nothing" 2 'takes no such thing'

if [ -e /dev/instr ]; then
	skip "no module" "it is loaded"
else
	load='^          load the module \(insmod instr.ko, or: make load\)$'
	sleep 100 &
	target=$!
	bash=$(readlink -f /bin/bash)

	ctl check
	prints "check: what to do" 1 'load the module'
	ctl check -j
	is_json "check as JSON" 1 'j["ok"] is False and j["checks"][0]["result"] == "not ok"'
	for verb in "" show "show sessions" "show -j" monitor "remove 1" "remove --all"; do
		ctl $verb
		says "'$verb': what to do" 1 "$load"
	done
	cp "$bash" "$tmp/prog" && "$tmp/prog" -c 'read -t 100 < <(sleep 100)' &
	prog=$!
	sleep 0.3
	ctl stat -f xmalloc -p $prog
	says "stat -p: what to do" 1 "$load"
	ctl stat -f xmalloc -- "$bash" -c 'echo ran'
	says "stat: what to do" 125 "$load"
	[ -z "$out" ]
	report $? "... and nothing was run"
	ctl stat -q -j -f xmalloc -- "$bash" -c 'echo ran'
	says "stat -q -j: what to do" 125 "$load"
	kill $target $prog
	wait $target $prog 2>/dev/null
fi

if [ "$(id -u)" = 0 ]; then
	try setpriv --reuid=65534 --clear-groups "$INSTRCTL" stat -f main -p $$
	says "another's process: must be root" 1 "process $$: must be root"
else
	skip "another's process" "not root"
fi
if [ "$(id -u)" = 0 ] && [ -e /dev/instr ]; then
	try setpriv --reuid=65534 --clear-groups "$INSTRCTL" remove 1
	says "the device: must be root" 1 '/dev/instr: must be root'
else
	skip "the device: must be root" "not there, or not root"
fi

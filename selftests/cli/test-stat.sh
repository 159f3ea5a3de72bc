# SPDX-License-Identifier: GPL-2.0
# stat: what it says before it would need the module.

ctl stat
says "no pattern" 2 'which functions'
ctl stat -f main
says "no program" 2 'in which program'
ctl stat -f main -p 1 -- true
says "two programs" 2 'choose one'
for pid in x -1 0 1x 99999999999 ''; do
	ctl stat -f main -p "$pid"
	says "-p '$pid'" 2 '^instrctl: stat: -p'
done
for seconds in x 0 -1 1s nan ''; do
	ctl stat -f main -t "$seconds" -- true
	says "-t '$seconds'" 2 '^instrctl: stat: -t'
done

for which in '' some follows; do
	ctl stat -f main --children="$which" -- true
	says "--children='$which'" 2 'pristine or follow'
	ctl stat -f main --vfork="$which" -- true
	says "--vfork='$which'" 2 'shared or exact'
done
ctl stat -f main --follow-exec -- true
says "--follow-exec alone" 2 'only with --children=follow'
ctl stat -f main --children=follow --children=pristine --follow-exec -- true
says "... the last word counts" 2 'only with --children=follow'

ctl stat -a -f main
says "-a: of which file" 1 "-f main: of which file"
for option in --comm=x --uid=0 --cgroup=x; do
	ctl stat -f main "$option" -- true
	says "$option without -a" 2 'only with -a'
	ctl stat -a -p $$ -f main "$option"
	says "$option with -p" 2 'without -p'
done
for user in no-such-user -1 4294967295 1x ''; do
	ctl stat -a -f libc.so.6:malloc --uid "$user"
	says "--uid '$user'" 2 'no such user'
done
for name in '' 12345678901234567890123456789012; do
	ctl stat -a -f libc.so.6:malloc --comm "$name"
	says "--comm '$name'" 2 'not 1 to 31 characters'
done
ctl stat -a -f libc.so.6:malloc --follow-exec
says "-a --follow-exec" 2 '-a does it'
ctl stat -a -T -f libc.so.6:malloc --exit=slot
says "-a --exit=slot" 2 'not with -a'
ctl stat -a -f no-such-library.so:malloc
says "-a: a file that is not found" 1 'no-such-library.so'

ctl stat -f main -- no-such-command
says "a command that is not found" 127 'no-such-command: command not found'
ctl stat -f main -- "$tmp/none"
says "a path that is not found" 127 'none: No such file'
: >"$tmp/plain"
ctl stat -f main -- "$tmp/plain"
says "a file that can't be run" 126 'plain: Permission denied'
ctl stat -f main -- "$tmp"
says "a folder can't be run" 126 'Permission denied'
printf '#!%s\n' "$tmp/none" >"$tmp/script" && chmod +x "$tmp/script"
ctl stat -f main -- "$tmp/script"
says "a script with no interpreter" 127 'none: No such file'
printf '#!%s\n' "$tmp/loop" >"$tmp/loop" && chmod +x "$tmp/loop"
ctl stat -f main -- "$tmp/loop"
says "a script that interprets itself" 125 'too many interpreters'
ctl stat -f mian -- bash -c 'echo ran'
says "no such function" 125 "no function matches 'mian'"
[ -z "$out" ]
report $? "... and nothing was run"
ctl stat -f no-such.so:main -- bash
says "no such library" 125 'no-such.so: no such library'
ctl stat -f /etc/passwd:main -- bash
says "a FILE that is none" 125 '/etc/passwd: '
printf '#!/usr/bin/env bash\n' >"$tmp/env" && chmod +x "$tmp/env"
ctl stat -f no_such -- "$tmp/env"
says "a script of env" 125 'is a script of /usr/bin/env'

ctl stat -f main --interval 1 -- true
says "--interval alone" 2 'only with --prometheus'
for seconds in x 0 -1 nan ''; do
	ctl stat -f main --prometheus "$tmp/metrics" --interval "$seconds" -- true
	says "--interval '$seconds'" 2 '^instrctl: stat: --interval'
done
for file in "$tmp" /dev/null "$tmp/none/metrics"; do
	ctl stat -f xmalloc --prometheus "$file" -- /bin/bash -c 'echo ran'
	says "--prometheus $file" 125 "$file: (is there, and no regular|No such file)"
	[ -z "$out" ] && [ -c /dev/null ]
	report $? "... and nothing was run"
done
ctl stat -f xmalloc --pprof "$tmp" -- /bin/bash -c 'echo ran'
says "--pprof: a folder" 125 "$tmp: is there, and no regular file"
echo old >"$tmp/metrics"
if [ ! -e /dev/instr ]; then
	ctl stat -f xmalloc --prometheus "$tmp/metrics" -- /bin/bash -c 'echo ran'
	[ "$status" = 125 ] && [ "$(cat "$tmp"/metrics*)" = old ]
	report $? "--prometheus: what was there stays if nothing was counted"
fi

ctl stat --time
says "--time: no pattern" 2 'which functions'
for place in xmalloc+1 malloc@plt malloc@got stderr@ptr 0x40@ptr '*@plt'; do
	ctl stat -T -f xmalloc -f "$place" -- /bin/bash -c 'echo ran'
	[ "$status" = 125 ] && [ -z "$out" ] &&
		grep -qE 'only whole functions have exits|is within an instruction' <<<"$err"
	report $? "--time: $place is no function"
done
ctl stat -T -f malloc@got -- /bin/bash
says "... and what can be done" 125 'can be counted, without --time'
ctl stat -T -f mian -- bash -c true
says "--time: no such function" 125 "no function matches 'mian'"
ctl stat --time -f libc.so.6:__restore_rt -- /bin/bash
says "--time: none can be timed" 125 'see: instrctl list --time '
# Not unwinders, but of their names, and at their place.
mkdir "$tmp/lib"
for library in libunwind.so.1 libunwind.so.8; do
	cp /lib/x86_64-linux-gnu/libdl.so.2 "$tmp/lib/$library"
	LD_PRELOAD=$tmp/lib/$library ctl stat -T --exit=slot -f xmalloc -- /bin/bash -c true
	says "--exit=slot: an unwinder that can't be told" 125 "no return slots: $library"
	says "... and what can be done" 125 'without --exit=slot'
done
llvm=/usr/lib/x86_64-linux-gnu/libunwind.so.1
for library in $llvm ${llvm##*/}; do
	if [ -e /dev/instr ] || [ ! -e $llvm ]; then
		skip "--exit=slot: LLVM's unwinder as $library" "needs that, and no module"
		continue
	fi
	LD_PRELOAD=$library ctl stat -T --exit=slot -f xmalloc -- /bin/bash -c true
	says "--exit=slot: LLVM's unwinder as $library" 125 'load the module'
done
if [ ! -e /dev/instr ]; then
	ctl stat --time -f xmalloc -f libstdc++.so.6:__cxa_throw -- /bin/bash -c 'echo ran'
	says "--time: all but the module is there" 125 'load the module'
fi

sleep 100 &
target=$!
ctl stat -f no_such_function -p $target
says "no such function in a process" 1 'no function matches'
ctl stat -f no-such.so:main -p $target
says "no such library in a process" 1 'no such library'
kill $target
wait $target 2>/dev/null
ctl stat -f main -p $target
says "a process that has ended" 1 "process $target: no such process"
ctl stat -f main -p 2
if grep -q '^Kthread:.*1\|^Name:.kthreadd' /proc/2/status 2>/dev/null; then
	says "a kernel thread" 1 'is a kernel thread'
else
	skip "a kernel thread" "process 2 is none here"
fi

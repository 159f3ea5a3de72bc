# SPDX-License-Identifier: GPL-2.0
# list and plan: files of all kinds, and what is not one.

ctl list /bin/bash
prints "a table" 0 '^address	size	how	reason	name$'
prints "its last line is a summary" 0 '^[0-9]+ functions: [0-9]+ jump, [0-9]+ trap, [0-9]+ refused$'
ctl list bash
prints "a command by its name" 0 '	main$'
ctl list libc.so.6 -f malloc
prints "a library by its name, options behind" 0 '^0x[0-9a-f]+	[0-9]+	.*	malloc$'
ctl list -j /bin/bash
is_json "list as JSON" 0 'j["jump"] + j["trap"] + j["refused"] == len(j["functions"]) > 1000'
is_json "members of a function" 0 \
	'all(set(f) == {"name", "at", "address", "size", "how", "reason"} for f in j["functions"])'
ctl list -j -f 'x*alloc' -f main /bin/bash
is_json "patterns choose" 0 \
	'{f["name"] for f in j["functions"]} == {"xmalloc", "xrealloc", "main"}'
ctl list -f mian /bin/bash
says "no such function: the nearest name" 1 "no function matches 'mian'"
says "... is told" 1 "'main'"

trampoline=$("$INSTRCTL" list -j libc.so.6 | /usr/bin/python3 -c 'import json, sys
print(next(f["address"] for f in json.load(sys.stdin)["functions"] if f["how"] == "refused"))')
ctl list -f "$trampoline" libc.so.6
prints "a function that is refused, alone: why" 0 '	refused	signal handlers return to it	'
ctl plan -f "$trampoline" libc.so.6
prints "... in a plan" 0 ': refused: signal handlers'
ctl list -j -f strlen libc.so.6
is_json "an indirect function: with those that it chooses among" 0 \
	'len(j["functions"]) >= 4 and any(f["name"] == "strlen" for f in j["functions"])'

# An instruction of a function, and what is none.
boundaries() { # FILE FUNCTION: their offsets, by objdump(1)
	gdb -batch -ex "disassemble $2" "$1" | sed -n 's/.*<+\([0-9]*\)>.*/\1/p'
}
inside=$(boundaries /bin/bash xmalloc | sed -n 4p)
ctl list -f "xmalloc+$inside" /bin/bash
prints "an instruction" 0 "	trap	it is inside of a function	xmalloc\+0x"
ctl list -j -f xmalloc -f "xmalloc+$inside" /bin/bash
is_json "... by its offset" 0 "[f[\"at\"] for f in j[\"functions\"]] == [0, $inside]"
ctl plan -f "xmalloc+$inside" /bin/bash
prints "... in a plan" 0 "^xmalloc\+0x[0-9a-f]+: trap: "
wrong=0
for at in $(seq 1 30); do
	ctl list -f "xmalloc+$at" /bin/bash
	if boundaries /bin/bash xmalloc | grep -qx "$at"; then
		[ "$status" = 0 ] || wrong=1
	else
		[ "$status" = 1 ] && grep -q "is within an instruction, from +0x[0-9a-f]* to +0x" \
			<<<"$err" || wrong=1
	fi
done
report $wrong "the boundaries are those that a disassembler finds"
ctl list -f xmalloc+9999999 /bin/bash
says "behind the function's end" 1 'xmalloc has only 0x[0-9a-f]+ bytes'

ctl plan -f main /bin/bash
prints "plan as text" 0 '^main: (jump|trap)'
prints "... with its bytes" 0 '^  after  '
prints "... and its block" 0 '^  block  '
ctl plan -j -f main -f xmalloc /bin/bash
is_json "plan as JSON" 0 'len(j["sites"]) == 2'
is_json "before and after differ, and are as long" 0 \
	'all(s["before"] != s["after"] and len(s["before"]) == len(s["after"]) for s in j["sites"] if s["how"] != "refused")'
ctl plan -j libc.so.6
is_json "plan of all of libc" 0 'len(j["sites"]) > 1000'
setpriv --reuid=65534 --clear-groups true 2>/dev/null &&
	try setpriv --reuid=65534 --clear-groups "$INSTRCTL" plan -f main /bin/bash
prints "plan needs no root" 0 '^main: '

# Stubs of imports, and pointers.
ctl list -j -f malloc@plt -f 'mbs*@plt' /bin/bash
is_json "stubs of imports" 0 \
	'len(j["functions"]) > 1 and all(f["name"].endswith("@plt") and f["how"] == "jump" for f in j["functions"])'
ctl list -f malloc@got -f stderr@ptr -f main /bin/bash
prints "an import's slot" 0 '	8	pointer	-	malloc@got$'
prints "a variable" 0 '	8	pointer	-	stderr@ptr$'
prints "... beside a function" 0 '^3 places: 1 jump, 0 trap, 2 pointer, 0 refused$'
ctl plan -f malloc@got /bin/bash
prints "a pointer in a plan" 0 '^malloc@got: pointer$'
prints "... its block goes on to what it was" 0 'ff 25 .* jmp '
ctl list -f no_such_import@got /bin/bash
says "no such import" 1 "has no slot for an import 'no_such_import'"
ctl list -f no_such_variable@ptr /bin/bash
says "no such variable" 1 "no variable is called 'no_such_variable'"
ctl list -f 0x40@ptr /bin/bash
prints "an address that is in the file" 0 '	pointer	-	0x40@ptr$'
ctl list -f 0x0@ptr /bin/bash
prints "the first one in the file" 0 '	pointer	-	0x0@ptr$'
ctl list -f 0x30000@ptr /bin/bash
says "an address in its text" 1 '0x30000@ptr is not in its data'
ctl list -f stderr+1@ptr /bin/bash
says "an address that is not aligned" 1 'stderr\+1@ptr is not aligned'

# What timing takes.
ctl list --time /bin/bash
prints "--time: a table" 0 '^address	size	how	exits	reason	name$'
prints "... jumps only" 0 '	jump	jump	-	'
prints "... an exit that is a trap" 0 '	jump	trap	there is no room for a jump where it ends	'
prints "... its last line is a summary" 0 \
	'^[0-9]+ functions: [0-9]+ jump, [0-9]+ trap, [0-9]+ refused$'
! grep -q '@plt$' <<<"$out"
report $? "... stubs of imports are no functions"
for file in /bin/bash libc.so.6 /usr/bin/python3.11; do
	ctl list -T -j "$file"
	is_json "--time: $file as JSON" 0 \
		'j["jump"] + j["trap"] + j["refused"] == len(j["functions"]) > 1000'
	is_json "... its members" 0 \
		'all(set(f) == {"name", "at", "address", "size", "how", "exits", "reason"} for f in j["functions"])'
	is_json "... what is refused has a reason, and no exits" 0 \
		'all((f["how"] == "refused") == (f["exits"] == "-") and (f["reason"] or f["how"] != "refused") for f in j["functions"])'
	is_json "... most can be timed" 0 'j["refused"] < len(j["functions"]) / 2'
	ctl plan -T -j "$file"
	is_json "--time: plan of $file" 0 \
		'all(f["sites"][0]["enters"] and not any(s["enters"] for s in f["sites"][1:]) for f in j["functions"] if f["how"] != "refused")'
	is_json "... each site behind the entry is an exit" 0 \
		'all(s["exits"] for f in j["functions"] for s in f["sites"][1:])'
	is_json "... before and after differ, and are as long" 0 \
		'all(s["before"] != s["after"] and len(s["before"]) == len(s["after"]) for f in j["functions"] for s in f["sites"])'
	is_json "... no place is there twice" 0 \
		'(lambda at: len(at) == len(set(at)))([s["address"] for f in j["functions"] for s in f["sites"]])'
	is_json "... how the exits are seen" 0 \
		'all(f["exits"] == ("trap" if any(s["exits"] and s["how"] == "trap" for s in f["sites"]) else "jump" if any(s["exits"] for s in f["sites"]) else "none") for f in j["functions"] if f["how"] != "refused" and f["exits"] != "slot")'
	is_json "... those by slots have one place" 0 \
		'all(len(f["sites"]) == 1 and not f["sites"][0]["exits"] for f in j["functions"] if f["exits"] == "slot")'
	ctl list -T --exit=return -j "$file"
	is_json "... --exit=return: without slots" 0 \
		'not any(f["exits"] == "slot" for f in j["functions"])'
	by_return=$out
	ctl list -T --exit=slot -j "$file"
	is_json "... --exit=slot: all by slots" 0 \
		'all(f["exits"] in ("slot", "-") for f in j["functions"]) and j["refused"] < len(j["functions"]) / 3'
	ctl list -T --exit=auto -j "$file"
	is_json "... --exit=auto: no more are refused than by return" 0 \
		"j['refused'] <= $(python3 -c 'import json, sys; print(json.load(sys.stdin)["refused"])' <<<"$by_return")"
done
ctl list -T --exit=slot -f dlsym -f qsort libc.so.6
prints "--exit=slot: what looks at its caller" 0 '	refused	-	it looks at who called it, or may return twice	dlsym$'
prints "... and what does not" 0 '	jump	slot	-	qsort$'
for verb in list plan; do
	ctl $verb --exit=slot libc.so.6
	says "$verb: --exit without --time" 2 '--exit: only with --time'
	ctl $verb -T --exit=somehow libc.so.6
	says "$verb: --exit=somehow" 2 '--exit somehow: auto, return or slot\?'
done
ctl stat --exit=slot -f 'malloc' -- true
says "stat: --exit without --time" 2 '--exit: only with --time or --exits'
ctl list -T -f _exit -f __restore_rt libc.so.6
prints "--time: a function by its other name, which never returns" 0 '	jump	none	-	_exit$'
prints "... beside one that is refused" 0 '	refused	-	it is a signal trampoline	__restore_rt$'
ctl list -T -f __restore_rt libc.so.6
prints "... which is alone" 0 '^1 function: 0 jump, 0 trap, 1 refused$'
ctl plan -T -f xmalloc /bin/bash
prints "--time: the entry in a plan" 0 '^xmalloc: (jump|trap)'
prints "... an exit" 0 '^xmalloc\+0x[0-9a-f]+: (jump|trap)'
prints "... which instruction that is" 0 '^  exit  '
prints "... its times" 0 '^  record  '
for place in "xmalloc+$inside" malloc@plt malloc@got stderr@ptr; do
	for verb in list plan; do
		ctl $verb -T -f "$place" /bin/bash
		says "$verb --time: $place is no function" 1 'only whole functions have exits'
	done
done

# The source has a function to be found by; all of it is made here.
cat >"$tmp/a.c" <<'END'
int twice(int n) { return n * 2 + 1; }
int main(int argc, char **argv) { (void)argv; return twice(argc) & 0; }
END
gcc -O1 -fno-inline -static -o "$tmp/static" "$tmp/a.c" 2>/dev/null
ctl list -f twice "$tmp/static"
prints "a static program" 0 '	twice$'
gcc -O1 -fno-inline -no-pie -o "$tmp/fixed" "$tmp/a.c"
ctl plan -f twice "$tmp/fixed"
prints "a program at a fixed address" 0 '^twice: '
(cd "$tmp" && "$INSTRCTL" list -f twice fixed) >"$tmp/stdout" 2>"$tmp/stderr"
status=$? out=$(cat "$tmp/stdout") err=$(cat "$tmp/stderr")
prints "a file here by its name" 0 '	twice$'

for verb in list plan; do
	ctl $verb
	says "$verb: no FILE" 2 "^instrctl: $verb: which FILE\?"
	ctl $verb a b
	says "$verb: two FILEs" 2 "^instrctl: $verb: b: "
	ctl $verb "$tmp/none"
	says "$verb: no such file" 1 "^instrctl: $verb: .*none: No such file"
	ctl $verb no-such-command
	says "$verb: no such name" 1 'no such file, command or library'
	ctl $verb /etc/passwd
	says "$verb: a text file" 1 "^instrctl: $verb: /etc/passwd: "
	ctl $verb "$tmp"
	says "$verb: a folder" 1 "^instrctl: $verb: $tmp: "
	ctl $verb /dev/null
	says "$verb: a device" 1 "^instrctl: $verb: /dev/null: "
	: >"$tmp/empty"
	ctl $verb "$tmp/empty"
	says "$verb: an empty file" 1 "empty: "
	for len in 4 63 64 200 5000 100000; do
		head -c $len /bin/bash >"$tmp/short"
		ctl $verb "$tmp/short"
		says "$verb: the first $len bytes of a program" 1 "short: "
	done
	# The class byte says 32 bits.
	cp /bin/bash "$tmp/class" && printf '\1' | dd of="$tmp/class" bs=1 seek=4 conv=notrunc 2>/dev/null
	ctl $verb "$tmp/class"
	says "$verb: a 32-bit program" 1 "class: "
	# The machine is AArch64.
	cp /bin/bash "$tmp/arm" && printf '\267' | dd of="$tmp/arm" bs=1 seek=18 conv=notrunc 2>/dev/null
	ctl $verb "$tmp/arm"
	says "$verb: a program of another machine" 1 "arm: "
	ctl $verb -j -j -f main /bin/bash
	is_json "$verb: -j twice is -j" 0 True
done

# Debian's are stripped.
if [ -x /usr/bin/gofmt ]; then
	ctl list -f 'main.*' /usr/bin/gofmt
	prints "a program of Go: names" 0 '	jump	-	main\.main$'
	prints "... what has no room for sure" 0 \
		'	refused	its stack may have no room left .*	main\.gofmtMain\.func8$'
	ctl list -T -f 'main.*' /usr/bin/gofmt
	prints "... --time" 0 '	refused	-	its stack may have no room left .*	main\.gofmtMain\.func8$'
	ctl plan -f main.main+4 -f main.main /usr/bin/gofmt
	prints "... an instruction before there is room" 0 \
		'^main\.main\+0x4: refused: its stack may have no room left'
else
	skip "a program of Go" "there is no gofmt"
fi

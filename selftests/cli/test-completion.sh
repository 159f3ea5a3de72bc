# SPDX-License-Identifier: GPL-2.0
# The completion for bash offers what the program knows.

# offer WORD...: what is offered for the last one.
offer()
{
	try bash -c '
	. "$1"; shift
	COMP_WORDS=(instrctl "$@"); COMP_CWORD=$#
	_instrctl; printf "%s\n" "${COMPREPLY[@]}"' - \
		"$here/../../tools/completion/instrctl.bash" "$@"
}

PATH=$(dirname "$INSTRCTL"):$PATH
offer st
prints "a verb" 0 '^stat$'
offer stat --f
prints "an option" 0 '^--function$'
offer stat --chi
prints "... with no letter" 0 '^--children$'
offer stat --follow
prints "... of two words" 0 '^--follow-exec$'
for verb in stat top list plan; do
	offer $verb -T
	prints "how $verb times" 0 '^-T$'
	offer $verb --ti
	prints "... spelled out" 0 '^--time$'
done
offer stat --prom
prints "metrics" 0 '^--prometheus$'
offer stat -f main --prometheus /bin/bas
prints "... to a file" 0 '^/bin/bash$'
offer stat --pp
prints "a profile" 0 '^--pprof$'
offer top --by pr
prints "what top shows" 0 '^process$'
offer top -s p9
prints "... and its order" 0 '^p99$'
offer top -f main -- tru
prints "... of a command" 0 '^true$'
offer show o
prints "a word" 0 '^overlays$'
offer show p
prints "another" 0 '^processes$'
offer help mon
prints "a verb to be helped with" 0 '^monitor$'
offer stat -f main -- tru
prints "a command" 0 '^true$'
offer list /bin/bas
prints "a file" 0 '^/bin/bash$'

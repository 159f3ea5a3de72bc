# SPDX-License-Identifier: GPL-2.0
# Help texts, the table of verbs and the program agree.

ctl --version
prints "version" 0 '^instrctl [0-9.]+$'

ctl --help
prints "help lists verbs" 0 '^  stat  '
verbs=$(sed -n 's/^  \([a-z]*\)  .*/\1/p' <<<"$out")
whole=$out
ctl help
[ "$out" = "$whole" ]
report $? "help and --help are one text"

for verb in $verbs; do
	ctl help "$verb"
	prints "help $verb tells how to use it" 0 "^usage: instrctl $verb( |\$)"
	text=$out
	ctl "$verb" --help
	[ "$status" = 0 ] && [ "$out" = "$text" ]
	report $? "$verb --help is the same text"
	awk 'length > 82 { exit 1 }' <<<"$text"
	report $? "help $verb fits a terminal"

	ctl "$verb" --no-such-option
	says "$verb refuses an unknown option" 2 "^instrctl: $verb: --no-such-option: no such option\$"

	# Each option that is told is taken: what fails then is something else.
	for option in $(grep -oE '^  -[a-zA-Z], --[a-z]+' <<<"$text" | grep -oE -- '--[a-z]+$'); do
		ctl "$verb" "$option" --help
		! grep -q 'no such option' <<<"$err"
		report $? "$verb knows $option"
	done
done

for file in "$here"/../../tools/instrctl/{check,list,monitor,plan,remove,show,stat,symbols,top}.c; do
	verb=$(basename "$file" .c)
	grep -qw "$verb" <<<"$verbs"
	report $? "$verb is in the table of verbs"
done

ctl lst
says "an unknown verb: the nearest one" 2 '^          did you mean: instrctl list$'
ctl sta
says "a part of a verb is none" 2 '^instrctl: sta: no such verb$'
ctl help lst
says "help for an unknown verb" 2 'did you mean: instrctl list'
ctl "$(printf '%2000s' x)"
ends "a very long verb" 2
ctl ''
ends "an empty verb" 2
ctl -x
says "an unknown option before the verb" 2 '^instrctl: -x: no such option$'

"$INSTRCTL" list /bin/bash >/dev/full 2>"$tmp/stderr"
status=$? out='' err=$(cat "$tmp/stderr")
says "a full disk is told" 1 'No space left on device'

# SPDX-License-Identifier: GPL-2.0
# What the tests are written in. try() runs a command; the others look at what it
# left in $status, $out and $err.

tap_nr=0
tap_failed=0

try()
{
	out=$("$@" 2>"$tmp/stderr" </dev/null)
	status=$?
	err=$(cat "$tmp/stderr")
}

ctl()
{
	try "$INSTRCTL" "$@"
}

# report RESULT NAME: RESULT is 0 where it passed.
report()
{
	tap_nr=$((tap_nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tap_nr - $2"
		return
	fi
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_nr - $2"
	printf 'status %s\nout: %s\nerr: %s\n' "$status" "$out" "$err" | head -20 |
		cut -c1-300 | sed 's/^/# /'
}

skip()
{
	tap_nr=$((tap_nr + 1))
	echo "ok $tap_nr - $1 # SKIP $2"
}

# ends NAME STATUS: the command ended with that status.
ends()
{
	[ "$status" = "$2" ]
	report $? "$1"
}

# says NAME STATUS PATTERN: and stderr has a line that matches.
says()
{
	[ "$status" = "$2" ] && grep -qE -- "$3" <<<"$err"
	report $? "$1"
}

# prints NAME STATUS PATTERN: and stdout has a line that matches.
prints()
{
	[ "$status" = "$2" ] && grep -qE -- "$3" <<<"$out"
	report $? "$1"
}

# is_json NAME STATUS EXPRESSION: stdout is one line of JSON, for which the
# expression of Python, over its value j, is true.
is_json()
{
	[ "$status" = "$2" ] && [ "$(wc -l <<<"$out")" = 1 ] &&
		/usr/bin/python3.11 -c '
import json, sys
j = json.load(sys.stdin)
sys.exit(0 if list(j)[0] == "format" and j["format"] == 1 and eval(sys.argv[1]) else 1)
' "$3" <<<"$out" 2>/dev/null
	report $? "$1"
}

tap_end()
{
	echo "1..$tap_nr"
	echo "# $((tap_nr - tap_failed)) passed, $tap_failed failed"
	[ "$tap_failed" = 0 ]
	exit
}

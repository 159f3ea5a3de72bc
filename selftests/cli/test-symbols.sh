# SPDX-License-Identifier: GPL-2.0
# What instrctl symbols refuses, with no slabs about.

ctl symbols
says "symbols of no process" 2 '^instrctl: symbols: which process: -p PID\?$'
ctl symbols -p 1x
says "... of what is no number" 2 '^instrctl: symbols: -p 1x: not a number$'
ctl symbols -p $$ more
says "... and something else" 2 '^instrctl: symbols: more: not an option$'
ctl symbols -p 4194304
says "... of one that is not there" 1 '^instrctl: symbols: process 4194304: no such process$'

sleep 100 &
sleeper=$!
ctl symbols -p $sleeper -o "$tmp/symbols"
says "... of one that was never instrumented" 1 "process $sleeper: has no slabs, as nothing of it was instrumented\$"
[ ! -e "$tmp/symbols" ]
report $? "... leaves no file"
kill $sleeper
wait $sleeper 2>/dev/null

# SPDX-License-Identifier: GPL-2.0
# Completion of instrctl for bash. Verbs and options are those that the program
# tells in its help, sessions those that it shows.

_instrctl_verbs()
{
	instrctl --help 2>/dev/null | sed -n 's/^  \([a-z]*\)  .*/\1/p'
}

_instrctl_options()
{
	instrctl help "$1" 2>/dev/null | grep -oE '^  (-[a-zA-Z], )?--[a-z-]+' | grep -oE -- '--?[a-zA-Z][a-z-]*'
}

_instrctl_sessions()
{
	instrctl -q show sessions 2>/dev/null | sed 1d | cut -f1
}

_instrctl_values()
{
	case $1 in
	show)	echo sessions overlays spaces processes ;;
	help)	_instrctl_verbs ;;
	remove)	_instrctl_sessions ;;
	esac
}

_instrctl()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local verb=${COMP_WORDS[1]} i

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_instrctl_verbs) --help --version" -- "$word")
		return
	fi
	for ((i = 2; i < COMP_CWORD; i++)); do
		if [[ $verb = stat || $verb = top ]] && [ "${COMP_WORDS[i]}" = -- ]; then
			mapfile -t COMPREPLY < <(compgen -c -f -- "$word")
			return
		fi
	done
	case $before in
	-p | --pid)
		mapfile -t COMPREPLY < <(compgen -W "$(cd /proc && echo [0-9]*)" -- "$word")
		return ;;
	--by)
		mapfile -t COMPREPLY < <(compgen -W "function process" -- "$word")
		return ;;
	-s | --sort)
		mapfile -t COMPREPLY < <(compgen -W "calls rate total self p99 pid name" -- "$word")
		return ;;
	esac
	case $verb:$word in
	*:-*)
		mapfile -t COMPREPLY < <(compgen -W "$(_instrctl_options "$verb")" -- "$word") ;;
	list:* | plan:* | stat:* | symbols:* | top:*)
		mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
	*)
		mapfile -t COMPREPLY < <(compgen -W "$(_instrctl_values "$verb")" -- "$word") ;;
	esac
}

complete -o filenames -F _instrctl instrctl

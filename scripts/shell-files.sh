#!/bin/sh
# Prints the tracked files that are shell scripts, by their first line: what shellcheck is to look at.
cd "$(dirname "$0")/.." || exit
git grep -IlE '^#!(/usr)?/?s?bin/(env )?(ba|da)?sh|^#!/sbin/openrc-run' -- scripts .ci | while read -r file; do
	# Only a first line makes a script.
	case $(head -n 1 "$file") in
	'#!'*) echo "$file" ;;
	esac
done

#!/bin/sh
# fuzz.sh SECONDS: runs every fuzz target of the module for about SECONDS each, one after the other, and fails if one
# finds something.
#
# The runs are counted, not timed: at the end of a -fuzztime of seconds a target can fail with "context deadline
# exceeded" and no input (golang/go#75804). So a target is run a hundred times, then more, as its speed allows.
set -eu

cd "$(dirname "$0")/.."
case $1 in
'' | *[!0-9]*)
	echo "fuzz.sh: \"$1\" is not a whole number of seconds" >&2
	exit 2
	;;
esac
budget=$(($1 * 1000)) # ms

now() { echo $(($(date +%s%N) / 1000000)); } # ms

# fuzz PACKAGE TARGET
fuzz() {
	echo "== $1 $2"
	count=100 start=$(now) spent=0
	while [ $((spent * 10)) -lt $((budget * 9)) ]; do
		go test -run '^$' -fuzz "^$2\$" -fuzztime "${count}x" "$1"
		took=$(($(now) - start - spent))
		spent=$((spent + took))
		fits=$((count * (budget - spent) / took))
		count=$((count * 8))
		[ "$fits" -ge "$count" ] || count=$((fits > 0 ? fits : 1))
	done
}

found=0
packages=$(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...)
for package in $packages; do
	targets=$(go test -list '^Fuzz' "$package")
	for target in $(echo "$targets" | grep '^Fuzz' || :); do
		fuzz "$package" "$target"
		found=$((found + 1))
	done
done
echo "$found targets, nothing found"
[ "$found" -gt 0 ]

#!/bin/bash
# Hold the fake kernel against real ones, each in a guest of its own, with swap and a scratch disk.
# Fails if any differs.
#
#   vm-conformance.sh [KERNEL:LAYOUT...]      the default is 6.12:v2
#
# The output, the table of fields at its end, is left as ${OUT:-out}/conformance-KERNEL-LAYOUT.log.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$(realpath -m "${OUT:-out}")
export OUT=$out
(($#)) || set -- 6.12:v2
for cell; do
    if [[ $cell != *:* ]]; then sed -n '2,/^set -/p' "$0" | sed '$d; s/^# \?//' >&2; exit 2; fi
done

mkdir -p "$out"
dir=$(mktemp -d /tmp/lxcfs-test-conformance.XXXXXX)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
cd "$here/../conformance"
go test -c -tags integration -o "$dir/conformance.test" .

failed=0
for cell; do
    IFS=: read -r kernel layout <<< "$cell"
    log=$out/conformance-${cell//:/-}.log
    "$here/vm.sh" -k "$kernel" -c "$layout" -m 1536 -s 512 -d 128 -t 900 -- \
        "$dir/conformance.test" -test.v -test.timeout 14m > "$log" 2>&1 || failed=1
    echo "$cell:"
    grep -E '^(---|    --- FAIL|    [a-z_]+_test.go:|vm: |[0-9]+ scenarios)' "$log" || tail -n 20 "$log"
done
exit $failed

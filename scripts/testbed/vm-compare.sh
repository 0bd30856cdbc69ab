#!/bin/bash
# Compare ours with the LXCFS of some Debian suites, each in a guest of its own, with swap.
# Fails if any comparison failed.
#
#   vm-compare.sh SUITE:KERNEL:LAYOUT...      suites as peer.sh has them: sid:6.12:v2, say
#
# The output is left as ${OUT:-out}/compare-SUITE-KERNEL-LAYOUT.log.  LXCFS_BIN is our binary (default:
# built from this checkout).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$(realpath -m "${OUT:-out}")
export OUT=$out
for cell in "${@:-none}"; do
    if [[ $cell != *:*:* ]]; then sed -n '2,/^set -/p' "$0" | sed '$d; s/^# \?//' >&2; exit 2; fi
done

mkdir -p "$out"
dir=$(mktemp -d /tmp/lxcfs-test-compare.XXXXXX)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
cd "$here/../compare"
if [[ -z ${LXCFS_BIN:-} ]]; then
    CGO_ENABLED=0 go build -o "$dir/lxcfs" lxcfs/cmd/lxcfs
    LXCFS_BIN=$dir/lxcfs
fi
go test -c -tags integration -o "$dir/compare.test" .

failed=0
for cell; do
    IFS=: read -r suite kernel layout <<< "$cell"
    peer=$("$here/peer.sh" "$suite")
    log=$out/compare-${cell//:/-}.log
    "$here/vm.sh" -k "$kernel" -c "$layout" -m 1536 -s 512 -t 600 -e "LXCFS_BIN=$(realpath "$LXCFS_BIN")" -e "LXCFS_PEER=$peer" -- \
        "$dir/compare.test" -test.v -test.timeout 9m > "$log" 2>&1 || failed=1
    grep -E '^(---|    [a-z_]+_test.go:|vm: )' "$log" || tail -n 20 "$log"
done
exit $failed

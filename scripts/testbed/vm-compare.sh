#!/bin/bash
# Compare ours with a newer LXCFS than the machine's, in a guest with cgroup v2 and swap
# each.  Fails if any comparison failed.
#
#   vm-compare.sh [-k KERNEL] [SUITE...]      suites as peer.sh has them (default: trixie sid)
#
# The output is left as ${OUT:-out}/compare-SUITE.log.  LXCFS_BIN is our binary (default:
# built from this checkout).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$(realpath -m "${OUT:-out}")
export OUT=$out
kernel=6.12
while getopts k:h o; do
    case $o in
        k) kernel=$OPTARG ;;
        *) sed -n '2,/^set -/p' "$0" | sed '$d; s/^# \?//' >&2; exit 2 ;;
    esac
done
shift $((OPTIND - 1))
(($#)) || set -- trixie sid

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
for suite; do
    peer=$("$here/peer.sh" "$suite")
    log=$out/compare-$suite.log
    "$here/vm.sh" -k "$kernel" -m 1536 -s 512 -t 600 -e "LXCFS_BIN=$(realpath "$LXCFS_BIN")" -e "LXCFS_PEER=$peer" -- \
        "$dir/compare.test" -test.v -test.timeout 9m > "$log" 2>&1 || failed=1
    grep -E '^(---|    [a-z_]+_test.go:|vm: )' "$log" || tail -n 20 "$log"
done
exit $failed

#!/bin/bash
# Chaos in guests: the packaged unit under systemd, whose store keeps the connection, on pure cgroup v2, and the plain
# daemon on cgroup v1 and hybrid; on a kernel before 6.9, which cannot send requests again. Fails if any run failed.
#
#   vm-chaos.sh [KERNEL:LAYOUT:HOW...]     HOW is systemd or plain; the default is
#                                          6.1:v2:systemd 6.1:v2:plain 6.1:v1:plain 6.1:hybrid:plain 6.12:v2:systemd
#
# KILLS (60) and UPGRADES (12) say how often; emulated guests are twenty times slower. LXCFS_BIN is the binary to test
# (default: built from this checkout).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
(($#)) || set -- 6.1:v2:systemd 6.1:v2:plain 6.1:v1:plain 6.1:hybrid:plain 6.12:v2:systemd
for cell; do
    if [[ $cell != *:*:* ]]; then sed -n '2,/^set -/p' "$0" | sed '$d; s/^# \?//' >&2; exit 2; fi
done

out=$(realpath -m "${OUT:-out}")
export OUT=$out
mkdir -p "$out"
dir=$(mktemp -d /tmp/lxcfs-test-chaos.XXXXXX)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
cd "$here/../.."
export CGO_ENABLED=0
[[ -n ${LXCFS_BIN:-} ]] || go build -o "$dir/lxcfs" ./cmd/lxcfs
cp "${LXCFS_BIN:-$dir/lxcfs}" "$dir/lxcfs.new" && mv "$dir/lxcfs.new" "$dir/lxcfs"
go build -o "$dir/chaos" ./scripts/chaos

# As "make install" does, but for the path.
cat > "$dir/systemd" << 'END'
set -e
mkdir -p /run/systemd/system
sed "s|@PREFIX@/bin|$1|" "$2" > /run/systemd/system/lxcfs.service
shift 2
"$@" -systemd lxcfs
END

failed=0
for cell; do
    IFS=: read -r kernel layout how <<< "$cell"
    args=("$dir/chaos" -kills "${KILLS:-60}" -upgrades "${UPGRADES:-12}" -gap 3s -phase 40s -patience 60s -worst "${WORST:-10}")
    init=()
    if [[ $how == systemd ]]; then
        init=(-i)
        args=(sh "$dir/systemd" "$dir" "$here/../systemd/lxcfs.service" "${args[@]}")
    else
        args+=(-lxcfs "$dir/lxcfs")
    fi
    echo "chaos in a guest: $cell"
    "$here/vm.sh" -k "$kernel" -c "$layout" "${init[@]}" -t 1800 -- "${args[@]}" || failed=1
done
exit $failed

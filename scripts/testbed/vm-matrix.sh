#!/bin/bash
# Run the integration tests on many kernels x cgroup layouts x runtimes, each cell in a
# guest of its own, and print an aligned table.  Fails if any cell failed.
#
#   vm-matrix.sh all          every cell
#   vm-matrix.sh rotate [N]   N cells (default 2), others each day; CELLS_DAY sets the day
#   vm-matrix.sh list         the cells, and do nothing
#   vm-matrix.sh KERNEL:LAYOUT:RUNTIMES...     these, 6.12:v2:crun,lxc say
#
# A cell's output is left as ${OUT:-out}/cell-KERNEL-LAYOUT-RUNTIMES.log.  LXCFS_BIN is the
# binary to test (default: built from this checkout).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$(realpath -m "${OUT:-out}")
export OUT=$out

# v1 memory and cpuset hierarchies left Debian's kernels with 6.12.
cells=()
for runtimes in crun,lxc runc,lxc-userns podman-crun,podman-runc crun-userns,runc-userns; do
    for kernel in 5.10 6.1 6.12 6.18 7.3; do cells+=("$kernel:v2:$runtimes"); done
    for kernel in 5.10 6.1; do cells+=("$kernel:v1:$runtimes" "$kernel:hybrid:$runtimes"); done
done

case ${1:-} in
    all) ;;
    list) printf '%s\n' "${cells[@]}"; exit 0 ;;
    rotate)
        day=${CELLS_DAY:-$((10#$(date +%j)))} some=()
        for ((i = 0; i < ${2:-2}; i++)); do
            # 7 and the number of cells have no common factor: a step of 7 meets them all
            some+=("${cells[$(((day * ${2:-2} + i) * 7 % ${#cells[@]}))]}")
        done
        cells=("${some[@]}")
        echo "vm-matrix: day $day: ${cells[*]}" ;;
    *:*:*) cells=("$@") ;;
    *) sed -n '2,/^set -/p' "$0" | sed '$d; s/^# \?//' >&2; exit 2 ;;
esac

mkdir -p "$out"
dir=$(mktemp -d /tmp/lxcfs-test-matrix.XXXXXX)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
cd "$here/../integration"
if [[ -z ${LXCFS_BIN:-} ]]; then
    CGO_ENABLED=0 go build -o "$dir/lxcfs" lxcfs/cmd/lxcfs
    LXCFS_BIN=$dir/lxcfs
fi
go test -c -tags "integration guest" -o "$dir/integration.test" .

failed=0
printf '%-7s %-7s %-24s %-7s %5s\n' kernel layout runtimes result s
for cell in "${cells[@]}"; do
    IFS=: read -r kernel layout runtimes <<< "$cell"
    log=$out/cell-$kernel-$layout-$runtimes.log
    run='Tools|FromHost|MemoryLoad|NothingFalls|Frozen|Ends' args=()
    if [[ $layout == v2 ]]; then run+='|Swapped|Pressure|Disk|MemoryHigh|Hotplug|Nested|InitScope|DaemonCgroup'; fi
    if [[ $layout == v2 && $kernel == 7.3 ]]; then run+='|Zswap' args=(-S disk -a zswap.enabled=1); fi
    SECONDS=0 result=passed
    "$here/vm.sh" -k "$kernel" -c "$layout" -m 1536 -s 512 -d 64 -t 900 "${args[@]}" -e "LXCFS_BIN=$LXCFS_BIN" -- \
        "$dir/integration.test" -test.v -test.timeout 15m -test.run "$run" -runtimes "$runtimes" > "$log" 2>&1 ||
        { result=FAILED; failed=1; }
    printf '%-7s %-7s %-24s %-7s %5d\n' "$kernel" "$layout" "$runtimes" "$result" "$SECONDS"
    if [[ $result == FAILED ]]; then grep -E '^ *(--- FAIL|[a-z_]+_test.go:|vm: )' "$log" | sed 's/^/    | /' | head -40; fi
done
exit $failed

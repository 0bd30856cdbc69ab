#!/bin/bash
# Run one command in a real, limited podman container (no image, no network, no systemd,
# storage in a temporary directory) on cgroup v1, hybrid or v2.  Needs root.
#
#   podman.sh [options] -- COMMAND [ARG...]
#
#   -R RUNTIME  crun (default) | runc
#   -m SIZE     memory limit                   -M SIZE  memory+swap limit
#   -q CPUS     CPU quota, 0.5                 -c LIST  cpuset      -p N  pids limit
#   -l DIR      a mounted lxcfs: DIR/proc/* over /proc/*, DIR/sys/devices/system/cpu
#   -a "ARGS"   more arguments of "podman run" (split at blanks)
#   -N NAME     its name (default lxcfs-test-PID)
#   -i          the command reads our stdin
#   -X CMD      while the container runs, run this shell command on the host, with $NAME,
#               $PID, $DIR: "$DIR/podman" exec "$NAME" COMMAND
#   -t SECONDS  limit (default 120; exit status 124)
#
# Its root is this machine's /usr and /etc, read-only; its cgroup /NAME/libpod-ID.
# Returns the command's exit status; 125 or 126 if there could be no container.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/bed.sh"

runtime=crun lx='' more='' hook='' limit=120 stdin='' args=()
while getopts R:m:M:q:c:p:l:a:N:iX:t:h o; do
    case $o in
        R) runtime=$OPTARG ;; m) args+=(--memory "$OPTARG") ;; M) args+=(--memory-swap "$OPTARG") ;;
        q) args+=(--cpus "$OPTARG") ;; c) args+=(--cpuset-cpus "$OPTARG") ;;
        p) args+=(--pids-limit "$OPTARG") ;; l) lx=${OPTARG%/} ;; a) more=$OPTARG ;;
        N) name=$OPTARG ;; i) stdin=1; args+=(--interactive) ;; X) hook=$OPTARG ;; t) limit=$OPTARG ;;
        *) usage ;;
    esac
done
shift $((OPTIND - 1))
(($#)) || usage
[[ $name == lxcfs-test-* ]] || die "-N: a name that starts with lxcfs-test-"
need podman conmon "$runtime"
[[ -z $lx || -d $lx/proc ]] || die "no $lx/proc: is it mounted?"
numbers limit
work_dir

start() {
    # shellcheck disable=SC2086     # -a is split at blanks
    exec timeout -k 10 "$limit" "$dir/podman" run --rm --name "$name" --network none \
        --cgroup-parent "/$name" "${args[@]}" $more --rootfs "$dir/rootfs" "$@"
}
find_pid() { "$dir/podman" inspect -f '{{if .State.Running}}{{.State.Pid}}{{end}}' "$name"; }
destroy() { timeout -k 5 30 "$dir/podman" rm -f -t 0 "$name"; }

runtime_wrapper "$dir/$runtime" "$runtime"
cat > "$dir/podman" <<END
#!/bin/sh
exec podman --root $dir/store --runroot $dir/run --tmpdir $dir/tmp --storage-driver vfs \\
    --cgroup-manager cgroupfs --events-backend file --log-level error --runtime $dir/$runtime "\$@"
END
chmod 755 "$dir/podman"
host_root "$dir/rootfs"
args+=(-v /usr:/usr:ro -v /etc:/etc:ro)
if [[ $lx ]]; then
    for f in $(served "$lx" "$runtime"); do args+=(-v "$lx$f:$f"); done
    if [[ -d $lx/sys/devices/system/cpu ]]; then
        args+=(-v "$lx/sys/devices/system/cpu:/sys/devices/system/cpu")
    fi
fi
# podman raises the limits, which root without CAP_SYS_RESOURCE may not
files=$(ulimit -Hn)
if [[ $files == unlimited ]] || ((files > 20000)); then files=20000; fi
args+=(--ulimit "nofile=$files:$files" --ulimit nproc=4096:4096)
supervise "$@"

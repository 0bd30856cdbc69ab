#!/bin/bash
# Run one command in a real, limited OCI container (crun or runc; no image, no network)
# on cgroup v1, hybrid or v2.  Needs root.
#
#   container.sh [options] -- COMMAND [ARG...]
#
#   -R RUNTIME  crun (default) | runc
#   -r ROOT     host: this machine's /usr and /etc, read-only (default)
#               busybox: nothing but busybox-static     DIR: that directory
#   -m SIZE     memory limit (K, M, G)
#   -M SIZE     memory+swap limit (memsw on v1; on v2 swap.max = M - m)
#   -q CPUS     CPU quota, 0.5 or 1.5          -w N   CPU shares (v1 units: 1024)
#   -c LIST     cpuset, 0 or 0-1               -p N   pids limit
#   -l DIR      a mounted lxcfs: bind DIR/proc/* over /proc/* and DIR/sys/devices/system/cpu
#               over its place in /sys         -L     only the /proc files
#   -b SRC:DST[:ro]  bind mount (repeatable)   -e VAR=VAL  environment (repeatable)
#   -g PATH     cgroup (default /NAME); the caller removes its parents
#   -G          cgroup /NAME/inner: it has a parent of its own to limit
#   -N NAME     its name (default lxcfs-test-PID)
#   -H          the host's pid namespace       -u     user namespace: root is uid 100000
#   -i          the command reads our stdin
#   -X CMD      while the container runs, run this shell command on the host, with $NAME,
#               $PID (host pid of its init), $DIR: "$DIR/runtime" exec "$NAME" COMMAND runs
#               another process in the container.  If it fails, so do we.
#   -t SECONDS  limit (default 60; exit status 124)
#
# Returns the command's exit status; 125 if there could be no container.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/bed.sh"

runtime=crun root=host mem='' memsw='' quota='' shares='' cpuset='' pids='' lx='' only_proc=''
binds=() envs=() cgroup='' hostpid='' userns='' limit=60 hook='' stdin=''
while getopts R:r:m:M:q:w:c:p:l:Lb:e:g:GN:HuiX:t:h o; do
    case $o in
        R) runtime=$OPTARG ;; r) root=$OPTARG ;; m) mem=$OPTARG ;; M) memsw=$OPTARG ;;
        q) quota=$OPTARG ;; w) shares=$OPTARG ;; c) cpuset=$OPTARG ;; p) pids=$OPTARG ;;
        l) lx=${OPTARG%/} ;; L) only_proc=1 ;; b) binds+=("$OPTARG") ;; e) envs+=("$OPTARG") ;;
        g) cgroup=$OPTARG ;; G) cgroup=inner ;; N) name=$OPTARG ;; H) hostpid=1 ;; u) userns=1 ;; i) stdin=1 ;;
        X) hook=$OPTARG ;; t) limit=$OPTARG ;; *) usage ;;
    esac
done
shift $((OPTIND - 1))
(($#)) || usage
[[ $runtime == crun || $runtime == runc ]] || die "-R: crun or runc"
[[ $name == lxcfs-test-* ]] || die "-N: a name that starts with lxcfs-test-"
need "$runtime" busybox
[[ -z $lx || -d $lx/proc ]] || die "no $lx/proc: is it mounted?"
: "${cgroup:=/$name}"
if [[ $cgroup == inner ]]; then cgroup=/$name/inner; fi
bytes mem memsw
microseconds quota
numbers shares pids limit
work_dir

start() { exec timeout -k 5 "$limit" "$dir/runtime" run --bundle "$dir" "$name"; }
find_pid() {
    local state
    state=$("$dir/runtime" state "$name")
    [[ $state =~ \"status\":\ *\"running\" && $state =~ \"pid\":\ *([0-9]+) ]] && echo "${BASH_REMATCH[1]}"
}
destroy() {
    timeout -k 5 20 "$dir/runtime" delete -f "$name"
    if [[ $cgroup != "/$name" ]]; then rmdir "/sys/fs/cgroup$cgroup" /sys/fs/cgroup/*"$cgroup"; fi
}
runtime_wrapper "$dir/runtime" "$runtime" --root "$dir/state"

fs=$dir/rootfs
case $root in
    host)
        host_root "$fs"
        binds+=(/usr:/usr:ro /etc:/etc:ro) ;;
    busybox)
        mkdir -p "$fs"/{bin,etc,proc,sys,dev,tmp,run,root}
        cp "$(command -v busybox)" "$fs/bin/busybox"
        for applet in $(busybox --list); do
            if [[ $applet != busybox ]]; then ln -s busybox "$fs/bin/$applet"; fi
        done
        echo root:x:0:0:root:/root:/bin/sh > "$fs/etc/passwd" ;;
    *)  [[ -d $root ]] || die "no such root: $root"
        fs=$(realpath "$root") ;;
esac
if [[ -n $userns ]]; then
    mkdir -p "$dir/state"
    chmod 711 "$dir/state"
    if [[ $fs == "$dir"/* ]]; then chown -R 100000:100000 "$fs"; fi
fi

# --- config.json: https://github.com/opencontainers/runtime-spec
str() {
    local s=$1
    s=${s//\\/\\\\} s=${s//\"/\\\"} s=${s//$'\n'/\\n} s=${s//$'\t'/\\t} s=${s//$'\r'/\\r}
    printf '"%s"' "$s"
}
strings() { local a sep=''; for a; do printf '%s' "$sep"; str "$a"; sep=', '; done; }
object() { local IFS=,; printf '{%s}' "$*"; }
bind() {                        # source destination rw|ro
    printf ',\n    {"destination": %s, "type": "bind", "source": %s, "options": ["bind", "%s"]}' \
        "$(str "$2")" "$(str "$1")" "${3:-rw}"
}
binds() {
    local m from to mode f
    for m in "${binds[@]}"; do
        IFS=: read -r from to mode <<< "$m"
        [[ -e $from && $to == /* ]] || die "bad bind '$m'"
        bind "$from" "$to" "$mode"
    done
    [[ -n $lx ]] || return 0
    for f in $(served "$lx" "$runtime"); do bind "$lx$f" "$f"; done
    if [[ -z $only_proc && -d $lx/sys/devices/system/cpu ]]; then
        bind "$lx/sys/devices/system/cpu" /sys/devices/system/cpu
    fi
}
namespaces='{"type": "mount"}, {"type": "uts"}, {"type": "ipc"}, {"type": "network"}, {"type": "cgroup"}'
if [[ -z $hostpid ]]; then namespaces+=', {"type": "pid"}'; fi
if [[ -n $userns ]]; then namespaces+=', {"type": "user"}'; fi
memory=() cpu=() resources=()
if [[ $mem ]]; then memory+=("\"limit\": $mem"); fi
if [[ $memsw ]]; then memory+=("\"swap\": $memsw"); fi
if [[ $quota ]]; then cpu+=("\"quota\": $quota" '"period": 100000'); fi
if [[ $shares ]]; then cpu+=("\"shares\": $shares"); fi
if [[ $cpuset ]]; then cpu+=("\"cpus\": $(str "$cpuset")"); fi
if ((${#memory[@]})); then resources+=("\"memory\": $(object "${memory[@]}")"); fi
if ((${#cpu[@]})); then resources+=("\"cpu\": $(object "${cpu[@]}")"); fi
if [[ $pids ]]; then resources+=("\"pids\": {\"limit\": $pids}"); fi
map='[{"containerID": 0, "hostID": 100000, "size": 65536}]'
caps='["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SYS_CHROOT"]'
more=$(binds)
cat > "$dir/config.json" <<END
{ "ociVersion": "1.0.2", "hostname": $(str "$name"),
  "process": {
    "terminal": false, "cwd": "/", "user": {"uid": 0, "gid": 0}, "noNewPrivileges": true,
    "args": [$(strings "$@")],
    "env": [$(strings PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        HOME=/root TERM=dumb "${envs[@]}")],
    "capabilities": {"bounding": $caps, "effective": $caps, "permitted": $caps} },
  "root": {"path": $(str "$fs"), "readonly": false},
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64m"]},
    {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
    {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "nodev", "mode=1777"]},
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
    {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev", "ro"]},
    {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]}$more
  ],
  "linux": {
    "cgroupsPath": $(str "$cgroup"),
    "namespaces": [$namespaces],
    ${userns:+\"uidMappings\": $map, \"gidMappings\": $map,}
    "resources": $(object "${resources[@]}")
  }
}
END
supervise "$@"

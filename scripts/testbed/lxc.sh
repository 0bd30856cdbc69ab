#!/bin/bash
# Run one command in a real, limited LXC container (no image, no network) on cgroup v1,
# hybrid or v2.  Needs root.
#
#   lxc.sh [options] -- COMMAND [ARG...]
#
#   -m SIZE     memory limit (K, M, G)          -M SIZE  memory+swap limit
#   -q CPUS     CPU quota, 0.5                  -c LIST  cpuset     -p N  pids limit
#   -l DIR      a mounted lxcfs, laid over /proc and /sys by a mount hook
#   -k HOOK     that hook (default: one that does what LXCFS's own does, for any DIR)
#   -D          Debian's way instead: its common.conf and the hook it includes
#   -u          user namespace: root is uid 100000
#   -N NAME     its name (default lxcfs-test-PID)
#   -i          the command reads our stdin
#   -X CMD      while the container runs, run this shell command on the host, with $NAME,
#               $PID, $DIR: lxc-attach -P "$DIR" -n "$NAME" -- COMMAND
#   -t SECONDS  limit (default 60; exit status 124)
#
# Its root is this machine's /usr and /etc, read-only.  Returns the command's exit
# status; 125 if there could be no container.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/bed.sh"

mem='' memsw='' quota='' cpuset='' pids='' lx='' mount_hook='' debian='' userns='' hook='' limit=60 stdin=''
while getopts m:M:q:c:p:l:k:DuN:iX:t:h o; do
    case $o in
        m) mem=$OPTARG ;; M) memsw=$OPTARG ;; q) quota=$OPTARG ;; c) cpuset=$OPTARG ;;
        p) pids=$OPTARG ;; l) lx=${OPTARG%/} ;; k) mount_hook=$(realpath "$OPTARG") ;; D) debian=1 ;;
        u) userns=1 ;; N) name=$OPTARG ;; i) stdin=1 ;; X) hook=$OPTARG ;; t) limit=$OPTARG ;; *) usage ;;
    esac
done
shift $((OPTIND - 1))
(($#)) || usage
[[ $name == lxcfs-test-* ]] || die "-N: a name that starts with lxcfs-test-"
need lxc-execute lxc-info lxc-stop
[[ -z $lx || -d $lx/proc ]] || die "no $lx/proc: is it mounted?"
bytes mem memsw
microseconds quota
numbers pids limit

# LXC turns clone_children on in the root of v1's cpuset hierarchy
clone=/sys/fs/cgroup/cpuset/cgroup.clone_children was=
if [[ -e $clone ]]; then read -r was < "$clone"; fi
work_dir
c=$dir/$name
host_root "$c/rootfs"

find_pid() { lxc-info -P "$dir" -n "$name" -sH | grep -q RUNNING && lxc-info -P "$dir" -n "$name" -pH; }
destroy() {
    timeout -k 5 20 lxc-stop -P "$dir" -n "$name" -k
    if [[ $was == 0 ]]; then echo 0 > "$clone"; fi
}
view=()
if [[ $userns ]]; then
    chown -R 100000:100000 "$c/rootfs"
    # newuidmap wants root listed in /etc/subuid; in our own view it is
    echo root:100000:65536 > "$dir/subid"
    # shellcheck disable=SC2016     # for that shell
    view=(unshare -m --propagation private sh -c 'mount --bind "$0" /etc/subuid &&
        mount --bind "$0" /etc/subgid && exec "$@"' "$dir/subid")
fi
start() {
    local rc=0
    timeout -k 5 "$limit" "${view[@]}" \
        lxc-execute -P "$dir" -n "$name" -l INFO -o "$dir/log" -- "$@" || rc=$?
    if ! grep -q execute_post_start "$dir/log" 2> /dev/null; then
        grep -E ' (ERROR|WARN) ' "$dir/log" | sed 's/^lxc-execute [^ ]* [^ ]* //' | tail -8 >&2
        rc=125
    fi
    exit "$rc"
}

limits() {
    local key=lxc.cgroup
    if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
        key=lxc.cgroup2
        if [[ $mem ]]; then echo "$key.memory.max = $mem"; fi
        if [[ $memsw ]]; then echo "$key.memory.swap.max = $((memsw - ${mem:-memsw}))"; fi
        if [[ $quota ]]; then echo "$key.cpu.max = $quota 100000"; fi
    else
        if [[ $mem ]]; then echo "$key.memory.limit_in_bytes = $mem"; fi
        if [[ $memsw ]]; then echo "$key.memory.memsw.limit_in_bytes = $memsw"; fi
        if [[ $quota ]]; then echo "$key.cpu.cfs_quota_us = $quota"; fi
    fi
    if [[ $cpuset ]]; then echo "$key.cpuset.cpus = $cpuset"; fi
    if [[ $pids ]]; then echo "$key.pids.max = $pids"; fi
}
{
    echo "lxc.uts.name = $name"
    echo "lxc.rootfs.path = dir:$c/rootfs"
    echo "lxc.net.0.type = empty"
    if [[ $debian ]]; then echo "lxc.include = /usr/share/lxc/config/common.conf"; fi
    echo "lxc.mount.auto = proc:mixed sys:mixed cgroup:mixed:force"
    echo "lxc.mount.entry = /usr usr none rbind,ro 0 0"
    echo "lxc.mount.entry = /etc etc none rbind,ro 0 0"
    echo "lxc.apparmor.profile = unconfined"
    echo "lxc.pty.max = 16"
    echo "lxc.tty.max = 0"
    echo "lxc.cgroup.dir.container = $name"
    echo "lxc.cgroup.dir.monitor = $name.monitor"
    echo "lxc.cgroup.dir.monitor.pivot = $name.pivot"
    if [[ $userns ]]; then
        echo "lxc.idmap = u 0 100000 65536"
        echo "lxc.idmap = g 0 100000 65536"
    fi
    limits
    if [[ $lx ]]; then echo "lxc.hook.mount = ${mount_hook:-$c/mount.hook}"; fi
} > "$c/config"
cat > "$c/mount.hook" <<END
#!/bin/sh -e
ls $lx/proc > /dev/null     # with -u the way to it must be open to uid 100000
for e in $lx/proc/*; do
    d=\$LXC_ROOTFS_MOUNT/proc/\${e##*/}
    if [ -e "\$d" ]; then mount -n --bind "\$e" "\$d"; fi
done
if [ -d $lx/sys/devices/system/cpu ]; then
    mount -n --bind $lx/sys/devices/system/cpu "\$LXC_ROOTFS_MOUNT/sys/devices/system/cpu"
fi
END
chmod 755 "$c/mount.hook"
supervise "$@"

#!/bin/bash
# Capture the real hosts of testdata/hosts anew: containers on this machine, and in guests
# with other kernels and cgroup layouts.  Needs root and scripts/testbed/setup.sh.
#
#   corpus.sh here                   this machine's kernel
#   corpus.sh KERNEL LAYOUT...       guests: corpus.sh 6.12 v2, corpus.sh 5.10 v1 hybrid
#   corpus.sh systemd KERNEL         a unit of systemd with namespaces of its own, on v2
#
#   HOSTS      where to (default testdata/hosts)
#   CTL      lxcfsctl (default bin/lxcfsctl)
#
# A capture is of one moment: its numbers change each time, and its answers with them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bed=scripts/testbed
HOSTS=$(realpath "${HOSTS:-testdata/hosts}") CTL=$(realpath "${CTL:-bin/lxcfsctl}")
usage() { sed -n '2,/^set -/p' "$0" | sed '$d; s/^# \?//' >&2; exit 2; }

# shellcheck disable=SC2016     # for the container's shell
# What every container does: memory of each kind, some CPU time, a thread that runs on.
work='d=/dev/shm; [ -d $d ] || d=/tmp
      dd if=/dev/zero of=$d/data bs=1M count=12 2>/dev/null
      dd if=/usr/bin/perl of=/dev/null bs=1M 2>/dev/null
      i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done
      echo ready > $d/ready
      sleep 600 & sleep 601 & wait'

capture() {                     # script and its options: capture such a container
    local script=$1
    shift
    rm -f "$FILE"
    # In a guest with a disk a process writes to it in the container's cgroup, whose own may not.
    # shellcheck disable=SC2016     # for the shell of -X
    "$bed/$script" -t 150 "$@" -X '
        cg=$(sed -n "s,^[0-9]*:[a-z_\,]*blkio[a-z_\,]*:,/sys/fs/cgroup/blkio,p" /proc/$PID/cgroup)
        v2=/sys/fs/cgroup
        [ ! -e $v2/unified ] || v2=$v2/unified
        [ -n "$cg" ] || cg=$v2$(sed -n "s,^0::,,p" /proc/$PID/cgroup)
        [ ! -b /dev/scratch ] || (echo $BASHPID > $cg/cgroup.procs && dd if=/dev/zero of=/dev/scratch bs=64k count=32 oflag=direct 2> /dev/null)
        for _ in $(seq 600); do [ -e /proc/$PID/root/dev/shm/ready -o -e /proc/$PID/root/tmp/ready ] && break; sleep 0.1; done
        "$CTL" capture --pid $PID --enable-cfs --comment "$WHY" -o "$FILE"; kill -9 $PID' -- sh -c "$work" || true
    [[ -s $FILE ]]              # the command was killed, and the status is one of that
}
export CTL FILE WHY

containers() {                  # of the running kernel; $1 names it
    local n=$1
    for FILE in "$HOSTS/$n"-{crun,runc,podman,lxc}.txtar; do
        case $FILE in
            *-crun.txtar)
                WHY="crun, 64 MiB of memory, 96 MiB with swap, CPU 1 only: an id that is not 0 alone is visible."
                capture container.sh -R crun -m 64M -M 96M -c 1 ;;
            *-runc.txtar)
                WHY="runc in a user namespace, half a CPU by quota and no cpuset: one of two CPUs is shown."
                capture container.sh -R runc -u -m 128M -q 0.5 ;;
            *-podman.txtar)
                WHY="podman, whose cgroup lies a level below the one it was given: the names of libpod."
                capture podman.sh -m 100M -q 1.5 ;;
            *-lxc.txtar)
                WHY="LXC, limits on both CPUs and on memory: paths as LXC makes them."
                capture lxc.sh -m 80M -c 0-1 ;;
        esac
    done
}

unit() {                        # of systemd; $1 names its host
    WHY="a unit of systemd in a slice of a slice, the quota on the unit and the memory limit on the slice."
    systemd-run -q --unit=web --slice=prod-web.slice -p CPUQuota=150% -p AllowedCPUs=1 \
        unshare --pid --fork --kill-child --mount-proc sh -c "$work"
    systemctl set-property --runtime prod-web.slice MemoryMax=64M
    local main pid=''
    for _ in {1..600}; do
        main=$(systemctl show -P MainPID web)
        pid=$(cat "/proc/$main/task/$main/children" 2> /dev/null) || true
        if [[ $main != 0 && -n $pid && -e /dev/shm/ready ]]; then break; fi
        sleep 0.1
    done
    "$CTL" capture --pid "${pid% }" --enable-cfs --comment "$WHY" -o "$HOSTS/$1-systemd.txtar"
    systemctl stop web
}

guest() {                       # options of vm.sh, and what to do there
    local rc
    for _ in 1 2 3; do          # an emulated processor may miss that its kernel patches itself, and panic: 125
        rc=0
        "$bed/vm.sh" -m 1024 -n 2 -s 256 -d 16 -t 400 -w "$HOSTS" -C "$PWD" -e HOSTS="$HOSTS" -e CTL="$CTL" "$@" || rc=$?
        [[ $rc == 125 ]] || return $rc
    done
    return $rc
}

case ${1:-} in
    here)
        layout=v1
        if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
            layout=v2
        elif [[ -e /sys/fs/cgroup/unified/cgroup.controllers ]]; then
            layout=hybrid
        fi
        containers "$(uname -r | cut -d. -f1,2)-$layout" ;;
    systemd) guest -i -k "$2" -c v2 -- scripts/corpus.sh unit "$2-v2" ;;
    inside) containers "$2" ;;
    unit) unit "$2" ;;
    [1-9]*)
        kernel=$1
        shift
        for layout; do
            guest -k "$kernel" -c "$layout" -- scripts/corpus.sh inside "$kernel-$layout"
        done ;;
    *) usage ;;
esac

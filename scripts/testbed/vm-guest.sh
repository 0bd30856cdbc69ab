#!/bin/busybox sh
# shellcheck shell=dash disable=SC1090,SC1091,SC2016,SC2093,SC2094,SC2231
# /init of vm.sh's guests (busybox ash; runs inside the virtual machine).
#
# First as the initrd's init: reach the host's root read-only over virtiofs, put a
# tmpfs over it, set up mounts, cgroups, swap and shares, switch root.  Then, started
# again with "run" as PID 1 of the real root: run the command, report its exit
# status over a virtio port, power off.
# Shell builtins are used where they can be: a process start costs 10-50 ms here.

B=/bin/busybox
at=                             # where /sys and /dev are while we set up
say() { echo "vm-guest: $*"; }
off() { $B poweroff -f; $B sleep 30; }
port() {                        # device node of the virtio port named $1
    local d n
    for d in $at/sys/class/virtio-ports/*; do
        read -r n < "$d/name" && [ "$n" = "$1" ] && { echo "$at/dev/${d##*/}"; return; }
    done
}
status() { echo "$*" > "$(port status)"; }
fatal() { say "FATAL: $*"; status "fatal $*"; off; }

# ---------------------------------------------------------------- second start
if [ "$1" = run ]; then
    job=$2
    . "$job/opts"
    # Disks: swap first, then scratch.  (Modules come from the real root by now.)
    dev=a
    if [ "$DISK" -gt 0 ] || { [ "$SWAP_MIB" -gt 0 ] && [ "$SWAP_KIND" = disk ]; }; then
        /sbin/modprobe virtio_blk || fatal "no virtio_blk module"
        i=0
        while [ ! -b /dev/vda ] && [ $i -lt 50 ]; do $B usleep 50000; i=$((i + 1)); done
    fi
    if [ "$SWAP_MIB" -gt 0 ]; then
        if [ "$SWAP_KIND" = zram ]; then
            /sbin/modprobe zram num_devices=1 || fatal "no zram module"
            swap=/dev/zram0
            echo $((SWAP_MIB * 1048576)) > /sys/block/zram0/disksize || fatal "zram disksize"
        else
            swap=/dev/vda; dev=b
        fi
        { $B mkswap $swap > /dev/null && $B swapon $swap; } || fatal "swap on $SWAP_KIND"
    fi
    [ "$DISK" -eq 0 ] || $B ln -sfn vd$dev /dev/scratch
    # stdout and stderr travel through pipes: the command may reopen /dev/stdout,
    # and sees no terminal.  Both are kept open (7, 8) until the command is done.
    $B mkfifo /run/vm.out /run/vm.err
    $B cat < /run/vm.out > "$(port stdout)" & c1=$!
    $B cat < /run/vm.err > "$(port stderr)" & c2=$!
    exec 7> /run/vm.out 8> /run/vm.err
    . "$job/env"
    cd "$CWD" 2>/dev/null || cd /
    read -r up _ < /proc/uptime
    say "ready after ${up} s, running the command"
    status "ready $up"
    # (by full path: this busybox would run its own applets instead of programs)
    ( . "$job/cmd" ) < /dev/null >&7 2>&8 7>&- 8>&- &
    pid=$!
    ( exec 7>&- 8>&-
      $B sleep "$LIMIT"; : > /run/vm.timeout; kill -TERM -$pid
      $B sleep 5; kill -KILL -$pid ) &
    dog=$!
    wait $pid; rc=$?
    kill $dog
    [ -e /run/vm.timeout ] && rc=124
    exec 7>&- 8>&-
    i=0                         # let the pipes drain; a daemon left behind may hold them
    while [ $i -lt 10 ] && { kill -0 $c1 || kill -0 $c2; } 2>/dev/null; do
        $B usleep 50000; i=$((i + 1))
    done
    say "command exited $rc"
    status "exit $rc"
    off
fi

# ---------------------------------------------------------------- first start
R=/root
$B mount -t proc proc /proc
$B mount -t sysfs sysfs /sys
$B mount -t devtmpfs devtmpfs /dev
insmod() { $B insmod "/mod/$1" || say "insmod $1 failed"; }
while read -r m; do insmod "$m"; done < /mod/order
read -r cmdline < /proc/cmdline
job=
for w in $cmdline; do case $w in vm.job=*) job=${w#vm.job=} ;; esac; done
[ -n "$job" ] || { say "FATAL: no vm.job="; off; }

$B mount -t virtiofs -o ro root /ro || fatal "cannot mount the shared root"
[ -e "/ro$job/opts" ] || fatal "$job cannot be seen in the shared root"
. "/ro$job/opts"    # CGROUP_MODE SWAP_MIB SWAP_KIND SHARES LIMIT KREL KDIR CWD EPOCH
$B mount -t tmpfs -o size=80%,mode=755 tmpfs /rw
$B mkdir /rw/upper /rw/work
$B mount -t overlay -o lowerdir=/ro,upperdir=/rw/upper,workdir=/rw/work root $R ||
    fatal "cannot mount the overlay root"
$B mkdir -p $R/proc $R/sys $R/dev/pts $R/dev/shm $R/run $R/lib/modules
$B mount --move /proc $R/proc
$B mount --move /sys $R/sys
$B mount --move /dev $R/dev
at=$R
$B mkdir -p $R/dev/pts $R/dev/shm
{
    echo "devpts $R/dev/pts devpts gid=5,mode=620,ptmxmode=666 0 0"
    echo "shm $R/dev/shm tmpfs mode=1777,nosuid,nodev 0 0"
    echo "run $R/run tmpfs mode=755,nosuid,nodev 0 0"
    [ "$CGROUP_MODE$INIT" = v2 ] && echo "cgroup2 $R/sys/fs/cgroup cgroup2 nsdelegate,memory_recursiveprot 0 0"
} > /fstab
$B mount -a -T /fstab || fatal "mounting the usual file systems failed"
$B ln -sfn /proc/self/fd $R/dev/fd
$B ln -sfn fd/0 $R/dev/stdin
$B ln -sfn fd/1 $R/dev/stdout
$B ln -sfn fd/2 $R/dev/stderr
$B ln -sfn "$KDIR/lib/modules/$KREL" "$R/lib/modules/$KREL"
$B ifconfig lo 127.0.0.1 up
echo "vm-${KREL%%-*}" > $R/proc/sys/kernel/hostname
read -r now < $R/sys/class/rtc/rtc0/since_epoch || now=0
if [ $((now - EPOCH)) -gt 300 ] || [ $((EPOCH - now)) -gt 300 ]; then $B date -s "@$EPOCH" > /dev/null; fi

cg=$R/sys/fs/cgroup
v2_controllers() {              # let the children of $1 have every controller
    local c list
    read -r list < "$1/cgroup.controllers"
    for c in $list; do
        echo "+$c" > "$1/cgroup.subtree_control" || say "cgroup2: cannot enable $c"
    done 2>/dev/null
}
v1_mounts() {                   # every controller on its own, and name=systemd
    local c on
    $B mount -t tmpfs -o mode=755 tmpfs $cg
    while read -r c _ _ on; do
        [ "$on" = 1 ] || continue
        $B mkdir "$cg/$c"
        $B mount -t cgroup -o "$c" "$c" "$cg/$c" 2>/dev/null ||
            { $B rmdir "$cg/$c"; say "cgroup v1: this kernel refuses $c"; }
    done < $R/proc/cgroups
    $B mkdir $cg/systemd
    $B mount -t cgroup -o none,name=systemd systemd $cg/systemd
    # as every v1 system does it: hierarchical memory, cpusets that start filled
    [ ! -e $cg/memory/memory.use_hierarchy ] || echo 1 > $cg/memory/memory.use_hierarchy
    [ ! -e $cg/cpuset/cgroup.clone_children ] || echo 1 > $cg/cpuset/cgroup.clone_children
}
case $CGROUP_MODE$INIT in       # (systemd mounts its own)
    v2) v2_controllers $cg ;;
    v1) v1_mounts ;;
    hybrid)
        v1_mounts
        $B mkdir $cg/unified
        $B mount -t cgroup2 -o nsdelegate cgroup2 $cg/unified || fatal "cannot mount cgroup2"
        v2_controllers $cg/unified ;;
esac

i=0
eval "set -- $SHARES"
for dir; do
    $B mkdir -p "$R$dir"
    $B mount -t virtiofs "share$i" "$R$dir" || fatal "cannot mount the share $dir"
    i=$((i + 1))
done

if [ "$INIT" = systemd ]; then  # PID 1 is systemd, we are one of its services
    $B rm -f $R/.dockerenv $R/run/.containerenv     # or systemd would take this for a container
    u=$R/run/systemd/system
    $B mkdir -p $u
    # what a machine without hardware, network and state does not need
    for m in systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket \
        systemd-udev-trigger.service systemd-udev-settle.service systemd-hwdb-update.service \
        systemd-firstboot.service systemd-random-seed.service systemd-pstore.service \
        systemd-boot-random-seed.service systemd-machine-id-commit.service ldconfig.service \
        systemd-journal-flush.service systemd-journal-catalog-update.service \
        systemd-update-done.service systemd-update-utmp.service systemd-remount-fs.service \
        systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service systemd-sysusers.service \
        modprobe@.service kmod-static-nodes.service dev-hugepages.mount dev-mqueue.mount \
        sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
        sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount; do
        $B ln -sf /dev/null "$u/$m"
    done
    cat_unit() { while IFS= read -r l; do echo "$l"; done; }
    cat_unit > $u/vm.service <<EOF
[Unit]
Description=the command of vm.sh
Requires=basic.target
After=basic.target
[Service]
Type=oneshot
TimeoutStartSec=infinity
ExecStart=/bin/busybox sh $job/guest.sh run $job
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
Delegate=yes
EOF
    exec $B switch_root $R /lib/systemd/systemd < $R/dev/console > $R/dev/console 2>&1
    fatal "cannot start systemd"
fi
exec $B switch_root $R /bin/busybox sh "$job/guest.sh" run "$job" \
    < $R/dev/console > $R/dev/console 2>&1
say "FATAL: switch_root failed"
off

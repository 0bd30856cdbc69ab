#!/bin/bash
# Run one command in a throw-away virtual machine with a Debian kernel, over a
# read-only copy-on-write view of this machine's own root file system.
#
#   vm.sh [options] -- COMMAND [ARG...]
#
#   -k KERNEL   5.10 | 6.1 | 6.12 | 6.18 | 7.3 ... or an exact version  (default 6.12)
#   -c MODE     v2 (pure, v1 disabled; default) | v1 | hybrid | none
#   -m MIB      guest memory (default 1024)
#   -n CPUS     guest CPUs (default 2; may exceed the machine's)
#   -s MIB      swap, 0 = none (default 0)
#   -S KIND     zram (default) | disk (a sparse file on the host)
#   -d MIB      an empty scratch disk, /dev/scratch in the guest (io controller, diskstats)
#   -w DIR      share DIR read-write, at the same path (repeatable); everything
#               else the guest writes is lost
#   -e VAR=VAL  environment of the command (repeatable)
#   -C DIR      working directory (default: the current one)
#   -t SECONDS  limit of the command (default 300); the whole VM gets 90 s more
#   -a ARGS     more kernel arguments
#   -L FILE     keep the guest's console log there; without it a guest that fails leaves
#               its log as ${OUT:-out}/vm-KERNEL-MODE-PID.console
#   -I          the guest's clock counts instructions (emulation only): figures of time that a
#               busy machine cannot upset
#   -i          systemd is the guest's PID 1 and the command runs in system.slice
#               (systemctl, systemd-run, systemd cgroup drivers; boots slower)
#   -v          one line of timing on stderr at the end
#
# The command's stdout and stderr come out separately, its exit status is returned.
# 124: the command ran past its limit.  125: the VM failed (see the console log).
# Needs root, /usr/lib/qemu/virtiofsd and the packages of setup.sh.  No network
# device is given to the guest.  What the host has mounted on /proc, /sys, /dev and
# /run, and its FUSE mounts, are not visible in the guest, which has its own.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
die() { echo "vm: $*" >&2; exit 125; }
usage() { sed -n '2,/^set -/p' "$0" | sed '$d; s/^# \?//' >&2; exit 2; }

kernel=6.12 mode=v2 mem=1024 cpus=2 swap=0 swapkind=zram limit=300 kargs='' log='' verbose='' init='' disk=0 icount=()
cwd=$PWD shares=() envs=()
while getopts k:c:m:n:s:S:d:w:e:C:t:a:L:Iivh o; do
    case $o in
        k) kernel=$OPTARG ;; c) mode=$OPTARG ;; m) mem=$OPTARG ;; n) cpus=$OPTARG ;;
        s) swap=$OPTARG ;; S) swapkind=$OPTARG ;; d) disk=$OPTARG ;; t) limit=$OPTARG ;; a) kargs=$OPTARG ;;
        w) shares+=("$(realpath -e "$OPTARG")") || die "no such directory: $OPTARG" ;;
        e) [[ $OPTARG == [A-Za-z_]*=* ]] || die "-e wants VAR=VAL"; envs+=("$OPTARG") ;;
        C) cwd=$(realpath -e "$OPTARG") || die "no such directory: $OPTARG" ;;
        L) log=$OPTARG ;; v) verbose=1 ;; I) icount=(-icount 'shift=3,sleep=off') ;; i) init=systemd ;; *) usage ;;
    esac
done
shift $((OPTIND - 1))
(($#)) || usage
[[ $mode =~ ^(v1|v2|hybrid|none)$ ]] || die "-c: v1, v2, hybrid or none"
[[ $swapkind =~ ^(zram|disk)$ ]] || die "-S: zram or disk"
for n in mem cpus swap disk limit; do [[ ${!n} =~ ^[0-9]+$ ]] || die "$n is not a number: ${!n}"; done
((EUID == 0)) || die "needs root"
virtiofsd=
for f in /usr/lib/qemu/virtiofsd /usr/libexec/virtiofsd; do [[ -x $f ]] && virtiofsd=$f; done
[[ -n $virtiofsd ]] || die "no virtiofsd (run setup.sh vm)"
command -v qemu-system-x86_64 >/dev/null || die "no qemu-system-x86_64 (run setup.sh vm)"

kdir=$("$here/vm-kernel.sh" "$kernel") || die "no kernel $kernel"
krel=$(basename "$kdir")

# KVM only where the processor really has it: a /dev/kvm without vmx/svm (a PVM
# host) opens, but emulates an ordinary guest kernel in software, a thousand times slower.
accel=${VM_ACCEL:-tcg}
if [[ -z ${VM_ACCEL:-} && -w /dev/kvm ]] && grep -qwE 'vmx|svm' /proc/cpuinfo; then accel=kvm; fi
case $accel in
    kvm) accelargs=(-accel kvm -cpu host) ;;
    tcg) accelargs=(-accel 'tcg,thread=single,tb-size=256' -cpu 'max,la57=off,smap=off,smep=off') ;;
    *)   die "VM_ACCEL: kvm or tcg" ;;
esac

((${#icount[@]} == 0)) || [[ $accel == tcg ]] || die "-I needs emulation: VM_ACCEL=tcg"

t0=$EPOCHREALTIME
job=$(mktemp -d /tmp/lxcfs-test-vm.XXXXXX)
pids=()
result=
keep_console() {                # asked for, or of a guest that failed
    [[ -s $job/console ]] || return 0
    if [[ -z $log ]]; then
        [[ $result != 0 ]] || return 0
        mkdir -p "${OUT:-out}"
        log=${OUT:-out}/vm-$krel-$mode-$$.console
        echo "vm: the guest's console log is $log" >&2
    fi
    cp "$job/console" "$log"
}
cleanup() {
    local rc=$? p
    for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done
    for p in "${pids[@]}"; do wait "$p" 2>/dev/null || true; done
    keep_console
    # "ro" is a mount point, in another namespace only; if it is not empty here, leave it all
    if [[ ! -e $job/ro ]] || rmdir "$job/ro"; then rm -rf --one-file-system "$job"; fi
    exit "$rc"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# --- the job, read by the guest's shell through the shared root
q() { local a; for a; do printf "'%s' " "${a//\'/\'\\\'\'}"; done; }
var() { printf '%s=' "$1"; shift; q "$*"; printf '\n'; }
cp "$here/vm-guest.sh" "$job/guest.sh"
{
    for v in HOME=/root USER=root TERM=dumb LANG=C.UTF-8 LXCFS_TEST_GUEST=1 "PATH=$PATH" "${envs[@]}"; do
        printf 'export '; var "${v%%=*}" "${v#*=}"
    done
} > "$job/env"
{ printf 'exec /usr/bin/setsid -- '; q "$@"; printf '\n'; } > "$job/cmd"
{
    var CGROUP_MODE "$mode"; var SWAP_MIB "$swap"; var SWAP_KIND "$swapkind"; var DISK "$disk"; var LIMIT "$limit"
    var KREL "$krel"; var KDIR "$kdir"; var CWD "$cwd"; var EPOCH "$EPOCHSECONDS"
    var INIT "$init"; var SHARES "$(q "${shares[@]}")"
} > "$job/opts"
mkdir "$job/init"
cp "$here/vm-guest.sh" "$job/init/init"
chmod 755 "$job/init/init"
{ cat "$kdir/initrd"; (cd "$job/init" && echo init | busybox cpio -o -H newc 2>/dev/null); } > "$job/initrd"
mkdir "$job/ro"
mkfifo "$job/stdout" "$job/stderr"
: > "$job/status"; : > "$job/console"

# --- virtiofsd: the root, with the disk-like mounts below it, through read-only bind
# mounts in a private namespace
subs=()
while read -r target _; do
    case $target in
        /|*\\*|"$job"*|/proc|/proc/*|/sys|/sys/*|/dev|/dev/*|/run|/run/*) ;;
        *) subs+=("$target") ;;
    esac
done < <(findmnt -rn -o TARGET,FSTYPE -t ext4,ext3,ext2,xfs,btrfs,f2fs,zfs,overlay,tmpfs || true)
# shellcheck disable=SC2016     # for that shell
unshare -m --propagation private sh -c '
    ro=$1 daemon=$2 socket=$3; shift 3
    mount --bind / "$ro" && mount -o remount,bind,ro "$ro" || exit 1
    for m; do
        if [ -d "$m" ]; then mount --bind "$m" "$ro$m" && mount -o remount,bind,ro "$ro$m"; fi 2>/dev/null
    done
    exec "$daemon" --socket-path="$socket" -f -o source="$ro" -o cache=always -o log_level=err' \
    sh "$job/ro" "$virtiofsd" "$job/root.sock" "${subs[@]}" >>"$job/virtiofsd.log" 2>&1 &
pids+=($!)
fsargs=(-chardev "socket,id=root,path=$job/root.sock"
        -device "vhost-user-fs-pci,chardev=root,tag=root,queue-size=1024")
i=0
for dir in "${shares[@]}"; do
    "$virtiofsd" --socket-path="$job/share$i.sock" -f -o source="$dir" -o cache=none \
        -o log_level=err >>"$job/virtiofsd.log" 2>&1 &
    pids+=($!)
    fsargs+=(-chardev "socket,id=share$i,path=$job/share$i.sock"
             -device "vhost-user-fs-pci,chardev=share$i,tag=share$i")
    i=$((i + 1))
done
for s in root $(seq -f 'share%g' 0 $((i - 1))); do
    for _ in {1..100}; do [[ -S $job/$s.sock ]] && break; sleep 0.05; done
    [[ -S $job/$s.sock ]] || { cat "$job/virtiofsd.log" >&2; die "virtiofsd for '$s' did not start"; }
done

diskargs=()
if ((swap > 0)) && [[ $swapkind == disk ]]; then
    truncate -s "${swap}M" "$job/swap.img"
    diskargs+=(-drive "file=$job/swap.img,format=raw,if=virtio,cache=unsafe")
fi
if ((disk > 0)); then
    truncate -s "${disk}M" "$job/scratch.img"
    diskargs+=(-drive "file=$job/scratch.img,format=raw,if=virtio,cache=unsafe")
fi

[[ $mode == v2 ]] && kargs="cgroup_no_v1=all $kargs"
if [[ $init ]]; then
    [[ -x /lib/systemd/systemd ]] || die "-i: no /lib/systemd/systemd (package systemd)"
    case $mode in
        v2)     kargs="systemd.unified_cgroup_hierarchy=1 $kargs" ;;
        hybrid) kargs="systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=0 $kargs" ;;
        v1)     kargs="systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1 $kargs" ;;
        none)   die "-i needs -c v2, hybrid or v1" ;;
    esac
    kargs="systemd.unit=vm.service fstab=no systemd.show_status=no systemd.log_target=console systemd.machine_id=00000000000000000000000000000001 $kargs"
fi
append="console=ttyS0 panic=-1 oops=panic nokaslr mitigations=off tsc=reliable no_timer_check
 noreplace-smp cryptomgr.notests initcall_blacklist=jent_mod_init,crypto_kdf108_init
 nowatchdog rcupdate.rcu_cpu_stall_suppress=1 random.trust_cpu=on psi=1 swapaccount=1
 audit=0 apparmor=0 loglevel=4 vm.job=$job $kargs"

cat "$job/stdout" & out=$!
cat "$job/stderr" >&2 & err=$!
pids+=("$out" "$err")
rc=0
timeout -k 5 $((limit + 90)) qemu-system-x86_64 -nodefaults -no-user-config -no-reboot \
    -display none -monitor none -machine "q35,memory-backend=mem,i8042=off,hpet=off,smbus=off,sata=off,vmport=off" "${accelargs[@]}" "${icount[@]}" \
    -smp "$cpus" -m "$mem" -object "memory-backend-memfd,id=mem,size=${mem}M,share=on" \
    -kernel "$kdir/vmlinux" -initrd "$job/initrd" -append "${append//$'\n'/}" \
    -serial "file:$job/console" -device virtio-rng-pci \
    -device virtio-serial-pci \
    -chardev "file,id=o,path=$job/stdout" -device virtserialport,chardev=o,name=stdout \
    -chardev "file,id=e,path=$job/stderr" -device virtserialport,chardev=e,name=stderr \
    -chardev "file,id=s,path=$job/status" -device virtserialport,chardev=s,name=status \
    "${fsargs[@]}" "${diskargs[@]}" < /dev/null > "$job/qemu.log" 2>&1 &
qemu=$!
pids+=("$qemu")
wait "$qemu" || rc=$?
wait "$out" "$err" 2>/dev/null || true

ready=$(sed -n 's/^ready //p' "$job/status")
result=$(sed -n 's/^exit //p' "$job/status")
[[ -z $verbose ]] || echo "vm: $krel $mode accel=$accel ready=${ready:--}s total=$(
    awk -v a="$t0" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')s exit=${result:-none}" >&2
if [[ -z $result ]]; then
    {
        if ((rc == 124 || rc == 137)); then echo "vm: the VM ran past $((limit + 90)) s"; fi
        sed -n 's/^fatal /vm: guest: /p' "$job/status"
        echo "vm: the guest did not report an exit status (qemu: $rc); end of its console:"
        tail -n 25 "$job/console" | sed 's/^/  | /'
        cat "$job/qemu.log" "$job/virtiofsd.log" | tail -n 10
    } >&2
    exit 125
fi
exit "$result"

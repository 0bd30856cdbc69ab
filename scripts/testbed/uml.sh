#!/bin/bash
# Run one command under Debian's user-mode-linux kernel (6.1, one CPU): a process of
# this machine that is a Linux of its own, with pure cgroup v2 over a read-only
# copy-on-write view of this machine's root.  Starts as fast as vm.sh and computes
# at native speed (vm.sh without KVM: about 20 times slower), but its kernel has no
# cpuset, no hugetlb, no PSI, no SMP and no time namespaces.
#
#   uml.sh [-m MIB] [-t SECONDS] [-s SWAP_MIB] [-e VAR=VAL] [-C DIR] [-v] -- COMMAND [ARG...]
#
# Exit status and output as with vm.sh.  The package is fetched, not installed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/apt-private.sh"
die() { echo "uml: $*" >&2; exit 125; }
usage() { sed -n '2,/^set -/p' "$0" | sed '$d; s/^# \?//' >&2; exit 2; }
mem=1024 limit=300 swap=0 cwd=$PWD envs=() verbose=''
while getopts m:t:s:e:C:vh o; do
    case $o in
        m) mem=$OPTARG ;; t) limit=$OPTARG ;; s) swap=$OPTARG ;; e) envs+=("$OPTARG") ;;
        C) cwd=$(realpath -e "$OPTARG") || die "no such directory: $OPTARG" ;;
        v) verbose=1 ;; *) usage ;;
    esac
done
shift $((OPTIND - 1))
(($#)) || usage
((EUID == 0)) || die "needs root"
command -v busybox >/dev/null || die "missing 'busybox' (run setup.sh vm)"

cache=${TESTBED_CACHE:-/var/cache/lxcfs-testbed}
uml=$cache/uml
if [[ ! -e $uml/ok ]]; then
    mkdir -p "$cache"
    exec 9>"$cache/.lock"
    flock -w 600 9 || die "another script holds $cache/.lock"
    if [[ ! -e $uml/ok ]]; then
        rm -rf "$uml"; mkdir -p "$uml/deb"
        apt_init "$cache/.apt"
        apt_suite bookworm || die "no suite bookworm"
        echo "uml: downloading user-mode-linux" >&2
        (cd "$uml/deb" && apt_get download user-mode-linux) || die "download failed"
        dpkg-deb -x "$uml"/deb/*.deb "$uml/x"
        mkdir "$uml/modules"
        find "$uml/x" \( -name fuse.ko -o -name overlay.ko -o -name zram.ko -o -name zsmalloc.ko \
            -o -name lzo-rle.ko \) -exec cp {} "$uml/modules/" \;
        cp "$uml/x/usr/bin/linux.uml" "$uml/linux"
        gzip -dc "$uml/x/usr/share/doc/user-mode-linux/config.gz" > "$uml/config"
        rm -rf "$uml/deb" "$uml/x"
        : > "$uml/ok"
    fi
    exec 9>&-
fi

t0=$EPOCHREALTIME
job=$(mktemp -d /tmp/lxcfs-test-uml.XXXXXX)
pids=()
cleanup() {
    local rc=$? p
    trap - EXIT; set +e
    for p in "${pids[@]}"; do kill "$p" 2>/dev/null; done
    rm -rf --one-file-system "$job"
    exit "$rc"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

q() { local a; for a; do printf "'%s' " "${a//\'/\'\\\'\'}"; done; }
{
    for v in HOME=/root USER=root TERM=dumb LANG=C.UTF-8 LXCFS_TEST_GUEST=1 "PATH=$PATH" "${envs[@]}"; do
        printf 'export %s=' "${v%%=*}"; q "${v#*=}"; printf '\n'
    done
    printf 'cd %s 2>/dev/null || cd /\nexec /usr/bin/setsid -- ' "$(q "$cwd")"
    q "$@"; printf '\n'
} > "$job/cmd"
mkfifo "$job/1" "$job/2"
mkdir "$job/out"                # the one directory the guest may write
cat > "$job/init" <<EOF
#!/bin/busybox sh
B=/bin/busybox
\$B mount -t proc proc /proc
\$B mount -t tmpfs tmpfs /mnt
\$B mkdir /mnt/up /mnt/work /mnt/root
for m in fuse overlay zsmalloc lzo-rle zram; do \$B insmod $uml/modules/\$m.ko; done 2>/dev/null
\$B mount -t overlay -o lowerdir=/,upperdir=/mnt/up,workdir=/mnt/work root /mnt/root
\$B umount /proc
cd /mnt/root && \$B mount --move . / && exec \$B chroot . /bin/busybox sh $job/init2
EOF
cat > "$job/init2" <<EOF
B=/bin/busybox
\$B mount -t proc proc /proc; \$B mount -t sysfs sysfs /sys; \$B mount -t devtmpfs dev /dev
\$B mkdir -p /dev/pts /dev/shm
\$B mount -t devpts -o ptmxmode=666 devpts /dev/pts; \$B mount -t tmpfs shm /dev/shm; \$B mount -t tmpfs run /run
\$B mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup
for c in \$(\$B cat /sys/fs/cgroup/cgroup.controllers); do echo +\$c > /sys/fs/cgroup/cgroup.subtree_control; done
\$B mkdir -p /run/out; \$B mount -t hostfs -o $job/out none /run/out
if [ $swap -gt 0 ]; then
    echo $((swap << 20)) > /sys/block/zram0/disksize && \$B mkswap /dev/zram0 > /dev/null && \$B swapon /dev/zram0
fi
\$B ifconfig lo 127.0.0.1
\$B stty -F /dev/tty1 raw -echo; \$B stty -F /dev/tty2 raw -echo
\$B mkfifo /run/1 /run/2
\$B cat < /run/1 > /dev/tty1 & c1=\$!
\$B cat < /run/2 > /dev/tty2 & c2=\$!
exec 7> /run/1 8> /run/2
read -r up _ < /proc/uptime; echo \$up > /run/out/ready
( . $job/cmd ) < /dev/null >&7 2>&8 7>&- 8>&- &
wait \$!; rc=\$?
exec 7>&- 8>&-
i=0
while [ \$i -lt 10 ] && { kill -0 \$c1 || kill -0 \$c2; } 2>/dev/null; do \$B usleep 50000; i=\$((i + 1)); done
\$B usleep 50000
echo \$rc > /run/out/rc
\$B sync; \$B poweroff -f
EOF
chmod 755 "$job/init"
cat "$job/1" & pids+=($!); o=$!
cat "$job/2" >&2 & pids+=($!); e=$!
rc=0
{ (exec timeout -k 5 "$limit" "$uml/linux" mem="${mem}M" rootfstype=hostfs rootflags=/ ro init="$job/init" \
    con=null con0=null,fd:5 con1=null,fd:6 con2=null,fd:7 uml_dir="$job/uml" umid=guest \
    loglevel=4 2>&3) || rc=$?; } 3>/dev/null 5> "$job/console" 6> "$job/1" 7> "$job/2" > /dev/null 2>&1 < /dev/null
wait "$o" "$e" 2>/dev/null || true
[[ -z $verbose ]] || echo "uml: ready=$(cat "$job/out/ready" 2>/dev/null)s total=$(
    awk -v a="$t0" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')s" >&2
if [[ ! -s $job/out/rc ]]; then
    if ((rc == 124 || rc == 137)); then echo "uml: ran past its limit of $limit s" >&2; exit 124; fi
    { echo "uml: the guest did not report an exit status ($rc); end of its console:"
      tail -n 15 "$job/console" | sed 's/^/  | /'; } >&2
    exit 125
fi
exit "$(<"$job/out/rc")"

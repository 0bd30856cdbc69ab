# What container.sh, podman.sh and lxc.sh share; sourced by them.
# shellcheck shell=bash
#
# Each of the three sets these from its options and then calls `supervise`:
#   name    of the container, and the prefix of every cgroup made for it
#   dir     a directory of its own under /tmp, gone afterwards
#   limit   seconds the command may take        hook   a command for the host, see -X
#   stdin   non-empty: the command reads our stdin, otherwise /dev/null
# and defines
#   start COMMAND...   becomes (exec) the runtime in the foreground
#   find_pid           prints the host pid of the container's init once it runs
#   destroy            ends the container; called once, whatever happened

bed=${0##*/} bed=${bed%.sh} limit=60
name=lxcfs-test-$$
die() { echo "$bed: $*" >&2; exit 125; }
usage() { sed -n '2,/^set -/p' "$0" | sed '$d; s/^# \?//' >&2; exit 2; }

need() {                        # root and these programs
    local t
    ((EUID == 0)) || die "needs root"
    for t; do command -v "$t" > /dev/null || die "no '$t' here: run setup.sh containers"; done
}

numbers() {                     # the named variables hold a number or nothing
    local n
    for n; do [[ ${!n} =~ ^[0-9]*$ ]] || die "$n is not a number: ${!n}"; done
}

bytes() {                       # the named variables: 64M to 67108864
    local n size
    for n; do
        [[ -n ${!n} ]] || continue
        [[ ${!n} =~ ^([0-9]+)([KMGkmg]?)$ ]] || die "bad size: ${!n}"
        size=${BASH_REMATCH[1]}
        case ${BASH_REMATCH[2]^} in K) size=$((size << 10)) ;; M) size=$((size << 20)) ;; G) size=$((size << 30)) ;; esac
        printf -v "$n" '%s' "$size"
    done
}

microseconds() {                # the named variable: 0.5 CPUs to 50000 us of a 100 ms period
    local frac
    [[ -n ${!1} ]] || return 0
    [[ ${!1} =~ ^([0-9]*)(\.([0-9]{1,5}))?$ ]] || die "bad number of CPUs: ${!1}"
    frac=${BASH_REMATCH[3]}00000
    printf -v "$1" '%s' $((10#${BASH_REMATCH[1]:-0} * 100000 + 10#${frac:0:5}))
}

host_root() {                   # make $1 a root directory for this machine's /usr and /etc
    local l
    mkdir -p "$1"/{usr,etc,proc,sys,dev,tmp,run,root,opt,mnt,var/tmp}
    for l in bin sbin lib lib64 lib32 libx32; do
        if [[ -L /$l ]]; then ln -s "usr/$l" "$1/$l"; fi
    done
}

served() {                      # the files of the lxcfs mount $1 to bind over /proc, for runtime $2
    local f
    shopt -s globstar nullglob
    for f in "$1"/proc/**; do
        f=${f#"$1"}
        # runc refuses a mount on any /proc file that is not in its own list
        if [[ $2 == runc && $f == /proc/pressure/* ]]; then continue; fi
        if [[ -f $1$f && -e $f ]]; then echo "$f"; fi
    done
}

# crun refuses a hybrid machine whose cgroup2 mount offers a controller ("cgroups in
# hybrid mode not supported").  It then runs in a mount namespace of its own in which a
# cgroup stands for the cgroup2 root that offers none: a grandchild, for somebody may let
# the root's children have one.
runtime_wrapper() {             # write $1: the OCI runtime $2, with arguments $3...
    local out=$1 path controllers='' u=/sys/fs/cgroup/unified
    path=$(command -v "$2")
    if [[ -e $u/cgroup.controllers ]]; then read -r controllers < $u/cgroup.controllers || true; fi
    {
        echo '#!/bin/sh'
        if [[ $2 == crun && -n $controllers ]]; then
            mkdir -p "$u/$name/none"
            # shellcheck disable=SC2016     # for that shell
            echo '[ -n "$LXCFS_TEST_NS" ] || exec env LXCFS_TEST_NS=1 unshare -m --propagation private "$0" "$@"'
            echo "mount --bind $u/$name/none $u || exit 125"
        fi
        shift 2
        echo "exec $path $* \"\$@\""
    } > "$out"
    chmod 755 "$out"
}

remove_cgroups() {              # those named after this container; a dying process holds one a moment
    local _
    for _ in {1..100}; do
        find /sys/fs/cgroup -depth -type d \( -path "*/$name" -o -path "*/$name.*" -o -path "*/$name/*" \) \
            -exec rmdir {} + 2> /dev/null
        [[ -n $(find /sys/fs/cgroup -type d -name "$name*" -print -quit 2> /dev/null) ]] || return 0
        sleep 0.05
    done
    echo "$bed: cgroups of $name are left" >&2
}

# shellcheck disable=SC2317     # a trap
cleanup() {
    local rc=$?
    trap - EXIT
    trap '' INT TERM HUP
    set +e
    destroy > /dev/null 2>&1
    if [[ -n ${job:-} ]]; then kill "$job"; wait "$job"; fi 2> /dev/null
    remove_cgroups
    # nothing is mounted here in our namespace; never cross a file system if it were
    rm -rf --one-file-system "$dir"
    exit "$rc"
}

work_dir() {                    # set dir and see to it that everything goes away
    dir=$(mktemp -d "/tmp/$name.XXXXXX")
    chmod 755 "$dir"            # a user namespace's root must reach the root directory
    trap cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

supervise() {                   # run the command, the hook beside it; exits with its status
    local rc=0 hookrc=0 pid=''
    SECONDS=0
    if [[ -n ${stdin:-} ]]; then exec 4<&0; else exec 4< /dev/null; fi
    # always in the background: a trap waits for a foreground command
    (start "$@") <&4 4<&- &
    job=$!
    if [[ -n $hook ]]; then
        while ((SECONDS < limit)) && kill -0 "$job" 2> /dev/null; do
            pid=$(find_pid 2> /dev/null) || pid=
            if [[ $pid =~ ^[1-9][0-9]*$ ]]; then break; fi
            pid=
            sleep 0.05
        done
        if [[ -n $pid ]]; then
            NAME=$name PID=$pid DIR=$dir timeout -k 5 "$limit" bash -c "$hook" || hookrc=$?
        else
            echo "$bed: the container was gone before -X could run" >&2
            hookrc=125
        fi
    fi
    { wait "$job" || rc=$?; } 2> /dev/null      # (not "Killed")
    job=
    if ((rc == 137 && SECONDS >= limit)); then rc=124; fi   # its init ignored SIGTERM
    if ((rc == 124)); then echo "$bed: ran past its limit of $limit s" >&2; fi
    if ((rc == 0)); then rc=$hookrc; fi
    exit "$rc"
}

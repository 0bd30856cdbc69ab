#!/bin/bash
# Install the Debian packages that the test bed needs.  Does nothing to what is there
# already; starts no service; touches no cgroup.
#
#   setup.sh [vm|containers|tools|all]...
#
#   vm          QEMU, virtiofsd and what prepares a kernel: vm.sh, vm-kernel.sh, uml.sh
#   containers  crun, runc, podman, LXC and Debian's LXCFS: container.sh, podman.sh, lxc.sh
#   tools       the programs that the integration tests run inside containers
#   all         the three (default)
set -euo pipefail

vm=(qemu-system-x86 kmod zstd xz-utils lz4 busybox-static util-linux)
containers=(crun runc podman lxc lxcfs fuse3 busybox-static util-linux)
tools=(procps strace htop tmux sysstat util-linux libc-bin busybox-static nodejs default-jre-headless python3-minimal)

want=()
for set in "${@:-all}"; do
    case $set in
        vm)         want+=("${vm[@]}") ;;
        containers) want+=("${containers[@]}") ;;
        tools)      want+=("${tools[@]}") ;;
        all)        want+=("${vm[@]}" "${containers[@]}" "${tools[@]}") ;;
        *)          sed -n '2,/^set -/p' "$0" | sed '$d; s/^# \?//' >&2; exit 2 ;;
    esac
done

missing=()
for p in "${want[@]}"; do
    if [[ $(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null) != installed ]]; then missing+=("$p"); fi
done
((${#missing[@]})) || exit 0
echo "setup: installing ${missing[*]}"

# Debian starts a package's service unless policy-rc.d forbids it; lxcfs and lxc-net
# would mount file systems and make a bridge.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' > $policy
    chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -qq -o DPkg::Lock::Timeout=240 -o Acquire::Retries=3)
timeout 300 "${apt[@]}" update
timeout 900 "${apt[@]}" install -y --no-install-recommends "${missing[@]}" > /dev/null

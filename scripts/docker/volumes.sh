#!/bin/sh
# volumes.sh [DIR]: prints the -v flags that lay the files of the lxcfs mounted on DIR over a container's, for docker run and podman run.
#
# runc refuses mounts over other names in /proc than these (libcontainer's list of safe files).
set -eu

dir=${1:-/var/lib/lxcfs}
for name in cpuinfo diskstats loadavg meminfo slabinfo stat swaps uptime; do
	if [ -e "$dir/proc/$name" ] && [ -e "/proc/$name" ]; then
		printf -- '-v %s:%s ' "$dir/proc/$name" "/proc/$name"
	fi
done
printf -- '-v %s:%s\n' "$dir/sys/devices/system/cpu" /sys/devices/system/cpu

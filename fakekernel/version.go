package fakekernel

import (
	"fmt"
	"strconv"
	"strings"
)

// version is a Linux release, major and minor in one number so that it compares: 6.12 is 6012.
type version int

func parseVersion(s string) (version, error) {
	major, minor, ok := strings.Cut(s, ".")
	a, err1 := strconv.Atoi(major)
	b, err2 := strconv.Atoi(minor)
	if !ok || err1 != nil || err2 != nil || a < 4 || a > 99 || b < 0 || b > 999 {
		return 0, fmt.Errorf("kernel version %q: want MAJOR.MINOR, such as 6.12, from 4.0 on", s)
	}
	return version(a*1000 + b), nil
}

func (v version) String() string { return fmt.Sprintf("%d.%d", int(v)/1000, int(v)%1000) }

// Releases at which a file or key that somebody reads came or went.
const (
	v5_0  version = 5000 // CFQ and its blkio files leave
	v5_5  version = 5005 // flush requests in diskstats
	v5_9  version = 5009 // one set of slab caches for all cgroups
	v5_11 version = 5011 // pagetables, file_thp, shmem_thp in memory.stat
	v5_12 version = 5012 // swapcached in memory.stat
	v5_13 version = 5013 // full line in cpu.pressure, the misc controller
	v5_14 version = 5014 // cgroup.kill, cpu.max.burst
	v5_15 version = 5015 // cpu.idle
	v5_16 version = 5016 // v1 blkio counts only what it throttles
	v5_17 version = 5017 // oom_group_kill in memory.events
	v5_18 version = 5018 // kernel in memory.stat, pgscan_kswapd and relatives
	v5_19 version = 5019 // zswap accounting, memory.reclaim, memory.peak
	v6_0  version = 6000 // vmalloc in memory.stat
	v6_1  version = 6001 // sec_pagetables, cgroup.pressure, pids.peak, workingset on v1
	v6_5  version = 6005 // v1 blkio counts everything again
	v6_6  version = 6006 // cpu.stat.local, cpuset.cpus.exclusive, swapcached on v1
	v6_9  version = 6009 // memory.swap.peak
	v6_10 version = 6010 // blkio counts for a disk only once somebody has limited it
	v6_12 version = 6012 // nice_usec, per-controller counts in cgroup.stat
	v6_15 version = 6015 // Balloon in meminfo
	v6_18 version = 6018 // cgroup.stat.local
	v7_3  version = 7003 // reclaim's counters by node, GPU memory in meminfo; seen there, not when it came
)

// Package compare mounts the C LXCFS beside ours, reads every served file of both from one
// container at the same moment under many limits, and says of each difference which
// deliberate deviation it is. A difference that is none fails, and so does a deviation
// that no setting shows.
//
//	go test -tags integration ./scripts/compare
//
// LXCFS_BIN is ours (default: built), LXCFS_PEER the C one (default: lxcfs from $PATH). See
// scripts/testbed/peer.sh for newer ones, which want a guest with cgroup v2.
package compare

// Deviation is a row of README's table: something ours does differently on purpose.
type Deviation struct {
	ID     string
	Title  string
	Reason string
	// Where it can be seen: the peer's major version, "5" on v1, "6" and "7" on v2.
	Peers string
}

// Deviations are all there are. README's table holds the same rows.
var Deviations = []Deviation{
	{"D1", "Visible CPUs keep their real ids in cpuinfo, stat and online", "an id read anywhere can be pinned to", "567"},
	{"D2", "present, offline, possible and the cpuN directories agree with online", "lscpu, htop, the JVM and sysconf read different ones", "567"},
	{"D3", "stat's CPU time is the container's, from the first read on, and never falls", "monitors compute rates from it", "567"},
	{"D4", "uptime's second field is the idle time of stat, over all visible CPUs", "iostat and mpstat divide one by the other", "567"},
	{"D5", "stat's procs_running and procs_blocked are the container's", "a container does not run the host's tasks", "567"},
	{"D6", "diskstats from io.stat or the throttle files, and never the host's", "the host's disks are not the container's load", "567"},
	{"D7", "slabinfo never shows the host's caches", "on the host only root may read it", "567"},
	{"D8", "proc/pressure everywhere, io included", "v2 calls blkio io, and v1 kernels have PSI too", "567"},
	{"D9", "meminfo lines that a cgroup accounts, or that a limit bounds, are the container's", "the host's say nothing, and a size above MemTotal makes no sense", "567"},
	{"D10", "MemFree and MemAvailable are judged at the level that limits", "siblings use up the same limit", "567"},
	{"D11", "The visible CPUs are those of the effective cpuset", "an explicit cpuset may name CPUs the parents do not grant", "67"},
	{"D12", "With --enable-cfs a quota, an ancestor's too, bounds the CPUs in every file", "it bounds the threads that can run at once", "56"},
	{"D13", "loadavg is the container's without asking for it", "the host's says nothing about the container", "567"},
	{"D14", "Files report size 0 and reads past the end are EOF", "as in procfs", "567"},
	{"D15", "Swap is min(limit, host) where accounting is on, whichever cgroup the daemon is in", "LXCFS 6 and 7 find no accounting from the root cgroup", "67"},
}

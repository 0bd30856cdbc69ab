// Package compare mounts the C LXCFS beside ours, reads every served file of both from one
// container at the same moment under many limits, and says of each difference which
// deliberate deviation it is. A difference that is none fails, and so does a deviation
// that no setting shows.
//
//	go test -tags integration ./scripts/compare
//
// LXCFS_BIN is ours (default: built), LXCFS_PEER the C one (default: lxcfs from $PATH). See
// scripts/testbed/peer.sh for newer ones, which want a guest with cgroup v2:
//
//	scripts/testbed/vm-compare.sh
package compare

import (
	"fmt"
	"strings"
)

// Deviation is a row of README's table: something ours does differently on purpose.
type Deviation struct {
	ID   string
	File string // what differs
	LXCFS,
	Here,
	Why string
	// Where it can be seen: the peer's major version, "5" on v1, "6" and "7" on v2.
	Peers string
}

// Deviations are all that the files show. README's table holds the same rows.
var Deviations = []Deviation{
	{"D1", "cpuinfo, stat, cpu/online", "CPUs renumbered from 0 in some files, real ids in others", "the kernel's ids in every file",
		"programs pin to ids, and abort where files disagree (lxcfs#731, libuv#735)", "567"},
	{"D2", "cpu/present, possible, offline, cpuN", "the host's", "agree with online", "`lscpu`, `htop`, the JVM and sysconf each read another one (lxcfs#627, #548)", "567"},
	{"D3", "CPUs under a cpuset", "`cpuset.cpus`, even where an ancestor grants less", "the effective set", "the kernel runs nothing elsewhere", "67"},
	{"D4", "CPUs under a quota", "5, 6: the container's own; not in stat on v2", "the strictest of all levels, in every file (with `--enable-cfs`)",
		"it bounds the threads that run at once (lxcfs#600)", "56"},
	{"D5", "stat: CPU time", "v2: the host's counters; v1: first read 0, may fall", "the cgroup's, over the visible CPUs; never falls",
		"monitors compute rates from it (lxcfs#593, #554, #643)", "567"},
	{"D6", "uptime: idle", "v2: equals uptime; v1: of one CPU", "that of stat, over the visible CPUs", "`iostat` and `mpstat` divide one by the other", "567"},
	{"D7", "stat: procs_running, procs_blocked", "the host's", "the container's", "a container does not run the host's threads (lxcfs#654)", "567"},
	{"D8", "diskstats", "v2, and v1 without CFQ: the host's", "`io.stat`, or the throttle counters", "CFQ left with Linux 5.0 (lxcfs#653)", "567"},
	{"D9", "pressure", "5, 6: not served; 7: io is the host's", "the cgroup's, io too", "v2 calls blkio io", "567"},
	{"D10", "pressure: triggers", "windows rounded to 2 s, last character lost, a crash on close", "passed on as written, bounded in number", "any container could end the daemon", "7"},
	{"D11", "slabinfo", "v2: the host's", "a header where the cgroup has no list", "a leak: only root may read it on the host", "567"},
	{"D12", "meminfo: other lines", "Mapped, Dirty, AnonHugePages 0; KernelStack, PageTables, Percpu, Committed_AS the host's",
		"what the cgroup accounts; what no cgroup does, the host's up to MemTotal", "`htop` and `free` add lines up", "567"},
	{"D13", "meminfo: MemFree, MemAvailable", "an ancestor's limit less the container's own usage; may wrap around; 5: tmpfs is available", "less the usage at the level that limits; stops at 0; tmpfs is not",
		"siblings use up the same limit (lxcfs#84, #115)", "567"},
	{"D14", "meminfo, swaps: swap", "v2: none when the daemon starts in the root cgroup", "the limit or the host's, wherever the daemon is", "the manual promises it (lxcfs#170, #240)", "67"},
	{"D15", "loadavg", "the host's without `-l`; three levels of cgroups deep", "the container's without asking, the whole subtree", "lxcfs#13, #203, #504", "567"},
	{"D16", "every file: reading", "st_size the host's; EINVAL past the end; a second read of swaps ends in NUL", "as procfs: 0, end of file, none", "`tail -c` and `dd` fail otherwise", "567"},
	{"D17", "every file: permissions", "not enforced; 0444", "the host's mode, enforced by the kernel; the mount is read-only without `--enable-psi-poll`",
		"slabinfo was anybody's; CPUs could be switched off (lxcfs#630)", "567"},
	{"D18", "uptime", "-184467440737093696.00 if init's name has a blank", "right", "systemd and Electron have such names", "567"},
	{"D19", "callers in a root cgroup", "a mixture: SwapTotal 0, MemAvailable above MemTotal", "the host's files", "a root cgroup has no limits", "67"},
	{"D20", "listings while switched off (SIGUSR2)", "EIO", "go on", "LXC's hook lists the mount", "567"},
	{"D21", "/cgroup", "served", "gone", "LXCFS 7 has none", "5"},
}

// CommandLine are the deviations of the daemon's command line, which no file shows, each
// with the test of cmd/lxcfs that pins it. README's list holds the same.
var CommandLine = []struct{ What, Test string }{
	{"Ended by SIGTERM, SIGINT or SIGHUP it exits with status 0, not 1.", "TestSignalsUnmount"},
	{"`--help` and `--version` write to standard output, and both succeed.", "testdata/information.txtar"},
	{"A second daemon that finds the pidfile locked leaves it alone.", "TestSecondInstanceLeavesPidfile"},
	{"`--enable-cgroup` is accepted, and ignored; so are all older flags.", "TestAcceptsFlagsOfLXCFS"},
	{"Errors name the mistake in one line, without the help text.", "testdata/bad-flags.txtar"},
}

// Table is README's section on Deviations and CommandLine.
func Table() string {
	var b strings.Builder
	b.WriteString("| # | what | LXCFS | here | why |\n|---|---|---|---|---|\n")
	for _, d := range Deviations {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", d.ID, d.File, d.LXCFS, d.Here, d.Why)
	}
	b.WriteString("\nOn the command line:\n\n")
	for _, c := range CommandLine {
		fmt.Fprintf(&b, "- %s\n", c.What)
	}
	return b.String()
}

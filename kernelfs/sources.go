package kernelfs

import "strings"

// Source is a pattern of paths that may be read. In Path, PID and CPU stand for a number, CGROUP
// for a cgroup's directory and * for any rest.
type Source struct {
	Path string
	// Whole is set where one read returns all there is: the kernel renders such a file in a single
	// record (seq_file's single_open, kernfs' seq_show), so a read shorter than its buffer is complete.
	// Files of several records end only where a read returns nothing.
	Whole bool
	Doc   string
}

// Sources names every path this package reads. It is documentation, the list of what a capture may
// hold, and what a sandbox around the daemon has to let through.
var Sources = []Source{
	{"/proc", false, "numbers of processes: the list itself, where an init is looked for (before Linux 6.11)"},
	{"/proc/self/mountinfo", false, "where the cgroup hierarchies are mounted"},
	{"/proc/self/ns/pid", false, "the daemon's own pid namespace"},
	{"/proc/PID/ns/pid", false, "a caller's pid namespace"},
	{"/proc/PID/status", true, "NSpid: a process' number in its own pid namespace"},
	{"/proc/PID/stat", true, "an init's start time"},
	{"/proc/PID/personality", true, "whether a reader is of a 32-bit world (arm64)"},
	{"/proc/PID/cgroup", true, "a process' cgroups"},
	{"/proc/PID/task/PID/status", true, "a thread's state"},
	{"/proc/cpuinfo", false, "pass-through lines"},
	{"/proc/diskstats", false, "device names"},
	{"/proc/loadavg", true, "the host's, for callers without a container"},
	{"/proc/meminfo", true, "labels, order, host sizes"},
	{"/proc/pressure/*", true, "the host's, for callers without a container"},
	{"/proc/slabinfo", false, "the host's, for callers without a container"},
	{"/proc/stat", true, "lines that are not per CPU"},
	{"/proc/swaps", false, "the host's, for callers without a container"},
	{"/proc/uptime", true, "the time"},
	{"/sys/devices/system/cpu/*", true, "the tree that ours is laid over"},
	{"/sys/fs/cgroup/*", true, "controllers; cgroup.procs, tasks and the like are of many records"},
}

// listFiles are the cgroup files of many records: Documentation/admin-guide/cgroup-v2.rst calls them
// "new-line separated values".
func whole(path string) bool {
	if rest, ok := strings.CutPrefix(path, "/proc/"); ok {
		switch rest {
		case "cpuinfo", "diskstats", "slabinfo", "swaps", "self/mountinfo":
			return false
		}
		return true
	}
	switch path[strings.LastIndexByte(path, '/')+1:] {
	case "cgroup.procs", "cgroup.threads", "tasks", "memory.kmem.slabinfo":
		return false
	}
	return true
}

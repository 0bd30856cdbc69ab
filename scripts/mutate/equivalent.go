package main

import "strings"

// equivalent are mistakes that are none: the program does the same, so no test could notice. A row names the file ("" for any), a
// part of the line's text and of the mistake's.
var equivalent = []row{
	{"", "len(text) > 0", "0 -> 1", "a line that is left has a character and its end"},
	{"core/cpuinfo.go", `bytes.Index(text, []byte("\n\n")); end >= 0`, "0 -> 1", "a block of one line: read line by line it says the same"},
	{"core/loadavg.go", "if n*fixed1 >= load", ">= -> >", "at equality load is a multiple of fixed1: what is added is rounded off"},
	{"core/core.go", "return max(1, online.Max()+1)", "1 -> 2", "room for a CPU more"},
	{"core/cputime.go", "if p[pBusy] > elapsed", "> -> >=", "no more was used than has elapsed: nothing is owed, and nothing is left to be idle"},
	{"kernelfs/cgroup.go", "if !cg.files[n].CompareAndSwap(nil, f)", "", "the winner of a race and its loser both have a handle on the file; one is kept"},
	{"kernelfs/cpu.go", "return int(min((q.Quota+q.Period-1)/q.Period, maxCPUs))", "1 -> 2", "a nanosecond: quotas and periods are whole microseconds"},
	{"", "unix.O_CLOEXEC, 0)", "0 -> 1", "the mode of a file that is not made"},
	{"kernelfs/trigger.go", "os.O_RDWR, 0)", "0 -> 1", "the mode of a file that is not made"},
	{"kernelfs/host.go", "unix.O_NOCTTY, 0, 0, 0)", "0 -> 1", "the mode of a file that is not made, and arguments that openat does not take"},
	{"kernelfs/host.go", "return -1, e", "1 -> 2", "a descriptor beside an error: nobody looks at it"},
	{"kernelfs/host.go", "f.fd = -1", "1 -> 2", "no descriptor either"},
	{"kernelfs/host.go", "pidfd: -1", "1 -> 2", "no descriptor either"},
	{"kernelfs/host.go", "unix.SYS_CLOSE", "0 -> 1", "the second and third argument of a system call that takes one"},
	{"kernelfs/host.go", "unix.SYS_PREAD64", "0 -> 1", "the fifth and sixth argument of a system call that takes four"},
	{"kernelfs/callers.go", "uintptr(len(link)), 0, 0)", "0 -> 1", "the fifth and sixth argument of a system call that takes four"},
	{"kernelfs/host.go", "n > f.size.Load()", "> -> >=", "the number that is there is stored again"},
	{"kernelfs/host.go", "unix.SYS_STATX", "0 -> 1", "the sixth argument of a system call that takes five"},
	{"kernelfs/host.go", "if cap(b)-len(b) >= n {", ">= -> >", "memory that is had a byte early"},
	{"kernelfs/io.go", "if near >= 0 &&", ">= -> >", "a hint not taken: the entry is looked for, and found"},
	{"kernelfs/process.go", "for at, steps := pid, 0;", "", "a walk that ends early, or late: init is then found among all processes"},
	{"kernelfs/sysfs.go", "Readdir(-1)", "1 -> 2", "any number below 0 means all"},
	{"kernelfs/personality.go", "unix.SYS_PERSONALITY", "0 -> 1", "the second and third argument of a system call that takes one"},
	{"kernelfs/personality.go", "ParseUint", "32 -> 33", "eight hexadecimal digits are 32 bits"},
}

type row struct{ file, line, what, why string }

func (r row) names(m mutation) bool {
	return (r.file == "" || m.file == r.file) && strings.Contains(m.lineText(), r.line) && strings.Contains(m.what, r.what)
}

// isEquivalent reports whether m is in the table.
func isEquivalent(m mutation) bool {
	for _, e := range equivalent {
		if e.names(m) {
			return true
		}
	}
	return false
}

// lineText is the line that m changes.
func (m *mutation) lineText() string {
	lines := strings.Split(string(m.src), "\n")
	return lines[m.line-1]
}

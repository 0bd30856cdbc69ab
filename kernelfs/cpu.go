package kernelfs

import (
	"bytes"
	"time"
)

// CPUTime is the CPU time that a cgroup used since it was made, its children's included. cpu.stat
// (v2) and cpuacct.* (v1), Documentation/admin-guide/cgroup-v1/cpuacct.rst.
type CPUTime struct {
	User, Nice, System time.Duration // User without Nice
	// PerCPU is the time on each CPU, by its number, where the kernel accounts it (v1). Nice is
	// not accounted apart there.
	PerCPU  []CPUUse
	At      At
	SplitAt At // v1: what divides the time into User and System
}

// CPUUse is the time used on one CPU. The sum is exact and never falls; how it divides is sampled, and
// one part may fall while the other grows.
type CPUUse struct{ User, System time.Duration }

// CPUTime reads the cgroup's CPU time into t, whose memory is used again.
func (cg *Cgroup) CPUTime(s *Snapshot, t *CPUTime) error {
	*t = CPUTime{PerCPU: t.PerCPU[:0]}
	return cg.Hierarchy.cpuTime(s, cg, t)
}

// CPUUsed returns the CPU time that the cgroup and all below it used: the sum of cpuacct.usage_percpu (v1), or usage_usec, the
// first line of cpu.stat. On v1 that is less to read than [Cgroup.CPUTime], which needs cpuacct.usage_all to divide it.
func (cg *Cgroup) CPUUsed(s *Snapshot) (sum time.Duration, err error) {
	n, unit := cpuTimePerCPU, time.Nanosecond
	if cg.Hierarchy.Version == 2 {
		n, unit = cpuTime, time.Microsecond
	}
	text, err := cg.read(s, n)
	if err != nil {
		return 0, err
	}
	line, _ := Line(bytes.TrimPrefix(text, []byte("usage_usec ")))
	for {
		var f []byte
		if f, line = Field(line); len(f) == 0 {
			return sum, nil
		}
		v, rest, ok := ParseUint(f)
		if !ok || len(rest) != 0 {
			return 0, &ParseError{cg.file(n).path, 1, errNumber}
		}
		if v > uint64(1<<62/unit) {
			return 0, &ParseError{cg.file(n).path, 1, errRange}
		}
		sum += time.Duration(v) * unit
	}
}

// Quota is the CPU bandwidth limit of a cgroup: Quota of CPU time in each Period.
type Quota struct {
	Quota, Period time.Duration // 0, 0: no limit
	At            At
}

// CPUs returns how many CPUs the quota fills at once, rounded up; 0 without a limit.
func (q Quota) CPUs() int {
	if q.Period <= 0 {
		return 0
	}
	return int(min((q.Quota+q.Period-1)/q.Period, maxCPUs))
}

// less reports whether q is the stricter limit.
func (q Quota) less(x Quota) bool {
	switch {
	case q.Period == 0:
		return false
	case x.Period == 0:
		return true
	}
	return float64(q.Quota)/float64(q.Period) < float64(x.Quota)/float64(x.Period)
}

// Quota returns the strictest CPU quota (cpu.max; v1 cpu.cfs_quota_us and cpu.cfs_period_us) from the
// cgroup up to the root, which has none. A level whose files are missing has no quota.
func (cg *Cgroup) Quota(s *Snapshot) (Quota, error) {
	var strictest Quota
	for at := cg; at != nil && !at.Root(); at = at.parent {
		q, err := at.Hierarchy.quota(s, at)
		if Missing(err) {
			continue
		}
		if err != nil {
			return strictest, err
		}
		if q.less(strictest) {
			strictest = q
			strictest.At = At{at, cpuQuota}
		}
	}
	return strictest, nil
}

// CPUSet appends to dst's memory the CPUs that the cgroup's tasks may run on: cpuset.cpus.effective
// (v1 cpuset.effective_cpus) of the cgroup or, where the controller is not enabled for it or lists
// nothing, of the nearest one above.
func (cg *Cgroup) CPUSet(s *Snapshot, dst CPUList) (CPUList, At, error) {
	var err error
	for at := cg; at != nil; at = at.parent {
		var text []byte
		if text, err = at.read(s, cpusetCPUs); err != nil {
			if Missing(err) {
				continue
			}
			return dst[:0], At{}, err
		}
		if dst, err = ParseCPUList(at.file(cpusetCPUs).path, text, dst); err != nil {
			return dst[:0], At{}, err
		}
		if dst.Count() > 0 {
			return dst, At{at, cpusetCPUs}, nil
		}
	}
	return dst[:0], At{}, err
}

// Online appends to dst's memory the host's online CPUs.
func (s *Snapshot) Online(dst CPUList) (CPUList, error) {
	text, err := s.fs.OnlineCPUs.Shared(s)
	if err != nil {
		return dst[:0], err
	}
	return ParseCPUList(s.fs.OnlineCPUs.path, text, dst)
}

// Now returns the time since boot, from the first number of /proc/uptime, which has a resolution of
// 10 ms and includes suspend (CLOCK_BOOTTIME).
func (s *Snapshot) Now() (time.Duration, error) {
	f := s.fs.Uptime
	text, err := s.Read(f.File)
	if err != nil {
		return 0, err
	}
	sec, rest, ok := ParseUint(text)
	if !ok || len(rest) < 3 || rest[0] != '.' || sec > 1<<32 {
		return 0, &ParseError{f.path, 1, errFormat}
	}
	cs, rest, ok := ParseUint(rest[1:3])
	if !ok || len(rest) != 0 {
		return 0, &ParseError{f.path, 1, errFormat}
	}
	return time.Duration(sec)*time.Second + time.Duration(cs)*10*time.Millisecond, nil
}

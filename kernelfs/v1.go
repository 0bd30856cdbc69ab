package kernelfs

import (
	"bytes"
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// v1 reads Documentation/admin-guide/cgroup-v1/.
type v1 struct {
	noCFQ atomic.Bool // the kernel was seen to be without the CFQ scheduler's files
}

// memoryLimit takes the limit from memory.stat, which has the smallest one up the tree (and knows
// where memory.use_hierarchy ends), and looks for the level that set it, most often the cgroup itself.
func (v *v1) memoryLimit(s *Snapshot, cg *Cgroup) (m MemoryLimit, err error) {
	stat, err := cg.MemoryStat(s)
	if err != nil {
		return m, err
	}
	if !stat.Known(hierarchicalLimit) {
		return m, &ParseError{cg.file(memStat).path, 0, errShort}
	}
	m.UsageAt = At{cg, memUsage}
	m.Limit = v1Limit(stat.Bytes[hierarchicalLimit])
	if m.Limit != NoLimit {
		m.LimitAt = At{cg, memStat}
		for at := cg; at != nil; at = at.parent {
			v, err := at.number(s, memLimit)
			if err != nil {
				return m, err
			}
			if v1Limit(v) == m.Limit {
				m.LimitAt = At{at, memLimit}
				m.UsageAt.Cgroup = at
				break
			}
		}
	}
	m.Usage, err = m.UsageAt.Cgroup.number(s, memUsage)
	return m, err
}

func v1Limit(b Bytes) Bytes {
	if uint64(b) >= v1NoLimit {
		return NoLimit
	}
	return b
}

// swap: without swap accounting (swapaccount=0) there are no memsw files.
func (v *v1) swap(s *Snapshot, cg *Cgroup) (w Swap, err error) {
	both, err := cg.number(s, swapUsage)
	if Missing(err) {
		return w, nil
	}
	if err != nil {
		return w, err
	}
	used, err := cg.number(s, memUsage)
	if err != nil {
		return w, err
	}
	w.Usage, w.UsageAt = both.Sub(used), At{cg, swapUsage}
	stat, err := cg.MemoryStat(s)
	if err != nil {
		return w, err
	}
	if !stat.Known(hierarchicalMemsw) {
		return w, &ParseError{cg.file(memStat).path, 0, errShort}
	}
	w.Limit, w.LimitAt = v1Limit(stat.Bytes[hierarchicalMemsw]), At{cg, memStat}
	n, err := cg.number(s, swappiness)
	if err != nil {
		return w, err
	}
	w.Swappiness = int(min(n, 200))
	w.Accounted = true
	return w, nil
}

func (v *v1) quota(s *Snapshot, cg *Cgroup) (Quota, error) {
	text, err := cg.read(s, cpuQuota)
	if err != nil || bytes.HasPrefix(text, []byte("-")) {
		return Quota{}, err
	}
	path := cg.file(cpuQuota).path
	quota, err := oneNumber(path, text)
	if err != nil {
		return Quota{}, err
	}
	period, err := cg.number(s, cpuPeriod)
	if err != nil {
		return Quota{}, err
	}
	return newQuota(path, uint64(quota), uint64(period))
}

// cpuTime reads cpuacct.usage_percpu, exact and in nanoseconds, and divides it into user and system as
// cpuacct.usage_all does, whose rows are what the timer found running: on kernels from 5.10 to 6.18 they
// add up to as little as a fifth of what a throttled cgroup used. Before Linux 4.8 cpuacct.stat divides
// the time of all CPUs. Archives captured by earlier versions have usage_all alone.
func (v *v1) cpuTime(s *Snapshot, cg *Cgroup, t *CPUTime) error {
	all, err := cg.usageAll(s)
	if err != nil && !Missing(err) {
		return err
	}
	if err == nil {
		t.SplitAt = At{cg, cpuTime}
		if err := t.parseUsageAll(cg.file(cpuTime).path, all); err != nil {
			return err
		}
	}
	text, err := cg.read(s, cpuTimePerCPU)
	switch {
	case Missing(err) && t.SplitAt.Cgroup != nil:
		t.At = t.SplitAt
		t.sum()
		return nil
	case err != nil:
		return err
	}
	var both CPUUse
	if t.SplitAt.Cgroup == nil {
		if both, err = v.ticks(s, cg); err != nil {
			return err
		}
		t.SplitAt = At{cg, cpuTimeTotals}
	}
	t.At = At{cg, cpuTimePerCPU}
	err = t.parseUsagePerCPU(cg.file(cpuTimePerCPU).path, text, both)
	t.sum()
	return err
}

// ticks reads cpuacct.stat, which is in USER_HZ: only how it divides matters.
func (v *v1) ticks(s *Snapshot, cg *Cgroup) (CPUUse, error) {
	text, err := cg.read(s, cpuTimeTotals)
	if err != nil {
		return CPUUse{}, err
	}
	user, system, err := parseCpuacctStat(cg.file(cpuTimeTotals).path, text)
	return CPUUse{time.Duration(user), time.Duration(system)}, err
}

// usageAll returns the text of cpuacct.usage_all, on the machine's own files at most 10 ms old: that is
// how often a timer samples, or not much more.
func (cg *Cgroup) usageAll(s *Snapshot) ([]byte, error) {
	f := cg.split.Load()
	if f == nil {
		f = &HostFile{File: cg.file(cpuTime), ttl: cg.Hierarchy.fs.split}
		if !cg.split.CompareAndSwap(nil, f) {
			f = cg.split.Load()
		}
	}
	return f.Shared(s)
}

func (t *CPUTime) sum() {
	for _, u := range t.PerCPU {
		t.User += min(u.User, math.MaxInt64-t.User)
		t.System += min(u.System, math.MaxInt64-t.System)
	}
}

// at returns the entry of a CPU, growing the list: rows are named by CPU number, and need not be in
// order or complete.
func (t *CPUTime) at(cpu int) *CPUUse {
	for len(t.PerCPU) <= cpu {
		t.PerCPU = append(t.PerCPU, CPUUse{})
	}
	return &t.PerCPU[cpu]
}

// parseUsageAll reads "cpu user system" and a row "0 12 34" for each possible CPU.
func (t *CPUTime) parseUsageAll(path string, text []byte) error {
	line, text := Line(text)
	if !bytes.HasPrefix(line, []byte("cpu user system")) {
		return &ParseError{path, 1, errFormat}
	}
	for n := 2; len(text) > 0; n++ {
		line, text = Line(text)
		var v [3]uint64
		for i := range v {
			var f, rest []byte
			var ok bool
			f, line = Field(line)
			if v[i], rest, ok = ParseUint(f); !ok || len(rest) != 0 {
				return &ParseError{path, n, errNumber}
			}
		}
		if v[0] >= maxCPUs || v[1] > 1<<62 || v[2] > 1<<62 {
			return &ParseError{path, n, errRange}
		}
		*t.at(int(v[0])) = CPUUse{time.Duration(v[1]), time.Duration(v[2])}
	}
	return nil
}

// parseUsagePerCPU reads one number for each possible CPU, all on one line, and divides it as the CPU's
// entry was, or as all if the entry is empty.
func (t *CPUTime) parseUsagePerCPU(path string, text []byte, all CPUUse) error {
	for cpu := 0; ; cpu++ {
		var f []byte
		if f, text = Field(text); len(f) == 0 {
			return nil
		}
		v, rest, ok := ParseUint(f)
		if !ok || len(rest) != 0 {
			return &ParseError{path, 1, errNumber}
		}
		if cpu >= maxCPUs || v > 1<<62 {
			return &ParseError{path, 1, errRange}
		}
		u := t.at(cpu)
		if *u == (CPUUse{}) {
			*u = all
		}
		*u = u.divide(v)
	}
}

// divide splits total, in nanoseconds, as u is: too little for a sample is user time.
func (u CPUUse) divide(total uint64) CPUUse {
	user := total
	if sum := uint64(u.User) + uint64(u.System); sum > 0 {
		hi, lo := bits.Mul64(total, uint64(u.User))
		user, _ = bits.Div64(hi, lo, sum)
	}
	return CPUUse{time.Duration(user), time.Duration(total - user)}
}

// parseCpuacctStat reads "user 1\nsystem 2\n", in USER_HZ.
func parseCpuacctStat(path string, text []byte) (user, system uint64, err error) {
	for n := 1; len(text) > 0; n++ {
		var line []byte
		line, text = Line(text)
		key, rest := Field(line)
		num, _ := Field(rest)
		v, _, ok := ParseUint(num)
		if !ok {
			return 0, 0, &ParseError{path, n, errNumber}
		}
		if v > 1<<62 {
			return 0, 0, &ParseError{path, n, errRange}
		}
		switch string(key) {
		case "user":
			user = v
		case "system":
			system = v
		}
	}
	return user, system, nil
}

func (v *v1) io(s *Snapshot, cg *Cgroup, list []DeviceIO) ([]DeviceIO, At, error) {
	if !v.noCFQ.Load() {
		list, err := cfq(s, cg, list)
		if !Missing(err) {
			return list, At{cg, ioStat}, err
		}
	}
	list = list[:0]
	for _, n := range []name{throttleBytes, throttleServiced} {
		text, err := cg.read(s, n)
		if err != nil {
			return list, At{}, err
		}
		list, err = parseBlkio(cg.file(n).path, text, list, func(d *DeviceIO, op []byte, v uint64) {
			switch c := d.count(op); {
			case c == nil:
			case n == throttleBytes:
				c.Bytes = Bytes(v)
			default:
				c.Ops = v
			}
		})
		if err != nil {
			return list, At{}, err
		}
	}
	v.noCFQ.Store(true) // this cgroup is there, so it is the kernel that has no others
	return list, At{cg, throttleBytes}, nil
}

// cfq reads the files that the CFQ scheduler kept up to Linux 4.20. Times are in nanoseconds.
func cfq(s *Snapshot, cg *Cgroup, list []DeviceIO) ([]DeviceIO, error) {
	for _, n := range []name{ioStat, ioServiced, ioMerged, ioWaitTime, ioServiceTime} {
		text, err := cg.read(s, n)
		if err != nil {
			return list, err
		}
		list, err = parseBlkio(cg.file(n).path, text, list, func(d *DeviceIO, op []byte, v uint64) {
			if n == ioServiceTime && string(op) == "Total" {
				d.Busy = time.Duration(min(v, 1<<62))
			}
			c := d.count(op)
			if c == nil {
				return
			}
			switch n {
			case ioStat:
				c.Bytes = Bytes(v)
			case ioServiced:
				c.Ops = v
			case ioMerged:
				c.Merged = v
			default:
				// Each of the two times is cut to milliseconds before they are added.
				c.Time += time.Duration(min(v, 1<<62)).Truncate(time.Millisecond)
			}
		})
		if err != nil {
			return list, err
		}
	}
	return list, nil
}

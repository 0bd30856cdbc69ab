package kernelfs

import (
	"bytes"
	"time"
)

// controllers is what the two cgroup versions say differently.
type controllers interface {
	memoryLimit(*Snapshot, *Cgroup) (MemoryLimit, error)
	swap(*Snapshot, *Cgroup) (Swap, error)
	quota(*Snapshot, *Cgroup) (Quota, error)
	cpuTime(*Snapshot, *Cgroup, *CPUTime) error
	io(*Snapshot, *Cgroup, []DeviceIO) ([]DeviceIO, At, error)
}

// v2 reads Documentation/admin-guide/cgroup-v2.rst.
type v2 struct{}

// lowest returns the smallest value of a limit file from cg up to the root, which has none unless only
// part of the tree is mounted. The level that asks must have it; one above may lack the controller
// (then nothing limits there).
func lowest(s *Snapshot, cg *Cgroup, n name) (Bytes, At, error) {
	limit, where := NoLimit, At{}
	for at := cg; at != nil; at = at.parent {
		if at != cg && at.Root() && at.Hierarchy.unlimited {
			break
		}
		v, err := at.number(s, n)
		if err != nil {
			if at == cg || !Missing(err) {
				return 0, At{}, err
			}
			continue
		}
		if v < limit {
			limit, where = v, At{at, n}
		}
	}
	return limit, where, nil
}

func (v2) memoryLimit(s *Snapshot, cg *Cgroup) (m MemoryLimit, err error) {
	if m.Limit, m.LimitAt, err = lowest(s, cg, memLimit); err != nil {
		return m, err
	}
	m.UsageAt = At{cg, memUsage}
	if m.LimitAt.Cgroup != nil {
		m.UsageAt.Cgroup = m.LimitAt.Cgroup
	}
	m.Usage, err = m.UsageAt.Cgroup.number(s, memUsage)
	return m, err
}

func (v2) swap(s *Snapshot, cg *Cgroup) (w Swap, err error) {
	w.Swappiness = 60
	w.Limit, w.LimitAt, err = lowest(s, cg, swapLimit)
	if Missing(err) {
		return w, nil // built without swap accounting, or no memory controller here
	}
	if err != nil {
		return w, err
	}
	w.UsageAt = At{cg, swapUsage}
	if w.LimitAt.Cgroup != nil {
		w.UsageAt.Cgroup = w.LimitAt.Cgroup
	}
	if w.Usage, err = w.UsageAt.Cgroup.number(s, swapUsage); err != nil {
		return w, err
	}
	w.Accounted = true
	return w, nil
}

// quota reads cpu.max, "QUOTA PERIOD" in microseconds or "max PERIOD".
func (v2) quota(s *Snapshot, cg *Cgroup) (Quota, error) {
	text, err := cg.read(s, cpuQuota)
	if err != nil || bytes.HasPrefix(text, []byte("max")) {
		return Quota{}, err
	}
	path := cg.file(cpuQuota).path
	quota, rest, ok := ParseUint(text)
	period, _, ok2 := ParseUint(bytes.TrimLeft(rest, " "))
	if !ok || !ok2 {
		return Quota{}, &ParseError{path, 1, errFormat}
	}
	return newQuota(path, quota, period)
}

// newQuota takes microseconds. The kernel's longest period is a second, its largest quota 2^44 us.
func newQuota(path string, quota, period uint64) (Quota, error) {
	if period == 0 || period > 1<<32 || quota == 0 || quota > 1<<52 {
		return Quota{}, &ParseError{path, 1, errRange}
	}
	return Quota{Quota: time.Duration(quota) * time.Microsecond, Period: time.Duration(period) * time.Microsecond}, nil
}

// cpuTime reads cpu.stat, which every cgroup has: usage_usec, user_usec and system_usec, and since
// Linux 6.12 nice_usec, which user_usec includes.
func (v2) cpuTime(s *Snapshot, cg *Cgroup, t *CPUTime) error {
	text, err := cg.read(s, cpuTime)
	if err != nil {
		return err
	}
	t.At = At{cg, cpuTime}
	path := cg.file(cpuTime).path
	var user, system bool
	for n := 1; len(text) > 0; n++ {
		var line []byte
		line, text = Line(text)
		key, rest := Field(line)
		var to *time.Duration
		switch string(key) {
		case "user_usec":
			to, user = &t.User, true
		case "system_usec":
			to, system = &t.System, true
		case "nice_usec":
			to = &t.Nice
		default:
			continue
		}
		num, _ := Field(rest)
		if *to, err = microseconds(num); err != nil {
			return &ParseError{path, n, err}
		}
	}
	if !user || !system {
		return &ParseError{path, 0, errShort}
	}
	t.Nice = min(t.Nice, t.User)
	t.User -= t.Nice
	return nil
}

func microseconds(b []byte) (time.Duration, error) {
	n, rest, ok := ParseUint(b)
	if !ok || len(rest) != 0 {
		return 0, errNumber
	}
	if n > 1<<53 { // 285 years
		return 0, errRange
	}
	return time.Duration(n) * time.Microsecond, nil
}

func (v2) io(s *Snapshot, cg *Cgroup, list []DeviceIO) ([]DeviceIO, At, error) {
	text, err := cg.read(s, ioStat)
	if err != nil {
		return list, At{}, err
	}
	list, err = parseIOStat(cg.file(ioStat).path, text, list)
	return list, At{cg, ioStat}, err
}

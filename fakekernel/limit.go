package fakekernel

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// limitable maps what limit may name to the controller that has it.
var limitable = map[string]string{
	"memory": "memory", "high": "memory", "low": "memory", "min": "memory", "soft": "memory", "swap": "memory", "memsw": "memory",
	"swappiness": "memory", "zswap": "memory", "cpu": "cpu", "weight": "cpu", "cpuset": "cpuset", "io": "io", "hugetlb": "hugetlb", "pids": "pids",
}

// Limit is the verb limit: it writes a limit of a cgroup.
//
//	memory 512M|max      memory.max, memory.limit_in_bytes
//	swap 128M|max        memory.swap.max; on v1 memory.memsw.limit_in_bytes = memory limit + this
//	memsw 640M|max       v1: memory.memsw.limit_in_bytes
//	high, low, min, soft memory.high, .low, .min (v2), memory.soft_limit_in_bytes (v1)
//	swappiness 0..200    memory.swappiness (v1)
//	zswap 64M|max        memory.zswap.max (v2)
//	cpu 1.5|max|150000/100000   cpu.max; cpu.cfs_quota_us and cpu.cfs_period_us
//	weight 1..10000      cpu.weight; cpu.shares
//	cpuset 0-3           cpuset.cpus
//	io "8:0 rbps=1048576"  io.max; blkio.throttle.*
//	hugetlb 64M|max      hugetlb.2MB.max, .limit_in_bytes
//	pids 100|max         pids.max
//
// A limit below the usage reclaims; if that is not enough v1 answers EBUSY and keeps the old limit, v2 kills processes.
func (k *Kernel) Limit(what, p, value string) error {
	return k.change(func(m *machine) error {
		ctl, ok := limitable[what]
		if !ok {
			return fmt.Errorf("limit %s: want one of %s", what, strings.Join(sortedKeys(limitable), ", "))
		}
		cg, err := m.cgroupWith(ctl, p)
		if err != nil {
			return err
		}
		if cg.isRoot() {
			return fmt.Errorf("limit %s: the root cgroup has none", what)
		}
		if !cg.controls(ctl) {
			return fmt.Errorf("cgroup %s: controller %s is not enabled (create it before anything is spawned above it, and spawn in a leaf): %w", p, ctl, syscall.ENOENT)
		}
		if err := m.limit(cg, what, value); err != nil {
			return fmt.Errorf("limit %s %s %s: %w", what, p, value, err)
		}
		return nil
	})
}

func (m *machine) limit(cg *cgroup, what, value string) error {
	switch what {
	case "cpu":
		return cg.cpu.limit(value)
	case "weight":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 1 || n > 10000 {
			return fmt.Errorf("want 1 to 10000: %w", syscall.ERANGE)
		}
		cg.cpu.weight = n
		return nil
	case "cpuset":
		return m.limitCPUSet(cg, value)
	case "io":
		return m.limitIO(cg, value)
	case "pids":
		return cg.limitPIDs(value)
	case "swappiness":
		return cg.limitSwappiness(value)
	}
	n, err := parseLimit(value)
	if err != nil {
		return err
	}
	if what == "hugetlb" {
		cg.huge[0].max = n
		return nil
	}
	return m.limitMemory(cg, what, n)
}

func (cg *cgroup) limitPIDs(value string) error {
	n, err := strconv.ParseInt(value, 10, 64)
	if value == "max" {
		n, err = noLimit, nil
	}
	if err != nil || n < 0 {
		return fmt.Errorf("want a number or max: %w", syscall.EINVAL)
	}
	cg.pidsMax = n
	return nil
}

func (cg *cgroup) limitSwappiness(value string) error {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 || n > 200 || cg.h.v2 {
		return fmt.Errorf("want 0 to 200, on v1: %w", syscall.EINVAL)
	}
	cg.mem.swappiness = n
	return nil
}

func (m *machine) limitMemory(cg *cgroup, what string, n int64) error {
	t, v2 := cg.mem, cg.h.v2
	switch {
	case slices.Contains([]string{"high", "low", "min", "zswap"}, what) && !v2,
		slices.Contains([]string{"memsw", "soft"}, what) && v2:
		return fmt.Errorf("this hierarchy has no such limit: %w", syscall.ENOENT)
	}
	switch what {
	case "low":
		t.low = n
	case "min":
		t.min = n
	case "soft":
		t.soft = n
	case "zswap":
		t.zswapMax = n
	case "high":
		t.high = n
		m.reclaim(cg, t.total.usage()-n, true)
	case "swap":
		if v2 {
			t.swapMax = n
			return nil
		}
		if n != noLimit && t.max == noLimit {
			return fmt.Errorf("v1 limits RAM and swap together: limit memory first: %w", syscall.EINVAL)
		}
		if n != noLimit {
			n += t.max
		}
		return m.limitMemsw(cg, n)
	case "memsw":
		return m.limitMemsw(cg, n)
	case "memory":
		return m.limitMax(cg, n)
	}
	return nil
}

func (m *machine) limitMemsw(cg *cgroup, n int64) error {
	t := cg.mem
	if n < t.max {
		return fmt.Errorf("memory and swap below memory's own limit: %w", syscall.EINVAL)
	}
	if over := t.total.usage() + t.total[swap] - n; over > 0 && m.reclaim(cg, over, false) < over {
		return syscall.EBUSY
	}
	t.memswMax = n
	return nil
}

func (m *machine) limitMax(cg *cgroup, n int64) error {
	t := cg.mem
	if !cg.h.v2 {
		if n > t.memswMax {
			return fmt.Errorf("above memory.memsw.limit_in_bytes: %w", syscall.EINVAL)
		}
		if over := t.total.usage() - n; over > 0 && m.reclaim(cg, over, true) < over {
			return syscall.EBUSY
		}
		t.max = n
		return nil
	}
	t.max = n
	for over := t.total.usage() - n; over > 0; over = t.total.usage() - n {
		if m.reclaim(cg, over, true) >= over {
			break
		}
		cg.event(func(e *memEvents) { e.oom++ })
		if !m.oomKill(cg) {
			break
		}
	}
	return nil
}

// limit sets the bandwidth: a number of CPUs, QUOTA/PERIOD in microseconds, or max.
func (g *cpuGroup) limit(value string) error {
	if value == "max" {
		g.quota = -1
		return nil
	}
	period := cfsPeriod
	var quota time.Duration
	if q, p, ok := strings.Cut(value, "/"); ok {
		a, err1 := strconv.ParseInt(q, 10, 64)
		b, err2 := strconv.ParseInt(p, 10, 64)
		if err1 != nil || err2 != nil {
			return fmt.Errorf("want QUOTA/PERIOD in microseconds: %w", syscall.EINVAL)
		}
		quota, period = time.Duration(a)*time.Microsecond, time.Duration(b)*time.Microsecond
	} else {
		f, err := strconv.ParseFloat(value, 64)
		if err != nil || f <= 0 || f > 8192 {
			return fmt.Errorf("want a number of CPUs, QUOTA/PERIOD or max: %w", syscall.EINVAL)
		}
		quota = time.Duration(f*float64(period)+500) / time.Microsecond * time.Microsecond
	}
	if quota < time.Millisecond || period < time.Millisecond || period > time.Second {
		return fmt.Errorf("quota and period want 1 ms at least, period 1 s at most: %w", syscall.EINVAL)
	}
	g.quota, g.period = quota, period
	return nil
}

// limitIO takes io.max's words: "8:0 rbps=1048576 wiops=max".
func (m *machine) limitIO(cg *cgroup, value string) error {
	words := strings.Fields(value)
	if len(words) < 2 {
		return fmt.Errorf("want DEVICE rbps=N wbps=N riops=N wiops=N: %w", syscall.EINVAL)
	}
	d := m.disk(words[0])
	if d == nil || d.whole != nil {
		return syscall.ENODEV
	}
	opts, err := parseOptions(words[1:])
	if err != nil {
		return err
	}
	limits := map[string]string{"rbps": "max", "wbps": "max", "riops": "max", "wiops": "max"}
	for _, o := range opts {
		if _, err := strconv.ParseUint(o.value, 10, 64); limits[o.name] == "" || err != nil && o.value != "max" {
			return syscall.EINVAL
		}
		limits[o.name] = o.value
	}
	d.limited = true
	if cg.io.limits == nil {
		cg.io.limits = map[*disk]string{}
	}
	cg.io.limits[d] = fmt.Sprintf("rbps=%s wbps=%s riops=%s wiops=%s", limits["rbps"], limits["wbps"], limits["riops"], limits["wiops"])
	return nil
}

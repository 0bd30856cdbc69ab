package fakekernel

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func text(s string) func(*machine, *cgroup, []byte) []byte {
	return func(_ *machine, _ *cgroup, b []byte) []byte { return append(b, s...) }
}

func number(value func(*cgroup) int64) func(*machine, *cgroup, []byte) []byte {
	return func(_ *machine, cg *cgroup, b []byte) []byte { return appendLine(b, value(cg)) }
}

func maxNumber(value func(*cgroup) int64) func(*machine, *cgroup, []byte) []byte {
	return func(_ *machine, cg *cgroup, b []byte) []byte { return appendMax(b, value(cg)) }
}

// v1Limit shows no limit as v1 does.
func v1Limit(value func(*cgroup) int64) func(*machine, *cgroup, []byte) []byte {
	return func(_ *machine, cg *cgroup, b []byte) []byte { return appendLine(b, min(value(cg), pageCounterMax)) }
}

func procsText(_ *machine, cg *cgroup, b []byte) []byte {
	pids := make([]int, 0, len(cg.procs))
	for p := range cg.procs {
		pids = append(pids, p.pid)
	}
	slices.Sort(pids)
	for _, pid := range pids {
		b = appendLine(b, int64(pid))
	}
	return b
}

func threadsText(_ *machine, cg *cgroup, b []byte) []byte {
	var tids []int
	for p := range cg.procs {
		for _, t := range p.threads {
			tids = append(tids, t.tid)
		}
	}
	slices.Sort(tids)
	for _, tid := range tids {
		b = appendLine(b, int64(tid))
	}
	return b
}

func words(value func(*cgroup) []string) func(*machine, *cgroup, []byte) []byte {
	return func(_ *machine, cg *cgroup, b []byte) []byte {
		if len(value(cg)) == 0 {
			return b
		}
		return append(append(b, strings.Join(value(cg), " ")...), '\n')
	}
}

func mask(value func(*machine, *cgroup) cpumask) func(*machine, *cgroup, []byte) []byte {
	return func(m *machine, cg *cgroup, b []byte) []byte {
		return append(append(b, value(m, cg).String()...), '\n')
	}
}

func ownCPUs(m *machine, cg *cgroup) cpumask {
	if !cg.h.v2 {
		return cg.v1cpus(m)
	}
	if cg.cpus == nil {
		return newMask(m.CPUs)
	}
	return cg.cpus
}

func eventsText(local bool) func(*machine, *cgroup, []byte) []byte {
	return func(m *machine, cg *cgroup, b []byte) []byte {
		e := cg.mem.events
		if local {
			e = cg.mem.localEvents
		}
		b = appendKV(b, "low", e.low)
		b = appendKV(b, "high", e.high)
		b = appendKV(b, "max", e.max)
		b = appendKV(b, "oom", e.oom)
		b = appendKV(b, "oom_kill", e.oomKill)
		if m.version >= v5_17 {
			b = appendKV(b, "oom_group_kill", 0)
		}
		if m.version >= v7_3 {
			b = appendKV(b, "sock_throttled", 0)
		}
		return b
	}
}

func (cg *cgroup) populated() bool {
	for c := range cg.down {
		if len(c.procs) > 0 {
			return true
		}
	}
	return false
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// cgroupStat writes cgroup.stat; since 6.12 it also counts the state objects of each controller.
func cgroupStat(m *machine, cg *cgroup, b []byte) []byte {
	n := int64(-1)
	perCtl := map[string]int64{}
	for c := range cg.down {
		n++
		for _, ctl := range c.enabled {
			perCtl[ctl]++
		}
	}
	b = appendKV(b, "nr_descendants", n)
	ctls := []string{"cpuset", "cpu", "io", "memory", "perf_event", "hugetlb", "pids", "rdma", "misc"}
	if m.version >= v6_12 && len(cg.h.controllers) > 0 {
		for _, ctl := range ctls {
			count := perCtl[ctl]
			if ctl == "perf_event" {
				count = n + 1
			}
			b = appendKV(b, "nr_subsys_"+ctl, count)
		}
	}
	b = appendKV(b, "nr_dying_descendants", 0)
	if m.version >= v6_12 && len(cg.h.controllers) > 0 {
		for _, ctl := range ctls {
			b = appendKV(b, "nr_dying_subsys_"+ctl, 0)
		}
	}
	return b
}

// cpuStatV2 writes cpu.stat: the time always, the bandwidth lines where the cpu controller is on. The root's time is that of
// all CPUs, idle ones left out.
func cpuStatV2(m *machine, cg *cgroup, b []byte) []byte {
	user, nice, system := cg.cpu.user, cg.cpu.nice, cg.cpu.system
	b = appendKV(b, "usage_usec", (user+system)/1000)
	b = appendKV(b, "user_usec", user/1000)
	b = appendKV(b, "system_usec", system/1000)
	if m.version >= v6_12 {
		b = appendKV(b, "nice_usec", nice/1000)
	}
	if !cg.h.has("cpu") || !cg.controls("cpu") {
		return b
	}
	b = appendKV(b, "nr_periods", cg.cpu.periods)
	b = appendKV(b, "nr_throttled", cg.cpu.throttles)
	b = appendKV(b, "throttled_usec", cg.cpu.throttledNS/1000)
	if m.version >= v5_14 {
		b = appendKV(b, "nr_bursts", 0)
		b = appendKV(b, "burst_usec", 0)
	}
	return b
}

func cpuStatV1(m *machine, cg *cgroup, b []byte) []byte {
	b = appendKV(b, "nr_periods", cg.cpu.periods)
	b = appendKV(b, "nr_throttled", cg.cpu.throttles)
	b = appendKV(b, "throttled_time", cg.cpu.throttledNS)
	if m.version >= v5_14 {
		b = appendKV(b, "nr_bursts", 0)
		b = appendKV(b, "burst_time", 0)
	}
	return b
}

// cpuStatLocal writes cpu.stat.local of a v2 cgroup: every one has the file, and a line where the cpu controller is on.
func cpuStatLocal(_ *machine, cg *cgroup, b []byte) []byte {
	if !cg.h.has("cpu") || !cg.controls("cpu") {
		return b
	}
	return appendKV(b, "throttled_usec", cg.cpu.throttledNS/1000)
}

func cpuMax(_ *machine, cg *cgroup, b []byte) []byte {
	if cg.cpu.quota < 0 {
		b = append(b, "max"...)
	} else {
		b = strconv.AppendInt(b, cg.cpu.quota.Microseconds(), 10)
	}
	return fmt.Appendf(b, " %d\n", cg.cpu.period.Microseconds())
}

func ioMax(m *machine, cg *cgroup, b []byte) []byte {
	for _, d := range m.disks {
		if l := cg.io.limits[d]; l != "" {
			b = fmt.Appendf(b, "%s %s\n", d.dev(), l)
		}
	}
	return b
}

// throttleLimit makes a v1 blkio.throttle limit file from io.max's word.
func throttleLimit(word string) func(*machine, *cgroup, []byte) []byte {
	return func(m *machine, cg *cgroup, b []byte) []byte {
		for _, d := range m.disks {
			for _, w := range strings.Fields(cg.io.limits[d]) {
				if v, ok := strings.CutPrefix(w, word+"="); ok && v != "max" {
					b = fmt.Appendf(b, "%s %s\n", d.dev(), v)
				}
			}
		}
		return b
	}
}

// eachCPU makes a cpuacct file of one number per CPU.
func eachCPU(number func(perCPU) int64) func(*machine, *cgroup, []byte) []byte {
	return func(m *machine, cg *cgroup, b []byte) []byte {
		for i := range m.CPUs {
			b = strconv.AppendInt(b, number(cg.cpu.on(i)), 10)
			b = append(b, ' ')
		}
		return append(b, '\n')
	}
}

// allCPUs makes a cpuacct file of the sum of what eachCPU shows.
func allCPUs(of func(perCPU) int64) func(*machine, *cgroup, []byte) []byte {
	return number(func(cg *cgroup) (sum int64) {
		for _, p := range cg.cpu.per {
			sum += of(p)
		}
		return sum
	})
}

// on is the group's time on one CPU.
func (g *cpuGroup) on(i int) perCPU {
	if g.per == nil {
		return perCPU{}
	}
	return g.per[i]
}

func totalOf(p perCPU) int64  { return p.total }
func userOf(p perCPU) int64   { return p.user }
func systemOf(p perCPU) int64 { return p.system }

func usageAll(m *machine, cg *cgroup, b []byte) []byte {
	b = append(b, "cpu user system\n"...)
	for i := range m.CPUs {
		p := cg.cpu.on(i)
		b = fmt.Appendf(b, "%d %d %d\n", i, p.user, p.system)
	}
	return b
}

// kmemSlabinfo writes memory.kmem.slabinfo: the header alone from 5.9 on, when per-cgroup caches went away.
func kmemSlabinfo(m *machine, cg *cgroup, b []byte) []byte {
	if m.version >= v5_9 {
		return b
	}
	return appendSlabs(b, cg.mem.local[slabReclaimable], cg.mem.local[slabUnreclaimable])
}

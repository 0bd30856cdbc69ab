package fakekernel

import (
	"fmt"
	"math"
	"syscall"
)

// hugeSize is a size of huge page the machine has, with the name the hugetlb controller's files carry.
type hugeSize struct {
	name  string
	bytes int64
}

// appendLimit writes a limit: no limit is the page counter's maximum, in whole huge pages, on v1; on v2 it is "max" up to
// some release between 6.12 and 6.18, which shows the counter's maximum in bytes.
func (s hugeSize) appendLimit(m *machine, v2 bool, n int64, b []byte) []byte {
	switch {
	case !v2:
		return appendLine(b, min(n, math.MaxInt64/s.bytes*s.bytes))
	case m.version < v6_18:
		return appendMax(b, n)
	}
	return appendLine(b, min(n, pageCounterMax))
}

type hugeGroup struct{ usage, peak, max, failcnt int64 }

// chargeHuge accounts huge pages of the smallest size to cg and its ancestors.
func (m *machine) chargeHuge(memcg *cgroup, n int64) error {
	h := m.with("hugetlb")
	cg := h.find(memcg.path())
	if cg == nil {
		return fmt.Errorf("hugetlb cgroup %s: %w", memcg.path(), syscall.ENOENT)
	}
	size := m.hugeSizes[0]
	if n%size.bytes != 0 {
		return fmt.Errorf("hugetlb %d: want whole pages of %s", n, size.name)
	}
	if h.root.huge[0].usage+n > m.HugePages*size.bytes {
		return fmt.Errorf("hugetlb %d: %d pages in the pool: %w", n, m.HugePages, syscall.ENOMEM)
	}
	for c := range cg.up {
		g := &c.huge[0]
		if g.max < noLimit && g.usage+n > g.max {
			g.failcnt++
			return fmt.Errorf("hugetlb cgroup %s: limit %d: %w", c.path(), g.max, syscall.ENOMEM)
		}
		if g.usage+n < 0 {
			return fmt.Errorf("hugetlb cgroup %s: %d bytes charged", c.path(), g.usage)
		}
	}
	for c := range cg.up {
		c.huge[0].usage += n
		c.huge[0].peak = max(c.huge[0].peak, c.huge[0].usage)
	}
	return nil
}

func hugeFiles(m *machine, v2 bool) []cgroupFile {
	var files []cgroupFile
	for i, s := range m.hugeSizes {
		limit := func(m *machine, cg *cgroup, b []byte) []byte { return s.appendLimit(m, v2, cg.huge[i].max, b) }
		usage := func(_ *machine, cg *cgroup, b []byte) []byte { return appendLine(b, cg.huge[i].usage) }
		fails := func(_ *machine, cg *cgroup, b []byte) []byte { return appendLine(b, cg.huge[i].failcnt) }
		add := func(name string, since version, w where, text func(*machine, *cgroup, []byte) []byte) {
			files = append(files, cgroupFile{name: "hugetlb." + s.name + "." + name, ctl: "hugetlb", since: since, where: w, mode: 0o644, text: text})
		}
		if !v2 {
			peak := func(_ *machine, cg *cgroup, b []byte) []byte { return appendLine(b, cg.huge[i].peak) }
			numa := func(_ *machine, cg *cgroup, b []byte) []byte {
				return fmt.Appendf(b, "total=%d N0=%d\nhierarchical_total=%d N0=%d\n", cg.huge[i].usage, cg.huge[i].usage, cg.huge[i].usage, cg.huge[i].usage)
			}
			for _, pre := range []string{"", "rsvd."} {
				add(pre+"limit_in_bytes", 0, everywhere, limit)
				add(pre+"usage_in_bytes", 0, everywhere, usage)
				add(pre+"max_usage_in_bytes", 0, everywhere, peak)
				add(pre+"failcnt", 0, everywhere, fails)
			}
			add("numa_stat", v5_18, everywhere, numa)
			continue
		}
		events := func(_ *machine, cg *cgroup, b []byte) []byte { return appendKV(b, "max", cg.huge[i].failcnt) }
		numa := func(_ *machine, cg *cgroup, b []byte) []byte {
			return fmt.Appendf(b, "total=%d N0=%d\n", cg.huge[i].usage, cg.huge[i].usage)
		}
		add("max", 0, notRoot, limit)
		add("rsvd.max", 0, notRoot, limit)
		add("current", 0, notRoot, usage)
		add("rsvd.current", 0, notRoot, usage)
		add("events", 0, notRoot, events)
		add("events.local", 0, notRoot, events)
		add("numa_stat", v5_18, notRoot, numa)
	}
	return files
}

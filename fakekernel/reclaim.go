package fakekernel

import (
	"cmp"
	"math"
	"slices"
	"syscall"
)

// makeRoom makes n bytes fit under every limit from cg up and on the host: reclaim below the level that is full, else an
// out-of-memory event there.
func (m *machine) makeRoom(cg *cgroup, n int64, kill bool) error {
	for c := range cg.up {
		if err := m.fit(c, n, kill); err != nil {
			return err
		}
	}
	for over := n - m.freeMemory(); over > 0; over = n - m.freeMemory() {
		if m.reclaim(cg.h.root, over, true) >= over {
			break
		}
		if !kill || !m.oomKill(cg.h.root) {
			return syscall.ENOMEM
		}
	}
	return nil
}

// fits reports whether n bytes may be charged to cg as things are.
func (m *machine) fits(cg *cgroup, n int64) bool {
	for c := range cg.up {
		t := c.mem
		used := t.total.usage() + n
		if used > min(t.max, t.high) || t.memswMax < noLimit && used+t.total[swap] > t.memswMax {
			return false
		}
	}
	return n <= m.freeMemory()
}

// fit makes n bytes fit below c's own limits.
func (m *machine) fit(c *cgroup, n int64, kill bool) error {
	t := c.mem
	if t.high < noLimit && t.total.usage()+n > t.high {
		c.event(func(e *memEvents) { e.high++ })
		m.reclaim(c, t.total.usage()+n-t.high, true)
	}
	for {
		over := t.total.usage() + n - t.max
		overSwap := int64(math.MinInt64)
		if t.memswMax < noLimit {
			overSwap = t.total.usage() + t.total[swap] + n - t.memswMax
		}
		if over <= 0 && overSwap <= 0 {
			return nil
		}
		c.event(func(e *memEvents) { e.max++ })
		if over > 0 {
			t.failcnt++
		} else {
			t.memswFailcnt++
		}
		// Swapping out frees nothing where RAM and swap are limited together.
		if m.reclaim(c, max(over, overSwap), overSwap <= 0) >= max(over, overSwap) {
			return nil
		}
		c.event(func(e *memEvents) { e.oom++ })
		if !kill || !m.oomKill(c) {
			return syscall.ENOMEM
		}
	}
}

// reclaim frees up to n bytes below c, cheapest first, and returns how many it freed.
func (m *machine) reclaim(c *cgroup, n int64, maySwap bool) int64 {
	n = (n + pageSize - 1) / pageSize * pageSize
	var freed int64
	for _, protect := range []bool{true, false} {
		freed += m.reclaimPages(c, n-freed, protect)
	}
	if freed < n && maySwap {
		for _, cg := range byUsage(c) {
			if cg.mem.swappiness > 0 && freed < n {
				freed += m.swapOut(cg, n-freed)
			}
		}
	}
	return freed
}

// byUsage lists the cgroups below c, those with most memory of their own first.
func byUsage(c *cgroup) []*cgroup {
	all := slices.Collect(c.down)
	slices.SortStableFunc(all, func(a, b *cgroup) int { return cmp.Compare(b.mem.local.usage(), a.mem.local.usage()) })
	return all
}

func (m *machine) reclaimPages(c *cgroup, n int64, protectLow bool) int64 {
	var freed int64
	for _, cg := range byUsage(c) {
		guard := cg.mem.min
		if protectLow {
			guard = max(guard, cg.mem.low)
		} else if cg.mem.low > 0 && freed < n {
			cg.event(func(e *memEvents) { e.low++ })
		}
		if cg == c {
			guard = 0
		}
		spare := min(n-freed, cg.mem.total.usage()-guard)
		freed += cg.dropCache(spare)
	}
	return freed
}

// dropCache frees page cache and reclaimable slab charged to cg itself: inactive file pages, then active, then slab.
func (cg *cgroup) dropCache(n int64) int64 {
	if n <= 0 {
		return 0
	}
	l := &cg.mem.local
	inactive := min(n, l.inactiveFile())
	active := min(n-inactive, l[activeFile])
	slab := min(n-inactive-active, l[slabReclaimable])
	cg.add(activeFile, -active)
	cg.add(fileCache, -inactive-active)
	cg.add(slabReclaimable, -slab)
	cg.add(pgscan, (inactive+active)/pageSize)
	cg.add(pgsteal, (inactive+active)/pageSize)
	cg.add(pgpgout, (inactive+active)/pageSize)
	cg.clampParts()
	return inactive + active + slab
}

// swapRoom is how much cg may still swap: the least of its own and its ancestors' limits and the device.
func (m *machine) swapRoom(cg *cgroup) int64 {
	room := m.Swap - cg.h.root.mem.total[swap]
	for c := range cg.up {
		t := c.mem
		room = min(room, t.swapMax-t.total[swap])
		if t.memswMax < noLimit {
			// Pages that go out leave RAM: together they stay the same.
			room = min(room, t.memswMax-t.total[swap])
		}
	}
	return max(0, room)
}

// swapOut moves up to n bytes of cg's own anonymous, then tmpfs pages out.
func (m *machine) swapOut(cg *cgroup, n int64) int64 {
	l := &cg.mem.local
	room := m.swapRoom(cg)
	if room < n {
		for c := range cg.up {
			if c.mem.swapMax < noLimit && c.mem.swapMax-c.mem.total[swap] == room {
				c.mem.swapMaxEvents++
				c.mem.swapFailEvents++
			}
		}
	}
	n = min(n, room) / pageSize * pageSize
	a := min(n, l[anon]-min(l[anon], l[unevictable]))
	s := min(n-a, l[shmem])
	fromActive := max(0, a+s-l.inactiveAnon())
	cg.add(activeAnon, -min(fromActive, l[activeAnon]))
	cg.add(anon, -a)
	cg.add(shmem, -s)
	cg.add(fileCache, -s)
	cg.add(swap, a+s)
	cg.add(pswpout, (a+s)/pageSize)
	cg.add(pgscan, (a+s)/pageSize)
	cg.add(pgsteal, (a+s)/pageSize)
	cg.add(pgpgout, (a+s)/pageSize)
	cg.clampParts()
	m.swapIO(cg, ioCounts{wbytes: a + s, wios: (a + s) / pageSize})
	return a + s
}

// swapIO books what goes to the swap device, in requests of a page. It is the cgroup's own traffic where one hierarchy has
// both its memory and its io (mm/page_io.c, bio_associate_blkg_from_page), else the root's.
func (m *machine) swapIO(cg *cgroup, c ioCounts) {
	d := m.disk("zram0")
	if d == nil || c == (ioCounts{}) {
		return
	}
	if !cg.h.has("io") {
		cg = m.ioRoot()
	}
	m.io(cg, d, c)
}

// oomKill kills the biggest process below c and reports whether there was one.
func (m *machine) oomKill(c *cgroup) bool {
	var victim *process
	var size int64
	for cg := range c.down {
		for p := range cg.procs {
			s := p.badness(cg)
			if p != m.self && p.pid != 1 && (victim == nil || s > size || s == size && p.pid > victim.pid) {
				victim, size = p, s
			}
		}
	}
	if victim == nil {
		return false
	}
	cg := victim.cgroupIn(c.h)
	cg.event(func(e *memEvents) { e.oomKill++ })
	cg.add(anon, -(size - victim.rss))
	cg.clampParts()
	m.exit(victim)
	return true
}

// badness is what killing p frees in cg: its own pages, and an even share of those charged to the cgroup by path.
func (p *process) badness(cg *cgroup) int64 {
	return p.rss + max(0, cg.mem.local[anon]-cg.mem.rss)/int64(len(cg.procs))
}

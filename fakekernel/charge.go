package fakekernel

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
)

// chargeKeys are the amounts a charge may name: a field and whether pages are allocated (true) or described (false).
var chargeKeys = map[string]memField{
	"anon": anon, "file": fileCache, "shmem": shmem, "kernel_stack": kernelStack, "pagetables": pagetables,
	"sec_pagetables": secPagetables, "percpu": percpu, "sock": sock, "vmalloc": vmalloc,
	"slab_reclaimable": slabReclaimable, "slab_unreclaimable": slabUnreclaimable,
	"swap": swap, "zswapped": zswapped,
	"file_mapped": fileMapped, "file_dirty": fileDirty, "file_writeback": fileWriteback, "swapcached": swapcached,
	"anon_thp": anonTHP, "file_thp": fileTHP, "shmem_thp": shmemTHP,
	"active_anon": activeAnon, "active_file": activeFile, "unevictable": unevictable,
}

// zswapRatio is how far the model's zswap compresses.
const zswapRatio = 3

// Charge is the verb charge: it accounts memory to a cgroup, or to a process and its cgroup, and to all ancestors. Amounts
// are NAME=SIZE with memory.stat's names: anon, file (page cache of files), shmem (tmpfs, counted in file too),
// slab_reclaimable, slab_unreclaimable, kernel_stack, pagetables, sec_pagetables, percpu, sock, vmalloc, swap (pages
// already swapped out), zswapped; hugetlb (2 MiB pages). Names of parts describe pages that are charged already:
// file_mapped, file_dirty, file_writeback, swapcached, anon_thp, file_thp, shmem_thp, active_anon, active_file, unevictable.
// A negative size gives memory back.
//
// A charge over a limit of cg or an ancestor reclaims below that level first: clean page cache, dirty page cache, slab,
// then anonymous memory to swap if swappiness, swap limit and device allow. If that is not enough memory.events counts an
// oom and the charge fails with ENOMEM; with oom=kill the biggest process below the level dies, until it fits.
func (k *Kernel) Charge(target string, options ...string) error {
	return k.change(func(m *machine) error {
		cg, p, err := m.target("memory", target)
		if err != nil {
			return err
		}
		opts, err := parseOptions(options)
		if err != nil {
			return err
		}
		kill := false
		for i, o := range opts {
			if o.name == "oom" {
				kill = o.value == "kill"
				opts = slices.Delete(opts, i, i+1)
				break
			}
		}
		for _, o := range opts {
			if err := m.chargeOne(cg, p, o, kill); err != nil {
				return fmt.Errorf("cgroup %s: %w", cg.path(), err)
			}
		}
		return nil
	})
}

// target is a cgroup path, or the name of a process, whose cgroup it means.
func (m *machine) target(ctl, target string) (*cgroup, *process, error) {
	if strings.Contains(target, "/") {
		cg, err := m.cgroupWith(ctl, target)
		return cg, nil, err
	}
	p, err := m.process(target)
	if err != nil {
		return nil, nil, err
	}
	h := m.with(ctl)
	if h == nil {
		return nil, nil, fmt.Errorf("no %s controller", ctl)
	}
	return p.cgroupIn(h), p, nil
}

func (m *machine) chargeOne(cg *cgroup, p *process, o option, kill bool) error {
	n, err := parseSize(o.value)
	if err != nil {
		return err
	}
	if o.name == "hugetlb" {
		return m.chargeHuge(cg, n)
	}
	f, ok := chargeKeys[o.name]
	if f != slabReclaimable && f != slabUnreclaimable && f != percpu {
		n = wholePages(n)
	}
	if !ok {
		return fmt.Errorf("charge %s: want one of %s", o.name, strings.Join(sortedKeys(chargeKeys), ", "))
	}
	if f == sock && !cg.h.v2 {
		return fmt.Errorf("sock: v1 counts socket buffers nowhere unless memory.kmem.tcp has a limit")
	}
	switch f {
	case swap:
		return m.chargeSwap(cg, n)
	case zswapped:
		return m.chargeZswap(cg, n, kill)
	}
	if f >= fileMapped {
		return cg.describe(f, o.name, n)
	}
	held := cg.mem.local[f]
	if f == fileCache {
		held -= cg.mem.local[shmem]
	}
	if n < 0 && held+n < 0 {
		return fmt.Errorf("%s: %d bytes are charged here, cannot give back %d", o.name, held, -n)
	}
	if err := m.allocate(cg, p, f, n, kill); err != nil {
		return fmt.Errorf("%s %d: %w", o.name, n, err)
	}
	return nil
}

// owns notes that n bytes of cg's anonymous memory are p's.
func (p *process) owns(cg *cgroup, n int64) {
	n = max(n, -p.rss)
	p.rss += n
	cg.mem.rss += n
}

// allocate charges n bytes of f. What does not fit comes in pieces, as page faults do: so page cache makes room for page
// cache, and anonymous memory fills the swap, before it is too much. A charge that fails leaves nothing of itself behind but
// what was reclaimed for it.
func (m *machine) allocate(cg *cgroup, p *process, f memField, n int64, kill bool) error {
	if n <= 0 || m.fits(cg, n) {
		return m.allocatePiece(cg, p, f, n, kill)
	}
	piece := (n/64 + 1<<20) / pageSize * pageSize
	for done := int64(0); done < n; done += piece {
		if err := m.allocatePiece(cg, p, f, min(piece, n-done), kill); err != nil {
			m.undo(cg, p, f, done)
			return err
		}
	}
	return nil
}

// undo gives back what a failed charge got, some of which may have been swapped out or reclaimed since.
func (m *machine) undo(cg *cgroup, p *process, f memField, n int64) {
	if p != nil && p.dead {
		return // it took its pages along
	}
	if p != nil && f == anon {
		p.owns(cg, -n)
	}
	l := &cg.mem.local
	back := min(n, l[f])
	if f == fileCache {
		back = min(n, l[f]-l[shmem])
	}
	if f == shmem {
		cg.add(fileCache, -back)
	}
	cg.add(f, -back)
	if f == anon || f == shmem {
		cg.add(swap, -min(n-back, l[swap]-l[zswapped]))
	}
	cg.clampParts()
}

func (m *machine) allocatePiece(cg *cgroup, p *process, f memField, n int64, kill bool) error {
	if n > 0 {
		if err := m.makeRoom(cg, n, kill); err != nil {
			return err
		}
		if p != nil && p.dead {
			return fmt.Errorf("killed for lack of memory: %w", syscall.ENOMEM)
		}
		cg.add(pgfault, n/pageSize)
		cg.add(pgpgin, n/pageSize)
	} else {
		cg.add(pgpgout, -n/pageSize)
	}
	if f == shmem {
		cg.add(fileCache, n)
	}
	cg.add(f, n)
	if p != nil && f == anon {
		p.owns(cg, n)
	}
	cg.clampParts()
	return nil
}

// partOf says which pages a part describes.
func (a *amounts) partOf(f memField) int64 {
	switch f {
	case fileMapped:
		return a[fileCache]
	case fileDirty, fileWriteback, activeFile, fileTHP:
		return a[fileCache] - a[shmem]
	case anonTHP:
		return a[anon]
	case shmemTHP:
		return a[shmem]
	case swapcached:
		return a[anon] + a[shmem]
	case activeAnon:
		return a[anon] + a[shmem] - a[unevictable]
	case unevictable:
		return a[anon] + a[shmem] - a[activeAnon]
	}
	return 0
}

func (cg *cgroup) describe(f memField, name string, n int64) error {
	l := &cg.mem.local
	if v := l[f] + n; v < 0 || v > l.partOf(f) {
		return fmt.Errorf("%s %d: the cgroup has %d bytes that could be", name, n, l.partOf(f)-l[f])
	}
	cg.add(f, n)
	return nil
}

// clampParts keeps parts no larger than what they are parts of, after pages went away.
func (cg *cgroup) clampParts() {
	l := &cg.mem.local
	for _, f := range []memField{fileMapped, fileDirty, fileWriteback, anonTHP, fileTHP, shmemTHP, swapcached, unevictable, activeAnon, activeFile} {
		if over := l[f] - l.partOf(f); over > 0 {
			cg.add(f, -over)
		}
	}
}

// wholePages rounds away from zero: part of a page takes a page. Slab and percpu memory is counted by the byte.
func wholePages(n int64) int64 {
	if n < 0 {
		return -wholePages(-n)
	}
	return (n + pageSize - 1) / pageSize * pageSize
}

func (m *machine) chargeSwap(cg *cgroup, n int64) error {
	if n > m.swapRoom(cg) {
		return fmt.Errorf("swap %d: %w", n, syscall.ENOMEM)
	}
	if cg.mem.local[swap]+n < 0 {
		return fmt.Errorf("swap: %d bytes are charged here, cannot give back %d", cg.mem.local[swap], -n)
	}
	cg.add(swap, n)
	return nil
}

func (m *machine) chargeZswap(cg *cgroup, n int64, kill bool) error {
	if !m.zswap {
		return fmt.Errorf("zswapped: this kernel has no zswap")
	}
	if cg.mem.local[zswapped]+n < 0 {
		return fmt.Errorf("zswapped: %d bytes are charged here, cannot give back %d", cg.mem.local[zswapped], -n)
	}
	if err := m.chargeSwap(cg, n); err != nil {
		return err
	}
	if err := m.allocate(cg, nil, zswap, n/zswapRatio, kill); err != nil {
		cg.add(swap, -n)
		return err
	}
	cg.add(zswapped, n)
	return nil
}

// Swap is the verb swap: it moves anonymous and tmpfs pages of a cgroup out to swap (out=16M) or back (in=16M).
func (k *Kernel) Swap(target string, options ...string) error {
	return k.change(func(m *machine) error {
		cg, _, err := m.target("memory", target)
		if err != nil {
			return err
		}
		opts, err := parseOptions(options)
		if err != nil {
			return err
		}
		for _, o := range opts {
			n, err := parseSize(o.value)
			if err != nil || n <= 0 {
				return fmt.Errorf("swap %s=%s: want a size above 0", o.name, o.value)
			}
			n = wholePages(n)
			switch o.name {
			case "out":
				if room := m.swapRoom(cg); n > room {
					return fmt.Errorf("cgroup %s: swap out %d: room for %d: %w", cg.path(), n, room, syscall.ENOMEM)
				}
				if done := m.swapOut(cg, n); done < n {
					return fmt.Errorf("cgroup %s: swap out %d: has %d bytes to swap", cg.path(), n, done)
				}
			case "in":
				if n > cg.mem.local[swap]-cg.mem.local[zswapped] {
					return fmt.Errorf("cgroup %s: swap in %d: %d bytes are swapped out", cg.path(), n, cg.mem.local[swap])
				}
				if err := m.makeRoom(cg, n, false); err != nil {
					return fmt.Errorf("cgroup %s: %w", cg.path(), err)
				}
				cg.add(swap, -n)
				cg.add(anon, n)
				cg.add(pswpin, n/pageSize)
				m.swapIO(cg, ioCounts{rbytes: n, rios: n / pageSize})
				cg.add(pgmajfault, n/pageSize)
			default:
				return fmt.Errorf("option %s: want out or in", o.name)
			}
		}
		return nil
	})
}

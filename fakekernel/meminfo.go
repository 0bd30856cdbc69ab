package fakekernel

import (
	"fmt"
	"math"
	"strconv"
)

// hostMemory is memory in use that no cgroup is charged for.
type hostMemory struct {
	buffers   int64 // page cache of block devices; the root cgroup's file counts it
	unsized   int64 // pages taken at boot that no counter shows: struct pages, the kernel's image
	committed int64
}

// bootMemory charges to the root cgroup what a small distribution holds after boot, less on a small machine. All amounts
// differ, so that two fields taken for each other show.
func (m *machine) bootMemory() {
	unit := min(1<<20, m.Memory/4096/pageSize*pageSize)
	root := m.memoryRoot()
	for f, n := range map[memField]int64{
		anon: 61, file_: 205, shmem: 3, slabReclaimable: 31, slabUnreclaimable: 23, kernelStack: 2, pagetables: 5,
		percpu: 7, vmalloc: 11, fileMapped: 43, activeAnon: 2, activeFile: 113, unevictable: 1,
	} {
		root.add(f, n*unit)
	}
	root.add(fileDirty, unit/4)
	m.host = hostMemory{buffers: 13 * unit, unsized: 17 * unit, committed: 301 * unit}
	root.mem.peak = root.mem.total.usage()
}

func (m *machine) memoryRoot() *cgroup { return m.with("memory").root }

func (m *machine) freeMemory() int64 {
	return m.Memory - m.host.unsized - m.memoryRoot().mem.total.usage() - m.HugePages*m.hugeSizes[0].bytes
}

// buffers is what reclaim left of the page cache of block devices.
func (m *machine) buffers() int64 {
	l := &m.memoryRoot().mem.local
	return min(m.host.buffers, l[file_]-l[shmem])
}

// available is MemAvailable (si_mem_available): what can be had without swapping, the low watermark left alone.
func (m *machine) available() int64 {
	t := &m.memoryRoot().mem.total
	minFree := int64(4 * math.Sqrt(float64(m.Memory>>10)))
	minFree = min(max(minFree, 128), 262144) << 10
	low, reserve := minFree*5/4, minFree*3/2
	cache := t.inactiveFile() + t[activeFile]
	cache -= min(cache/2, low)
	slab := t[slabReclaimable]
	slab -= min(slab/2, low)
	return max(0, m.freeMemory()-reserve+cache+slab)
}

// meminfo writes /proc/meminfo (fs/proc/meminfo.c) in kB.
func (m *machine) meminfo(b []byte) []byte {
	t := &m.memoryRoot().mem.total
	huge := m.HugePages * m.hugeSizes[0].bytes
	kb := func(label string, bytes int64) { b = appendMeminfo(b, label, bytes>>10) }
	kb("MemTotal:", m.Memory)
	kb("MemFree:", max(0, m.freeMemory()))
	kb("MemAvailable:", m.available())
	kb("Buffers:", m.buffers())
	kb("Cached:", t[file_]-m.buffers())
	kb("SwapCached:", t[swapcached])
	kb("Active:", t[activeAnon]+t[activeFile])
	kb("Inactive:", t.inactiveAnon()+t.inactiveFile())
	kb("Active(anon):", t[activeAnon])
	kb("Inactive(anon):", t.inactiveAnon())
	kb("Active(file):", t[activeFile])
	kb("Inactive(file):", t.inactiveFile())
	kb("Unevictable:", t[unevictable])
	kb("Mlocked:", t[unevictable])
	kb("SwapTotal:", m.Swap)
	kb("SwapFree:", m.Swap-t[swap])
	if m.zswap {
		kb("Zswap:", t[zswap])
		kb("Zswapped:", t[zswapped])
	}
	kb("Dirty:", t[fileDirty])
	kb("Writeback:", t[fileWriteback])
	kb("AnonPages:", t[anon])
	kb("Mapped:", t[fileMapped])
	kb("Shmem:", t[shmem])
	kb("KReclaimable:", t[slabReclaimable])
	kb("Slab:", t.slab())
	kb("SReclaimable:", t[slabReclaimable])
	kb("SUnreclaim:", t[slabUnreclaimable])
	kb("KernelStack:", t[kernelStack])
	kb("PageTables:", t[pagetables])
	if m.version >= v6_1 {
		kb("SecPageTables:", t[secPagetables])
	}
	kb("NFS_Unstable:", 0)
	kb("Bounce:", 0)
	kb("WritebackTmp:", 0)
	kb("CommitLimit:", (m.Memory-huge)/2+m.Swap)
	kb("Committed_AS:", m.host.committed+t[anon]+t[shmem])
	kb("VmallocTotal:", 34359738367<<10)
	kb("VmallocUsed:", t[vmalloc])
	kb("VmallocChunk:", 0)
	kb("Percpu:", t[percpu])
	if m.version >= v6_12 {
		b = append(b, "HardwareCorrupted:     0 kB\n"...)
	}
	kb("AnonHugePages:", t[anonTHP])
	kb("ShmemHugePages:", t[shmemTHP])
	kb("ShmemPmdMapped:", 0)
	kb("FileHugePages:", t[fileTHP])
	kb("FilePmdMapped:", 0)
	if m.version >= v6_12 {
		kb("Unaccepted:", 0)
	}
	if m.version >= v6_15 {
		kb("Balloon:", 0)
	}
	pages := func(label string, n int64) { b = fmt.Appendf(b, "%-16s%8d\n", label, n) }
	pages("HugePages_Total:", m.HugePages)
	pages("HugePages_Free:", m.HugePages-m.with("hugetlb").root.huge[0].usage/m.hugeSizes[0].bytes)
	pages("HugePages_Rsvd:", 0)
	pages("HugePages_Surp:", 0)
	kb("Hugepagesize:", m.hugeSizes[0].bytes)
	kb("Hugetlb:", huge)
	if m.Arch == "x86_64" {
		small := int64(33) << 20
		large := max(0, m.Memory-small) >> 30 << 30
		kb("DirectMap4k:", small)
		kb("DirectMap2M:", (max(0, m.Memory-small-large)+2<<20-1)>>21<<21)
		kb("DirectMap1G:", large)
	}
	return b
}

// appendMeminfo is show_val_kb: the label padded to 16 columns, the number to 8.
func appendMeminfo(b []byte, label string, kb int64) []byte {
	b = append(b, label...)
	for i := len(label); i < 16; i++ {
		b = append(b, ' ')
	}
	var num [20]byte
	s := strconv.AppendInt(num[:0], kb, 10)
	for i := len(s); i < 8; i++ {
		b = append(b, ' ')
	}
	b = append(b, s...)
	return append(b, " kB\n"...)
}

// swapsFile writes /proc/swaps (mm/swapfile.c swap_show).
func (m *machine) swapsFile(b []byte) []byte {
	b = append(b, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"...)
	if m.Swap == 0 {
		return b
	}
	total, used := m.Swap>>10, m.memoryRoot().mem.total[swap]>>10
	wide := func(n int64) string {
		if n < 10000000 {
			return "\t"
		}
		return ""
	}
	return fmt.Appendf(b, "%-40s%s\t%d\t%s%d\t%s%d\n", "/dev/zram0", "partition", total, wide(total), used, wide(used), -2)
}

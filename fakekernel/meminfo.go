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
		anon: 61, fileCache: 205, shmem: 3, slabReclaimable: 31, slabUnreclaimable: 23, kernelStack: 2, pagetables: 5,
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
	return m.Memory - m.host.unsized - m.memoryRoot().mem.total.usage() - m.hugePool()
}

// buffers is what reclaim left of the page cache of block devices.
func (m *machine) buffers() int64 {
	l := &m.memoryRoot().mem.local
	return min(m.host.buffers, l[fileCache]-l[shmem])
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

// meminfoLine is a line of /proc/meminfo (fs/proc/meminfo.c), in the kernel's order.
type meminfoLine struct {
	label string
	since version
	only  func(*machine) bool // nil: always there
	bytes func(m *machine, t *amounts) int64
}

func hasZswap(m *machine) bool { return m.zswap }
func isX86(m *machine) bool    { return m.Arch == "x86_64" }

// of is a line that shows one field of all charges.
func of(f memField) func(*machine, *amounts) int64 {
	return func(_ *machine, t *amounts) int64 { return t[f] }
}

// sum is a line made from all charges.
func sum(f func(*amounts) int64) func(*machine, *amounts) int64 {
	return func(_ *machine, t *amounts) int64 { return f(t) }
}

func none(*machine, *amounts) int64 { return 0 }

var meminfoLines = []meminfoLine{
	{label: "MemTotal:", bytes: func(m *machine, _ *amounts) int64 { return m.Memory }},
	{label: "MemFree:", bytes: func(m *machine, _ *amounts) int64 { return max(0, m.freeMemory()) }},
	{label: "MemAvailable:", bytes: func(m *machine, _ *amounts) int64 { return m.available() }},
	{label: "Buffers:", bytes: func(m *machine, _ *amounts) int64 { return m.buffers() }},
	{label: "Cached:", bytes: func(m *machine, t *amounts) int64 { return t[fileCache] - m.buffers() }},
	{label: "SwapCached:", bytes: of(swapcached)},
	{label: "Active:", bytes: sum(func(t *amounts) int64 { return t[activeAnon] + t[activeFile] })},
	{label: "Inactive:", bytes: sum(func(t *amounts) int64 { return t.inactiveAnon() + t.inactiveFile() })},
	{label: "Active(anon):", bytes: of(activeAnon)},
	{label: "Inactive(anon):", bytes: sum((*amounts).inactiveAnon)},
	{label: "Active(file):", bytes: of(activeFile)},
	{label: "Inactive(file):", bytes: sum((*amounts).inactiveFile)},
	{label: "Unevictable:", bytes: of(unevictable)},
	{label: "Mlocked:", bytes: of(unevictable)},
	{label: "SwapTotal:", bytes: func(m *machine, _ *amounts) int64 { return m.Swap }},
	{label: "SwapFree:", bytes: func(m *machine, t *amounts) int64 { return m.Swap - t[swap] }},
	{label: "Zswap:", only: hasZswap, bytes: of(zswap)},
	{label: "Zswapped:", only: hasZswap, bytes: of(zswapped)},
	{label: "Dirty:", bytes: of(fileDirty)},
	{label: "Writeback:", bytes: of(fileWriteback)},
	{label: "AnonPages:", bytes: of(anon)},
	{label: "Mapped:", bytes: of(fileMapped)},
	{label: "Shmem:", bytes: of(shmem)},
	{label: "KReclaimable:", bytes: of(slabReclaimable)},
	{label: "Slab:", bytes: sum((*amounts).slab)},
	{label: "SReclaimable:", bytes: of(slabReclaimable)},
	{label: "SUnreclaim:", bytes: of(slabUnreclaimable)},
	{label: "KernelStack:", bytes: of(kernelStack)},
	{label: "PageTables:", bytes: of(pagetables)},
	{label: "SecPageTables:", since: v6_1, bytes: of(secPagetables)},
	{label: "NFS_Unstable:", bytes: none},
	{label: "Bounce:", bytes: none},
	{label: "WritebackTmp:", bytes: none},
	{label: "CommitLimit:", bytes: func(m *machine, _ *amounts) int64 { return (m.Memory-m.hugePool())/2 + m.Swap }},
	{label: "Committed_AS:", bytes: func(m *machine, t *amounts) int64 { return m.host.committed + t[anon] + t[shmem] }},
	{label: "VmallocTotal:", bytes: sum(func(*amounts) int64 { return 34359738367 << 10 })},
	{label: "VmallocUsed:", bytes: of(vmalloc)},
	{label: "VmallocChunk:", bytes: none},
	{label: "Percpu:", bytes: of(percpu)},
	{label: "HardwareCorrupted:", since: v6_12, bytes: none},
	{label: "AnonHugePages:", bytes: of(anonTHP)},
	{label: "ShmemHugePages:", bytes: of(shmemTHP)},
	{label: "ShmemPmdMapped:", bytes: none},
	{label: "FileHugePages:", bytes: of(fileTHP)},
	{label: "FilePmdMapped:", bytes: none},
	{label: "Unaccepted:", since: v6_12, bytes: none},
	{label: "Balloon:", since: v6_15, bytes: none},
	{label: "GPUActive:", since: v7_3, bytes: none},
	{label: "GPUReclaim:", since: v7_3, bytes: none},
}

// hugePool is the memory set aside for huge pages, used or not.
func (m *machine) hugePool() int64 { return m.HugePages * m.hugeSizes[0].bytes }

// directMap is how the kernel maps RAM on x86: a little in small pages, whole GiB in large ones.
const directMap4k = 33 << 20

func (m *machine) directMap1G() int64 { return max(0, m.Memory-directMap4k) >> 30 << 30 }

var directMapLines = []meminfoLine{
	{label: "DirectMap4k:", only: isX86, bytes: sum(func(*amounts) int64 { return directMap4k })},
	{label: "DirectMap2M:", only: isX86, bytes: func(m *machine, _ *amounts) int64 {
		return (max(0, m.Memory-directMap4k-m.directMap1G()) + 2<<20 - 1) >> 21 << 21
	}},
	{label: "DirectMap1G:", only: isX86, bytes: func(m *machine, _ *amounts) int64 { return m.directMap1G() }},
}

// meminfo writes /proc/meminfo.
func (m *machine) meminfo(b []byte) []byte {
	b = m.appendLines(b, meminfoLines)
	used := m.with("hugetlb").root.huge[0].usage / m.hugeSizes[0].bytes
	for _, l := range []struct {
		label string
		pages int64
	}{{"HugePages_Total:", m.HugePages}, {"HugePages_Free:", m.HugePages - used}, {"HugePages_Rsvd:", 0}, {"HugePages_Surp:", 0}} {
		b = fmt.Appendf(b, "%-16s%8d\n", l.label, l.pages)
	}
	b = appendMeminfo(b, "Hugepagesize:", m.hugeSizes[0].bytes>>10)
	b = appendMeminfo(b, "Hugetlb:", m.hugePool()>>10)
	return m.appendLines(b, directMapLines)
}

func (m *machine) appendLines(b []byte, rows []meminfoLine) []byte {
	t := &m.memoryRoot().mem.total
	for i := range rows {
		if l := &rows[i]; m.version >= l.since && (l.only == nil || l.only(m)) {
			b = appendMeminfo(b, l.label, l.bytes(m, t)>>10)
		}
	}
	return b
}

// appendMeminfo is show_val_kb: label and number take 24 columns. HardwareCorrupted, longer than the rest, has its own
// format there, which comes to the same.
func appendMeminfo(b []byte, label string, kb int64) []byte {
	b = append(b, label...)
	for i := len(label); i < 16; i++ {
		b = append(b, ' ')
	}
	var num [20]byte
	s := strconv.AppendInt(num[:0], kb, 10)
	for i := max(16, len(label)) + len(s); i < 24; i++ {
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

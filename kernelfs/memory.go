package kernelfs

import "bytes"

// MemKey is a counter of memory.stat, Documentation/admin-guide/cgroup-v2.rst, in its v2 name.
type MemKey uint8

// The counters that served files are made of. Units are bytes.
const (
	Anon MemKey = iota
	FileCache
	Shmem
	FileMapped
	FileDirty
	FileWriteback
	SwapCached
	AnonTHP
	FileTHP
	ShmemTHP
	KernelStack
	PageTables
	SecPageTables
	Percpu
	Vmalloc
	InactiveAnon
	ActiveAnon
	InactiveFile
	ActiveFile
	Unevictable
	SlabReclaimable
	SlabUnreclaimable
	Slab
	Zswap
	Zswapped
	hierarchicalLimit // v1 only: the smallest limit up the tree
	hierarchicalMemsw // v1 only: the smallest memory+swap limit up the tree
	NMemKeys
)

// memKeyNames is how each version spells a counter; v1's total_ keys include child cgroups, as v2's
// plain ones do. "" is one the version does not have.
var memKeyNames = [NMemKeys][3]string{
	Anon:              {1: "total_rss", 2: "anon"},
	FileCache:         {1: "total_cache", 2: "file"},
	Shmem:             {1: "total_shmem", 2: "shmem"},
	FileMapped:        {1: "total_mapped_file", 2: "file_mapped"},
	FileDirty:         {1: "total_dirty", 2: "file_dirty"},
	FileWriteback:     {1: "total_writeback", 2: "file_writeback"},
	SwapCached:        {1: "total_swapcached", 2: "swapcached"},
	AnonTHP:           {1: "total_rss_huge", 2: "anon_thp"},
	FileTHP:           {2: "file_thp"},
	ShmemTHP:          {2: "shmem_thp"},
	KernelStack:       {2: "kernel_stack"},
	PageTables:        {2: "pagetables"},
	SecPageTables:     {2: "sec_pagetables"},
	Percpu:            {2: "percpu"},
	Vmalloc:           {2: "vmalloc"},
	InactiveAnon:      {1: "total_inactive_anon", 2: "inactive_anon"},
	ActiveAnon:        {1: "total_active_anon", 2: "active_anon"},
	InactiveFile:      {1: "total_inactive_file", 2: "inactive_file"},
	ActiveFile:        {1: "total_active_file", 2: "active_file"},
	Unevictable:       {1: "total_unevictable", 2: "unevictable"},
	SlabReclaimable:   {2: "slab_reclaimable"},
	SlabUnreclaimable: {2: "slab_unreclaimable"},
	Slab:              {2: "slab"},
	Zswap:             {2: "zswap"},
	Zswapped:          {2: "zswapped"},
	hierarchicalLimit: {1: "hierarchical_memory_limit"},
	hierarchicalMemsw: {1: "hierarchical_memsw_limit"},
}

// Name returns the counter's name in memory.stat of the given cgroup version, "" if it has none.
func (k MemKey) Name(version int) string { return memKeyNames[k][version] }

// memKeys finds a counter by name, for each version.
var memKeys = func() (m [3]map[string]MemKey) {
	for v := 1; v <= 2; v++ {
		m[v] = map[string]MemKey{}
		for k := range NMemKeys {
			if name := k.Name(v); name != "" {
				m[v][name] = k
			}
		}
	}
	return m
}()

// At is where a value was read: a file of a cgroup. The zero At means nowhere.
type At struct {
	Cgroup *Cgroup
	file   name
}

// File returns the name of the file in the cgroup's directory.
func (a At) File() string {
	if a.Cgroup == nil {
		return ""
	}
	return fileNames[a.file][a.Cgroup.Hierarchy.Version]
}

// MemoryLimit is how much memory a cgroup may use and uses.
type MemoryLimit struct {
	// Limit is the smallest memory.max (v1 memory.limit_in_bytes) from the cgroup up to the root.
	Limit   Bytes
	LimitAt At
	// Usage is memory.current (v1 memory.usage_in_bytes) of the cgroup that has this limit, which
	// counts everything below it; of the cgroup itself where nothing limits it.
	Usage   Bytes
	UsageAt At
}

// MemoryStat holds the counters of a cgroup's memory.stat, its children's included.
type MemoryStat struct {
	Bytes [NMemKeys]Bytes
	known uint64

	// lines are the names in the text last read, in their order, which a kernel does not change: a
	// comparison then does for a look-up, half of what reading the text costs.
	lines   []statName
	version int
}

type statName struct {
	name   string
	key    MemKey
	wanted bool
}

// Known reports whether the kernel has the counter.
func (m *MemoryStat) Known(k MemKey) bool { return m.known>>k&1 == 1 }

// parse reads memory.stat: a name and a number on each line.
func (m *MemoryStat) parse(path string, text []byte, version int) error {
	lines := m.lines
	if m.version != version {
		lines = lines[:0]
	}
	*m = MemoryStat{lines: lines, version: version}
	for n := 0; len(text) > 0; n++ {
		if n >= len(m.lines) || !m.lines[n].starts(text) {
			if !m.learn(n, text) {
				return &ParseError{path, n + 1, errFormat}
			}
		}
		l := &m.lines[n]
		v, rest, ok := ParseUint(text[len(l.name)+1:])
		if !ok || len(rest) > 0 && rest[0] != '\n' {
			return &ParseError{path, n + 1, errNumber}
		}
		if l.wanted {
			m.Bytes[l.key] = Bytes(v)
			m.known |= 1 << l.key
		}
		text = rest[min(1, len(rest)):]
	}
	return nil
}

func (l *statName) starts(text []byte) bool {
	n := len(l.name)
	return len(text) > n && text[n] == ' ' && string(text[:n]) == l.name
}

// learn makes the name that text starts with the n-th line's. It reports false if there is none.
func (m *MemoryStat) learn(n int, text []byte) bool {
	i := bytes.IndexByte(text, ' ')
	if i < 0 || bytes.IndexByte(text[:i], '\n') >= 0 {
		return false
	}
	l := statName{name: string(text[:i])}
	l.key, l.wanted = memKeys[m.version][l.name]
	m.lines = append(m.lines[:n], l)
	return true
}

// Swap is how much swap a cgroup may use and uses.
type Swap struct {
	Accounted bool // the kernel counts the cgroup's swap
	// Limit is the smallest memory.swap.max from the cgroup up to the root; on v1 the smallest
	// memory.memsw.limit_in_bytes, which limits memory and swap together.
	Limit   Bytes
	LimitAt At
	// Usage is memory.swap.current, v1 memory.memsw.usage_in_bytes - memory.usage_in_bytes.
	Usage   Bytes
	UsageAt At
	// Swappiness is memory.swappiness, 0 to 200; 60 on v2, which has none per cgroup.
	Swappiness int
}

// MemoryLimit reads the limit that binds the cgroup, and the usage judged by it.
func (cg *Cgroup) MemoryLimit(s *Snapshot) (MemoryLimit, error) {
	return cg.Hierarchy.memoryLimit(s, cg)
}

// MemoryStat reads memory.stat. The result is valid until another cgroup's is read in the same pass.
func (cg *Cgroup) MemoryStat(s *Snapshot) (*MemoryStat, error) {
	if s.statOf == cg {
		return &s.stat, nil
	}
	s.statOf = nil
	text, err := cg.read(s, memStat)
	if err != nil {
		return nil, err
	}
	if err := s.stat.parse(cg.file(memStat).path, text, cg.Hierarchy.Version); err != nil {
		return nil, err
	}
	s.statOf = cg
	return &s.stat, nil
}

// Swap reads the swap limit and usage.
func (cg *Cgroup) Swap(s *Snapshot) (Swap, error) { return cg.Hierarchy.swap(s, cg) }

// Slabinfo returns memory.kmem.slabinfo, which v1 has up to Linux 5.15.
func (cg *Cgroup) Slabinfo(s *Snapshot) ([]byte, error) { return cg.read(s, slabinfo) }

// HugePages is what the hugetlb controller says of one page size.
type HugePages struct {
	Limit, Usage, Reserved Bytes
}

// hugeNoLimit is above every limit of huge pages that is one. Without one v1 prints LONG_MAX rounded
// down to the huge page's size, at most 16 GiB, and v2 "max" or, seen on Linux 6.18, LONG_MAX rounded
// down to a page.
const hugeNoLimit = Bytes(1 << 62)

// HugePages reads hugetlb.SIZE.max, .current and .rsvd.current (v1 .limit_in_bytes,
// .usage_in_bytes and .rsvd.usage_in_bytes), the limit being the smallest up the tree. Size is in the
// kernel's spelling: 2MB, 1GB.
func (cg *Cgroup) HugePages(s *Snapshot, size string) (HugePages, error) {
	suffix := [3][3]string{
		1: {".limit_in_bytes", ".usage_in_bytes", ".rsvd.usage_in_bytes"},
		2: {".max", ".current", ".rsvd.current"},
	}[cg.Hierarchy.Version]
	h := HugePages{Limit: NoLimit}
	for at := cg; at != nil; at = at.parent {
		n, err := at.hugetlb(s, size+suffix[0])
		if err != nil {
			if at == cg || !Missing(err) {
				return h, err
			}
			break // v2's root has none
		}
		if n < hugeNoLimit {
			h.Limit = min(h.Limit, n)
		}
	}
	var err error
	if h.Usage, err = cg.hugetlb(s, size+suffix[1]); err != nil {
		return h, err
	}
	h.Reserved, err = cg.hugetlb(s, size+suffix[2])
	if Missing(err) { // since Linux 5.7
		err = nil
	}
	return h, err
}

func (cg *Cgroup) hugetlb(s *Snapshot, file string) (Bytes, error) {
	path := cg.Dir() + "/hugetlb." + file
	b, err := s.ReadPath(path)
	if err != nil {
		return 0, err
	}
	return oneNumber(path, b)
}

package kernelfs

import (
	"io/fs"
	"path"
	"strings"
	"sync/atomic"
	"syscall"
)

// Cgroup is a directory of a hierarchy, with its files kept open. Containers below the same parent
// share the parent's.
type Cgroup struct {
	Hierarchy *Hierarchy
	Path      string // below the hierarchy's mount, "/" is its root

	parent *Cgroup // nil above the root
	refs   int     // guarded by Hierarchy.mu
	files  [nNames]atomic.Pointer[File]
	split  atomic.Pointer[HostFile] // of files[cpuTime], v1
}

// name is a file of a cgroup that is read again and again.
type name uint8

const (
	memStat name = iota
	memUsage
	memLimit
	swapUsage
	swapLimit
	swappiness
	cpuQuota
	cpuPeriod
	cpuTime
	cpuTimePerCPU
	cpuTimeTotals
	cpusetCPUs
	ioStat
	ioServiced
	ioMerged
	ioWaitTime
	ioServiceTime
	throttleBytes
	throttleServiced
	psiCPU
	psiIO
	psiMemory
	slabinfo
	nNames
)

// fileNames is how each version spells it; "" is a file the version does not have.
var fileNames = [nNames][3]string{
	memStat:          {1: "memory.stat", 2: "memory.stat"},
	memUsage:         {1: "memory.usage_in_bytes", 2: "memory.current"},
	memLimit:         {1: "memory.limit_in_bytes", 2: "memory.max"},
	swapUsage:        {1: "memory.memsw.usage_in_bytes", 2: "memory.swap.current"},
	swapLimit:        {1: "memory.memsw.limit_in_bytes", 2: "memory.swap.max"},
	swappiness:       {1: "memory.swappiness"},
	cpuQuota:         {1: "cpu.cfs_quota_us", 2: "cpu.max"},
	cpuPeriod:        {1: "cpu.cfs_period_us"},
	cpuTime:          {1: "cpuacct.usage_all", 2: "cpu.stat"},
	cpuTimePerCPU:    {1: "cpuacct.usage_percpu"},
	cpuTimeTotals:    {1: "cpuacct.stat"},
	cpusetCPUs:       {1: "cpuset.effective_cpus", 2: "cpuset.cpus.effective"},
	ioStat:           {1: "blkio.io_service_bytes_recursive", 2: "io.stat"},
	ioServiced:       {1: "blkio.io_serviced_recursive"},
	ioMerged:         {1: "blkio.io_merged_recursive"},
	ioWaitTime:       {1: "blkio.io_wait_time_recursive"},
	ioServiceTime:    {1: "blkio.io_service_time_recursive"},
	throttleBytes:    {1: "blkio.throttle.io_service_bytes_recursive"},
	throttleServiced: {1: "blkio.throttle.io_serviced_recursive"},
	psiCPU:           {2: "cpu.pressure"},
	psiIO:            {2: "io.pressure"},
	psiMemory:        {2: "memory.pressure"},
	slabinfo:         {1: "memory.kmem.slabinfo"},
}

// Cgroup returns the cgroup at path. Release it when it is no longer asked for.
func (h *Hierarchy) Cgroup(path string) *Cgroup {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.acquire(path)
}

func (h *Hierarchy) acquire(p string) *Cgroup {
	cg := h.groups[p]
	if cg == nil {
		cg = &Cgroup{Hierarchy: h, Path: p}
		if p != "/" {
			cg.parent = h.acquire(path.Dir(p))
		}
		h.groups[p] = cg
	}
	cg.refs++
	return cg
}

// Release closes the cgroup's files, and those of its parents that nobody else holds.
func (cg *Cgroup) Release() {
	if cg == nil {
		return
	}
	h := cg.Hierarchy
	h.mu.Lock()
	var gone []*Cgroup
	for cg != nil {
		if cg.refs--; cg.refs > 0 {
			break
		}
		delete(h.groups, cg.Path)
		gone = append(gone, cg)
		cg = cg.parent
	}
	h.mu.Unlock()
	for _, cg := range gone {
		for i := range cg.files {
			cg.files[i].Load().Close()
		}
	}
}

// Dir returns the directory's path on the host.
func (cg *Cgroup) Dir() string {
	return strings.TrimSuffix(cg.Hierarchy.Mount+cg.Path, "/")
}

// Root reports whether the cgroup is the root of its hierarchy.
func (cg *Cgroup) Root() bool { return cg.parent == nil }

// file returns the handle on one of the cgroup's files, nil if its version has none.
func (cg *Cgroup) file(n name) *File {
	if f := cg.files[n].Load(); f != nil {
		return f
	}
	base := fileNames[n][cg.Hierarchy.Version]
	if base == "" {
		return nil
	}
	f := cg.Hierarchy.fs.File(cg.Dir() + "/" + base)
	if !cg.files[n].CompareAndSwap(nil, f) {
		return cg.files[n].Load()
	}
	return f
}

// read returns the content of one of the cgroup's files.
func (cg *Cgroup) read(s *Snapshot, n name) ([]byte, error) {
	f := cg.file(n)
	if f == nil {
		return nil, &fs.PathError{Op: "read", Path: cg.Dir(), Err: syscall.ENOENT}
	}
	return s.Read(f)
}

// number returns the single number in one of the cgroup's files.
func (cg *Cgroup) number(s *Snapshot, n name) (Bytes, error) {
	b, err := cg.read(s, n)
	if err != nil {
		return 0, err
	}
	return oneNumber(cg.file(n).path, b)
}

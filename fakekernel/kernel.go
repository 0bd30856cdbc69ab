package fakekernel

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// Kernel is a host's kernel files and the verbs that change them as Linux would. It is an [afero.Fs]; verbs and reads may run
// at the same time. A Kernel made by [New] or [Boot] has a machine behind its files; one made by [Load] from a captured
// archive has only the files.
type Kernel struct {
	mu      sync.RWMutex
	raw     raw
	m       *machine // nil for a captured host
	comment []byte
}

// Config says which machine [New] makes. The zero value is a 4-CPU unified host with 8 GiB and no swap on Linux 6.12.
type Config struct {
	Layout         string        // legacy, hybrid or unified (the default)
	Kernel         string        // release: 4.19, 5.10, 6.1, 6.12 (the default), 6.18, 7.3
	Arch           string        // x86_64 (the default) or another; then CPUInfo says what /proc/cpuinfo shows
	CPUs           int           // CPUs present, all online
	ThreadsPerCore int           // hardware threads of a core; 1
	CPUsPerPackage int           // CPUs of a socket; all
	Memory         int64         // bytes of RAM; /proc/meminfo's MemTotal
	Swap           int64         // bytes of the swap device /dev/zram0; 0 for none
	HugePages      int64         // 2 MiB pages in the pool
	Disks          []string      // names as in /proc/diskstats; sda
	NoZswap        bool          // a kernel without CONFIG_ZSWAP
	NoPSI          bool          // a kernel booted with psi=0: no pressure files
	Uptime         time.Duration // since boot; 1000 s
	CPUInfo        []byte        // /proc/cpuinfo of an architecture other than x86
}

// layouts are the three ways systemd mounts cgroups.
var layouts = []string{"legacy", "hybrid", "unified"}

const minMemory = 64 << 20

// New returns a booted machine with no containers.
func New(c Config) (*Kernel, error) {
	set(&c.Layout, "unified")
	set(&c.Kernel, "6.12")
	set(&c.Arch, "x86_64")
	set(&c.CPUs, 4)
	set(&c.ThreadsPerCore, 1)
	set(&c.CPUsPerPackage, c.CPUs)
	set(&c.Memory, 8<<30)
	set(&c.Uptime, 1000*time.Second)
	if c.Disks == nil {
		c.Disks = []string{"sda"}
	}
	if !slices.Contains(layouts, c.Layout) {
		return nil, fmt.Errorf("layout %q: want legacy, hybrid or unified", c.Layout)
	}
	v, err := parseVersion(c.Kernel)
	if err != nil {
		return nil, err
	}
	if c.CPUs < 1 || c.CPUs > 8192 || c.ThreadsPerCore < 1 || c.CPUsPerPackage < 1 {
		return nil, fmt.Errorf("cpus %d: want 1 to 8192", c.CPUs)
	}
	if c.Memory < minMemory {
		return nil, fmt.Errorf("memory %d: want 64M at least", c.Memory)
	}
	k := &Kernel{raw: newRaw()}
	if k.m, err = newMachine(c, v); err != nil {
		return nil, err
	}
	return k, nil
}

func set[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// Layout returns legacy, hybrid or unified; for a captured host, what its cgroup mounts amount to, or "" without any.
func (k *Kernel) Layout() string {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.m != nil {
		return k.m.Layout
	}
	for _, file := range []string{"/proc/self/mountinfo", "/proc/1/mountinfo"} {
		if n, _, err := k.resolve(file, true); err == nil && n.text != nil {
			return capturedLayout(n.text(nil))
		}
	}
	return ""
}

// change runs one verb on the machine, alone.
func (k *Kernel) change(f func(*machine) error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.m == nil {
		return fmt.Errorf("a captured host is files only: use write, fail, remove and tick")
	}
	return f(k.m)
}

// machine is the state the files are generated from.
type machine struct {
	Config
	version     version
	psi         bool
	zswap       bool
	hugeSizes   []hugeSize
	hierarchies []*hierarchy
	nextIno     uint64

	pids    map[int]*process
	tasks   map[int]*thread
	names   map[string]*process
	nextPID int
	forks   int64
	initNS  *pidns
	nsInos  []uint64 // free namespace inode numbers, ascending
	nextNS  uint64
	self    *process

	now      time.Duration // CLOCK_BOOTTIME
	load     [3]uint64     // 21.11 fixed point, as kernel/sched/loadavg.c keeps it
	samples  time.Duration // time of the last load sample
	averages time.Duration // time of the last pressure average
	cpus     []cpu
	ctxt     int64

	host    hostMemory
	disks   []*disk
	psiHost pressures
}

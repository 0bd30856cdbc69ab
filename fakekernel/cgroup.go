package fakekernel

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
)

// cgroup is a control group in one hierarchy. Only the state of the hierarchy's controllers is there.
type cgroup struct {
	h        *hierarchy
	name     string
	parent   *cgroup
	children map[string]*cgroup
	ino      uint64
	dead     bool

	enabled []string // v2: controllers it has files of (cgroup.controllers)
	subtree []string // v2: controllers its children have (cgroup.subtree_control)

	procs  map[*process]bool
	ntasks int // threads in the subtree

	mem        *memory
	cpu        *cpuGroup
	io         *ioGroup
	cpus       cpumask // cpuset.cpus as written; nil when empty
	pidsMax    int64
	pidsPeak   int
	pidsEvents int64
	huge       []hugeGroup
	frozen     bool
	psi        *pressures
}

func (cg *cgroup) isRoot() bool { return cg.parent == nil }

func (cg *cgroup) path() string {
	if cg.isRoot() {
		return "/"
	}
	var names []string
	for c := cg; !c.isRoot(); c = c.parent {
		names = append(names, c.name)
	}
	slices.Reverse(names)
	p := "/" + strings.Join(names, "/")
	if cg.dead {
		p += " (deleted)"
	}
	return p
}

// up yields cg and its ancestors, the root last.
func (cg *cgroup) up(yield func(*cgroup) bool) {
	for c := cg; c != nil; c = c.parent {
		if !yield(c) {
			return
		}
	}
}

// down yields cg and everything below it, in the order of names.
func (cg *cgroup) down(yield func(*cgroup) bool) { cg.descend(yield) }

func (cg *cgroup) descend(yield func(*cgroup) bool) bool {
	if !yield(cg) {
		return false
	}
	for _, name := range sortedKeys(cg.children) {
		if !cg.children[name].descend(yield) {
			return false
		}
	}
	return true
}

// controls reports whether cg has the files of the controller: on v1 always, on v2 if its parent enabled it.
func (cg *cgroup) controls(ctl string) bool {
	return !cg.h.v2 || cg.isRoot() || slices.Contains(cg.enabled, ctl)
}

func (m *machine) newCgroup(h *hierarchy, parent *cgroup, name string) *cgroup {
	m.nextIno++
	cg := &cgroup{h: h, name: name, parent: parent, ino: m.nextIno, children: map[string]*cgroup{}, procs: map[*process]bool{}, pidsMax: noLimit}
	if h.has("memory") {
		cg.mem = newMemory()
	}
	if h.v2 || h.has("cpu") || h.has("cpuacct") {
		cg.cpu = newCPUGroup()
	}
	if h.has("io") || h.has("blkio") {
		cg.io = &ioGroup{}
	}
	if h.has("hugetlb") {
		cg.huge = make([]hugeGroup, len(m.hugeSizes))
		for i := range cg.huge {
			cg.huge[i].max = noLimit
		}
	}
	if h.v2 && m.psi {
		cg.psi = &pressures{}
	}
	if h.has("cpuset") && !h.v2 && parent != nil {
		cg.cpus = parent.v1cpus(m).clone()
	}
	if parent != nil {
		parent.children[name] = cg
	}
	return cg
}

// cgroupWith finds the cgroup of a verb's PATH in the hierarchy of one controller.
func (m *machine) cgroupWith(ctl, p string) (*cgroup, error) {
	h := m.with(ctl)
	if h == nil {
		return nil, fmt.Errorf("cgroup %s: no %s controller", p, ctl)
	}
	_, rest, err := m.split(p)
	if err != nil {
		return nil, err
	}
	cg := h.find(rest)
	if cg == nil {
		return nil, fmt.Errorf("cgroup %s: %w", p, syscall.ENOENT)
	}
	return cg, nil
}

// CgroupCreate is the verb cgroup create: it makes a cgroup, and its parents, with files at the kernel's defaults, in every
// hierarchy or in that of a prefix (memory:/x). On v2 it first enables controllers in the parent's cgroup.subtree_control
// as a container manager does: all of them, or those of controllers=cpu,memory (none for controllers=none) and those its
// other children have already. A parent with processes cannot hand controllers down, so its children get none.
func (k *Kernel) CgroupCreate(p string, options ...string) error {
	return k.change(func(m *machine) error {
		opts, err := parseOptions(options)
		if err != nil {
			return err
		}
		want := []string{"all"}
		for _, o := range opts {
			if o.name != "controllers" {
				return fmt.Errorf("option %s: want controllers", o.name)
			}
			want = strings.Split(o.value, ",")
		}
		hs, rest, err := m.split(p)
		if err != nil {
			return err
		}
		for _, h := range hs {
			m.mkdir(h, rest, want)
		}
		return nil
	})
}

func (m *machine) mkdir(h *hierarchy, p string, want []string) *cgroup {
	cg := h.root
	for _, name := range strings.FieldsFunc(p, func(r rune) bool { return r == '/' }) {
		child := cg.children[name]
		if child == nil {
			if h.v2 && (cg.isRoot() || len(cg.procs) == 0) {
				cg.enable(want)
			}
			child = m.newCgroup(h, cg, name)
			child.enabled = cg.subtree
		}
		cg = child
	}
	return cg
}

// enable writes "+ctl" for each wanted controller cg has to cgroup.subtree_control: all its children have them then. The
// order is that of the hierarchy's controllers.
func (cg *cgroup) enable(want []string) {
	var on []string
	for _, c := range cg.enabled {
		if want[0] == "all" || slices.Contains(want, c) || slices.Contains(cg.subtree, c) {
			on = append(on, c)
		}
	}
	cg.subtree = on
	for _, child := range cg.children {
		child.enabled = on
	}
}

// CgroupRemove is the verb cgroup remove: rmdir(2) in every hierarchy that has the path. EBUSY while it holds processes or
// cgroups; what is charged to it moves to its parent. An open file of it answers ENODEV from now on.
func (k *Kernel) CgroupRemove(p string) error {
	return k.change(func(m *machine) error {
		hs, rest, err := m.split(p)
		if err != nil {
			return err
		}
		var found []*cgroup
		for _, h := range hs {
			cg := h.find(rest)
			if cg == nil {
				continue
			}
			if cg.isRoot() || len(cg.procs) > 0 || len(cg.children) > 0 {
				return fmt.Errorf("cgroup %s: %w", p, syscall.EBUSY)
			}
			found = append(found, cg)
		}
		if len(found) == 0 {
			return fmt.Errorf("cgroup %s: %w", p, syscall.ENOENT)
		}
		for _, cg := range found {
			cg.reparent()
			k.raw.drop(cg.dirPath())
			delete(cg.parent.children, cg.name)
			cg.dead = true
		}
		return nil
	})
}

func (cg *cgroup) dirPath() string { return cg.h.mountPoint() + strings.TrimSuffix(cg.path(), "/") }

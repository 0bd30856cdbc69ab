package fakekernel

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
)

// hierarchy is one mounted cgroup tree.
type hierarchy struct {
	id          int // as in /proc/PID/cgroup; 0 is the v2 one
	v2          bool
	controllers []string // attached to it; a v1 hierarchy without any is name=systemd
	dir         string   // below /sys/fs/cgroup, "" for a unified host
	root        *cgroup
	rootFiles   map[string]*cgroupFile
	childFiles  map[string]*cgroupFile
}

// label is the middle field of /proc/PID/cgroup.
func (h *hierarchy) label() string {
	switch {
	case h.v2:
		return ""
	case len(h.controllers) == 0:
		return "name=systemd"
	}
	return strings.Join(h.controllers, ",")
}

func (h *hierarchy) has(ctl string) bool { return slices.Contains(h.controllers, ctl) }

func (h *hierarchy) mountPoint() string {
	if h.dir == "" {
		return "/sys/fs/cgroup"
	}
	return "/sys/fs/cgroup/" + h.dir
}

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

// mountCgroups makes the hierarchies of the layout. Legacy is what cgroupfs-mount makes, one hierarchy per controller;
// hybrid is what systemd makes, with cpu,cpuacct and net_cls,net_prio together.
func (m *machine) mountCgroups() {
	misc := m.version >= v5_13
	switch m.Layout {
	case "unified":
		h := m.mount(0, "", "cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma")
		if misc {
			h.controllers = append(h.controllers, "misc")
		}
	case "legacy":
		ctls := []string{"cpuset", "cpu", "cpuacct", "blkio", "memory", "devices", "freezer", "net_cls", "perf_event", "net_prio", "hugetlb", "pids", "rdma"}
		if misc {
			ctls = append(ctls, "misc")
		}
		for i, c := range ctls {
			m.mount(i+1, c, c)
		}
		m.mount(len(ctls)+1, "systemd")
	case "hybrid":
		m.mount(0, "unified")
		m.mount(1, "systemd")
		ctls := []string{"cpuset", "cpu,cpuacct", "blkio", "memory", "devices", "freezer", "net_cls,net_prio", "perf_event", "hugetlb", "pids", "rdma"}
		if misc {
			ctls = append(ctls, "misc")
		}
		for i, c := range ctls {
			m.mount(i+2, c, strings.Split(c, ",")...)
		}
	}
	for _, h := range m.hierarchies {
		h.rootFiles, h.childFiles = m.filesOf(h)
		h.root = m.newCgroup(h, nil, "")
		h.root.enabled = h.controllers
	}
}

func (m *machine) mount(id int, dir string, ctls ...string) *hierarchy {
	h := &hierarchy{id: id, dir: dir, controllers: ctls, v2: id == 0}
	m.hierarchies = append(m.hierarchies, h)
	return h
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

// with returns the hierarchy of a controller, in either version's name; nil if there is none.
func (m *machine) with(ctl string) *hierarchy {
	v2name := map[string]string{"blkio": "io", "cpuacct": "cpu", "io": "blkio"}
	for _, h := range m.hierarchies {
		if h.has(ctl) || h.has(v2name[ctl]) && (h.v2 || ctl == "io") {
			return h
		}
	}
	return nil
}

// v2 returns the v2 hierarchy, or nil on a legacy host.
func (m *machine) v2() *hierarchy {
	for _, h := range m.hierarchies {
		if h.v2 {
			return h
		}
	}
	return nil
}

// split reads a verb's PATH: "/lxc/web" in every hierarchy, "memory:/lxc/web" in that controller's alone.
func (m *machine) split(p string) ([]*hierarchy, string, error) {
	ctl, rest, ok := strings.Cut(p, ":")
	if !ok {
		ctl, rest = "", p
	}
	if !strings.HasPrefix(rest, "/") {
		return nil, "", fmt.Errorf("cgroup %q: want a path such as /lxc/web", p)
	}
	if ctl == "" {
		return m.hierarchies, rest, nil
	}
	for _, h := range m.hierarchies {
		if h.has(ctl) || h.label() == ctl || ctl == "unified" && h.v2 {
			return []*hierarchy{h}, rest, nil
		}
	}
	return nil, "", fmt.Errorf("cgroup %q: no hierarchy with controller %s", p, ctl)
}

func (h *hierarchy) find(p string) *cgroup {
	cg := h.root
	for _, name := range strings.FieldsFunc(p, func(r rune) bool { return r == '/' }) {
		if cg = cg.children[name]; cg == nil {
			return nil
		}
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

// Freeze is the verb freeze: cgroup.freeze or freezer.state. The processes below stand still until [Kernel.Thaw].
func (k *Kernel) Freeze(p string) error { return k.setFrozen(p, true) }

// Thaw is the verb thaw.
func (k *Kernel) Thaw(p string) error { return k.setFrozen(p, false) }

func (k *Kernel) setFrozen(p string, frozen bool) error {
	return k.change(func(m *machine) error {
		h := m.freezerHierarchy()
		_, rest, err := m.split(p)
		if err != nil {
			return err
		}
		cg := h.find(rest)
		if cg == nil || cg.isRoot() {
			return fmt.Errorf("cgroup %s: %w", p, syscall.ENOENT)
		}
		cg.frozen = frozen
		return nil
	})
}

// freezerHierarchy is where the freezer of container managers is: v1's own, else cgroup.freeze.
func (m *machine) freezerHierarchy() *hierarchy {
	if h := m.with("freezer"); h != nil {
		return h
	}
	return m.v2()
}

func (cg *cgroup) isFrozen() bool {
	for c := range cg.up {
		if c.frozen {
			return true
		}
	}
	return false
}

// frozen reports whether a process stands still.
func (m *machine) frozen(p *process) bool { return p.cgroups[m.freezerHierarchy()].isFrozen() }

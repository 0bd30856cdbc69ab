package fakekernel

import (
	"fmt"
	"slices"
	"strings"
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

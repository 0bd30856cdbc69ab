package fakekernel

import (
	"io/fs"
	"slices"
	"strings"
	"syscall"
)

// cgroupFile is a row of a hierarchy's file tables.
type cgroupFile struct {
	name  string
	ctl   string  // controller that brings it; "" for the core
	since version // first release that has it
	until version // first that has it no more; 0: still there
	where where
	mode  fs.FileMode
	text  func(*machine, *cgroup, []byte) []byte // nil: write only
}

type where int

const (
	everywhere where = iota
	notRoot
	onlyRoot
)

// filesOf makes the tables of a hierarchy on this kernel: what its root shows and what others do.
func (m *machine) filesOf(h *hierarchy) (root, child map[string]*cgroupFile) {
	table := slices.Concat(v1Files, hugeFiles(m, false))
	if h.v2 {
		table = slices.Concat(v2Files, hugeFiles(m, true))
	}
	root, child = map[string]*cgroupFile{}, map[string]*cgroupFile{}
	for i := range table {
		f := &table[i]
		if f.ctl != "" && !h.has(f.ctl) || m.version < f.since || f.until != 0 && m.version >= f.until ||
			strings.Contains(f.name, "zswap") && !m.zswap {
			continue
		}
		if f.where != notRoot {
			root[f.name] = f
		}
		if f.where != onlyRoot {
			child[f.name] = f
		}
	}
	return root, child
}

// file finds a file of cg by name.
func (cg *cgroup) file(name string) *cgroupFile {
	if cg.isRoot() {
		return cg.h.rootFiles[name]
	}
	f := cg.h.childFiles[name]
	if f != nil && f.ctl != "" && !cg.controls(f.ctl) {
		return nil
	}
	return f
}

// cgroupNode is a cgroup as a directory.
func (m *machine) cgroupNode(cg *cgroup) *node {
	name := cg.name
	if cg.isRoot() {
		name = cg.h.dir
	}
	n := dirNode(name, func(want string) *node { return m.cgroupEntry(cg, want) }, func() []string {
		files := cg.h.childFiles
		if cg.isRoot() {
			files = cg.h.rootFiles
		}
		names := make([]string, 0, len(files)+len(cg.children)+3)
		for name := range files {
			if cg.file(name) != nil {
				names = append(names, name)
			}
		}
		for name := range cg.children {
			names = append(names, name)
		}
		if cg.psi != nil {
			for _, p := range psiNames {
				names = append(names, p+".pressure")
			}
		}
		return names
	})
	n.mode, n.ino, n.gone = fs.ModeDir|0o755, cg.ino, cg.gone
	return n
}

// gone is what an open file of a removed cgroup answers: kernfs has no active reference to give.
func (cg *cgroup) gone() syscall.Errno {
	if cg.dead {
		return syscall.ENODEV
	}
	return 0
}

func (m *machine) cgroupEntry(cg *cgroup, name string) *node {
	if child := cg.children[name]; child != nil {
		return m.cgroupNode(child)
	}
	if f := cg.file(name); f != nil {
		n := &node{name: name, mode: f.mode, gone: cg.gone}
		if n.mode == 0 {
			n.mode = 0o444
		}
		if f.text != nil {
			n.text = func(b []byte) []byte { return f.text(m, cg, b) }
		}
		return n
	}
	if res, ok := strings.CutSuffix(name, ".pressure"); ok && cg.psi != nil {
		if i := slices.Index(psiNames[:], res); i >= 0 {
			g := cg.psi
			if cg.isRoot() {
				g = &m.psiHost
			}
			n := m.pressureNode(name, i, g)
			n.gone = cg.gone
			return n
		}
	}
	return nil
}

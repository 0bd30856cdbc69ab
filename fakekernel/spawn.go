package fakekernel

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
)

// Spawn is the verb spawn: it starts a process in a cgroup (made if it is not there) and returns its pid on the host. name
// is its handle for other verbs. Options:
//
//	pidns=new       first process of a new pid namespace, child of its parent's namespace
//	pidns=host      in the host's namespace
//	pidns=of:NAME   in that process's namespace
//	parent=NAME     child of NAME; without pidns, in NAME's namespace (default: the host's init)
//	threads=N  comm=TEXT  uid=N  personality=HEX
func (k *Kernel) Spawn(name, in string, options ...string) (pid int, err error) {
	err = k.change(func(m *machine) error {
		p, err := m.spawn(name, in, 0, options)
		if err != nil {
			return fmt.Errorf("spawn %s: %w", name, err)
		}
		pid = p.pid
		return nil
	})
	return pid, err
}

func (m *machine) spawn(name, in string, pid int, options []string) (*process, error) {
	opts, err := parseOptions(options)
	if err != nil {
		return nil, err
	}
	if old := m.names[name]; old != nil && !old.dead {
		return nil, fmt.Errorf("name is taken by pid %d", old.pid)
	}
	if _, err := strconv.Atoi(name); err == nil || name == "" {
		return nil, fmt.Errorf("a name is no number")
	}
	parent, threads, where := m.pids[1], 1, ""
	p := &process{name: name, comm: name, start: m.ticks()}
	for _, o := range opts {
		var err error
		switch o.name {
		case "pidns":
			where = o.value
		case "parent":
			parent, err = m.process(o.value)
		case "threads":
			if threads, err = strconv.Atoi(o.value); err == nil && threads < 1 {
				err = fmt.Errorf("threads=%d: want 1 at least", threads)
			}
		case "comm":
			p.comm = o.value
		case "uid":
			var n uint64
			n, err = strconv.ParseUint(o.value, 10, 32)
			p.uid = uint32(n)
		case "personality":
			var n uint64
			n, err = strconv.ParseUint(o.value, 16, 32)
			p.personality = uint32(n)
		default:
			err = fmt.Errorf("option %s: want pidns, parent, threads, comm, uid or personality", o.name)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(p.comm) > 15 {
		p.comm = p.comm[:15] // TASK_COMM_LEN with its NUL
	}
	if p.cgroups, err = m.attach(in, nil, threads); err != nil {
		return nil, err
	}
	ns, err := m.namespaceFor(where, parent)
	if err != nil {
		return nil, err
	}
	p.ns, p.ppid = ns, parent.pid
	if p.pid = pid; pid == 0 {
		p.pid = m.allocPID()
	}
	p.nspid = m.nsNumbers(ns, p.pid)
	if ns.init == nil {
		ns.init = p
	}
	m.addThread(p, p.pid)
	for range threads - 1 {
		m.addThread(p, m.allocPID())
	}
	m.enter(p)
	return p, nil
}

func (m *machine) namespaceFor(where string, parent *process) (*pidns, error) {
	of, isOf := strings.CutPrefix(where, "of:")
	switch {
	case where == "":
		return parent.ns, nil
	case where == "host":
		return m.initNS, nil
	case where == "new":
		return m.newNS(parent.ns), nil
	case isOf:
		p, err := m.process(of)
		if err != nil {
			return nil, err
		}
		return p.ns, nil
	}
	return nil, fmt.Errorf("pidns=%s: want new, host or of:NAME", where)
}

// attach finds the cgroups a process at path p is in, one per hierarchy; those of hierarchies a prefix leaves out stay as
// in old, else the root. Missing cgroups are made. It refuses what cgroup.procs refuses: EBUSY where controllers are handed
// down (v2), ENOSPC without CPUs (v1 cpuset), EAGAIN over a pids limit.
func (m *machine) attach(p string, old map[*hierarchy]*cgroup, threads int) (map[*hierarchy]*cgroup, error) {
	hs, rest, err := m.split(p)
	if err != nil {
		return nil, err
	}
	to := map[*hierarchy]*cgroup{}
	for _, h := range m.hierarchies {
		if to[h] = old[h]; to[h] == nil {
			to[h] = h.root
		}
	}
	for _, h := range hs {
		cg := h.find(rest)
		if cg == nil {
			cg = m.mkdir(h, rest, []string{"all"})
		}
		switch {
		case h.v2 && !cg.isRoot() && len(cg.subtree) > 0:
			return nil, fmt.Errorf("cgroup %s hands controllers down and may hold no process: %w", rest, syscall.EBUSY)
		case !h.v2 && h.has("cpuset") && m.effective(cg).count() == 0:
			return nil, fmt.Errorf("cgroup %s has no CPUs: %w", rest, syscall.ENOSPC)
		}
		if h.has("pids") {
			for c := range cg.up {
				if c.pidsMax < noLimit && int64(c.ntasks+threads) > c.pidsMax {
					c.pidsEvents++
					return nil, fmt.Errorf("cgroup %s: pids.max %d: %w", c.path(), c.pidsMax, syscall.EAGAIN)
				}
			}
		}
		to[h] = cg
	}
	return to, nil
}

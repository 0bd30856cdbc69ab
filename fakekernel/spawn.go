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

// newcomer is what the options of spawn make up.
type newcomer struct {
	*process
	parent *process
	count  int    // of threads
	where  string // its pid namespace
}

var spawnOptions = map[string]func(m *machine, n *newcomer, v string) error{
	"pidns":  func(_ *machine, n *newcomer, v string) error { n.where = v; return nil },
	"comm":   func(_ *machine, n *newcomer, v string) error { n.comm = v; return nil },
	"parent": func(m *machine, n *newcomer, v string) (err error) { n.parent, err = m.process(v); return err },
	"threads": func(_ *machine, n *newcomer, v string) (err error) {
		if n.count, err = strconv.Atoi(v); err == nil && n.count < 1 {
			err = fmt.Errorf("want 1 at least")
		}
		return err
	},
	"uid": func(_ *machine, n *newcomer, v string) error {
		id, err := strconv.ParseUint(v, 10, 32)
		n.uid = uint32(id)
		return err
	},
	"personality": func(_ *machine, n *newcomer, v string) error {
		bits, err := strconv.ParseUint(v, 16, 32)
		n.personality = uint32(bits)
		return err
	},
}

// spawn makes a process; pid 0 takes the next free one.
func (m *machine) spawn(name, in string, pid int, options []string) (*process, error) {
	if old := m.names[name]; old != nil && !old.dead {
		return nil, fmt.Errorf("name is taken by pid %d", old.pid)
	}
	if _, err := strconv.Atoi(name); err == nil || name == "" {
		return nil, fmt.Errorf("a name is no number")
	}
	opts, err := parseOptions(options)
	if err != nil {
		return nil, err
	}
	n := newcomer{process: &process{name: name, comm: name, started: m.ticks()}, parent: m.pids[1], count: 1}
	for _, o := range opts {
		set := spawnOptions[o.name]
		if set == nil {
			return nil, fmt.Errorf("option %s: want one of %s", o.name, strings.Join(sortedKeys(spawnOptions), ", "))
		}
		if err := set(m, &n, o.value); err != nil {
			return nil, fmt.Errorf("%s=%s: %w", o.name, o.value, err)
		}
	}
	if len(n.comm) > 15 {
		n.comm = n.comm[:15] // TASK_COMM_LEN with its NUL
	}
	if n.cgroups, err = m.attach(in, nil, n.count); err != nil {
		return nil, err
	}
	if n.ns, err = m.namespaceFor(n.where, n.parent); err != nil {
		return nil, err
	}
	m.start(n, pid)
	return n.process, nil
}

// start numbers a process and its threads and lets it in.
func (m *machine) start(n newcomer, pid int) {
	p := n.process
	p.ppid = n.parent.pid
	if p.pid = pid; pid == 0 {
		p.pid = m.allocPID()
	}
	p.nspid = m.nsNumbers(p.ns, p.pid)
	if p.ns.init == nil {
		p.ns.init = p
	}
	m.addThread(p, p.pid)
	for range n.count - 1 {
		m.addThread(p, m.allocPID())
	}
	m.enter(p)
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

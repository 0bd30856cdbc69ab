package fakekernel

import (
	"fmt"
	"strconv"
	"syscall"
)

// process is a thread group.
type process struct {
	pid, ppid   int
	nspid       []int // its pid in each namespace, from the host's inwards
	ns          *pidns
	name        string // handle in scenarios
	comm        string
	uid         uint32
	personality uint32
	cgroups     map[*hierarchy]*cgroup
	started     int64 // USER_HZ ticks since boot
	threads     []*thread
	dead        bool

	user, system int64 // CPUs wanted, in thousandths of one
	nice         int
	blocked      int   // threads in state D
	looksRunning bool  // state=R
	utime, stime int64 // ns
	granted      int64 // CPUs it got lately, thousandths
	throttled    bool  // by a quota, at the last tick
	rss          int64
}

type thread struct {
	p     *process
	tid   int
	nstid []int
}

func (p *process) cgroupIn(h *hierarchy) *cgroup { return p.cgroups[h] }

// firstPID is the pid the first spawned process gets; those below belong to the host's own.
const firstPID = 1000

const (
	initNSInode  = 4026531836 // PROC_PID_INIT_INO
	firstNSInode = 4026532176 // the dynamic ones start above the boot-time namespaces
)

func (m *machine) bootProcesses() {
	m.pids, m.tasks, m.names = map[int]*process{}, map[int]*thread{}, map[string]*process{}
	m.initNS = &pidns{ino: initNSInode}
	m.nextNS, m.nextPID, m.forks = firstNSInode, firstPID, 870
	roots := map[*hierarchy]*cgroup{}
	for _, h := range m.hierarchies {
		roots[h] = h.root
	}
	for _, b := range []struct {
		pid, ppid int
		comm      string
		start     int64
	}{{1, 0, "systemd", 2}, {2, 0, "kthreadd", 2}, {437, 1, "lxcfs", 831}} {
		p := &process{pid: b.pid, ppid: b.ppid, ns: m.initNS, comm: b.comm, nspid: []int{b.pid}, cgroups: roots, started: b.start}
		m.addThread(p, b.pid)
		m.enter(p)
		m.self = p
	}
	m.initNS.init, m.initNS.next = m.pids[1], firstPID
}

// enter puts a process with its threads into the tables and cgroups.
func (m *machine) enter(p *process) {
	m.pids[p.pid] = p
	if p.name != "" {
		m.names[p.name] = p
	}
	for _, cg := range p.cgroups {
		cg.procs[p] = true
		cg.countTasks(len(p.threads))
	}
}

func (cg *cgroup) countTasks(n int) {
	for c := range cg.up {
		c.ntasks += n
		c.pidsPeak = max(c.pidsPeak, c.ntasks)
	}
}

// addThread makes a thread of p with the given tid in the host's namespace.
func (m *machine) addThread(p *process, tid int) {
	t := &thread{p: p, tid: tid, nstid: []int{tid}}
	if len(p.threads) == 0 {
		t.nstid = p.nspid
	} else {
		t.nstid = m.nsNumbers(p.ns, tid)
	}
	p.threads = append(p.threads, t)
	m.tasks[tid] = t
}

func (m *machine) allocPID() int {
	for m.tasks[m.nextPID] != nil {
		m.nextPID++
	}
	m.nextPID++
	m.forks++
	return m.nextPID - 1
}

// process finds a process by the name it was spawned with, or by pid.
func (m *machine) process(name string) (*process, error) {
	if p := m.names[name]; p != nil && !p.dead {
		return p, nil
	}
	if pid, err := strconv.Atoi(name); err == nil && m.pids[pid] != nil {
		return m.pids[pid], nil
	}
	return nil, fmt.Errorf("process %s: %w", name, syscall.ESRCH)
}

// PID returns the host's pid of a process spawned under name, dead or alive.
func (k *Kernel) PID(name string) (int, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if pid, err := strconv.Atoi(name); err == nil && pid >= 0 {
		return pid, nil
	}
	if k.m == nil {
		return 0, fmt.Errorf("process %s: a captured host knows pids, not names", name)
	}
	if name == "init" && k.m.names[name] == nil {
		return 1, nil
	}
	p := k.m.names[name]
	if p == nil {
		return 0, fmt.Errorf("process %s: never spawned", name)
	}
	return p.pid, nil
}

// UID returns the user a named process or pid runs as; 0 if it is unknown.
func (k *Kernel) UID(name string) uint32 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.m == nil {
		return 0
	}
	if p, err := k.m.process(name); err == nil {
		return p.uid
	}
	return 0
}

// Move is the verb move: it writes the process to cgroup.procs of a cgroup in every hierarchy, or in that of a prefix. What
// the process has charged stays where it was charged.
func (k *Kernel) Move(name, to string) error {
	return k.change(func(m *machine) error {
		p, err := m.process(name)
		if err != nil {
			return err
		}
		cgs, err := m.attach(to, p.cgroups, 0)
		if err != nil {
			return fmt.Errorf("move %s: %w", name, err)
		}
		for h, cg := range cgs {
			if old := p.cgroups[h]; old != cg {
				if old.mem != nil {
					old.mem.rss -= p.rss
					p.rss = 0
				}
				delete(old.procs, p)
				old.countTasks(-len(p.threads))
				cg.procs[p] = true
				cg.countTasks(len(p.threads))
			}
		}
		p.cgroups = cgs
		return nil
	})
}

// Kill is the verb kill: the process ends and is reaped. If it was the first of its pid namespace, everybody in it ends too.
func (k *Kernel) Kill(name string) error {
	return k.change(func(m *machine) error {
		p, err := m.process(name)
		if err != nil {
			return err
		}
		if p.pid < firstPID {
			return fmt.Errorf("kill %s: it is the host's own", name)
		}
		m.exit(p)
		return nil
	})
}

func (m *machine) exit(p *process) {
	if p.dead {
		return
	}
	p.dead = true
	if h := m.with("memory"); h != nil && p.rss > 0 {
		cg := p.cgroups[h]
		n := min(p.rss, cg.mem.local[anon])
		cg.add(anon, -n)
		cg.mem.rss -= p.rss
		cg.clampParts()
	}
	for _, cg := range p.cgroups {
		delete(cg.procs, p)
		cg.countTasks(-len(p.threads))
	}
	delete(m.pids, p.pid)
	for _, t := range p.threads {
		delete(m.tasks, t.tid)
	}
	if p.ns.init == p {
		m.zapNamespace(p.ns)
	}
	for _, o := range m.pids {
		if o.ppid == p.pid {
			o.ppid = o.ns.init.pid
			if o.ns.init.dead {
				o.ppid = 1
			}
		}
	}
}

// Reuse is the verb reuse: old ends, if it still runs, and its pid goes to a new process, spawned like [Kernel.Spawn] does.
// A namespace inode number that became free is the first to be given out again.
func (k *Kernel) Reuse(old, name, in string, options ...string) error {
	return k.change(func(m *machine) error {
		pid, err := strconv.Atoi(old)
		if p := m.names[old]; p != nil {
			pid, err = p.pid, nil
		}
		if err != nil {
			return fmt.Errorf("process %s: never spawned", old)
		}
		if t := m.tasks[pid]; t != nil {
			if t.p.pid != pid || pid < firstPID {
				return fmt.Errorf("pid %d belongs to process %d", pid, t.p.pid)
			}
			m.exit(t.p)
		}
		m.forks++
		_, err = m.spawn(name, in, pid, options)
		return err
	})
}

package fakekernel

import "slices"

// pidns is a pid namespace.
type pidns struct {
	ino    uint64
	parent *pidns
	level  int
	next   int
	init   *process
}

// newNS makes a namespace; its inode number is the lowest free one, as the kernel's ida hands them out.
func (m *machine) newNS(parent *pidns) *pidns {
	ns := &pidns{parent: parent, level: parent.level + 1}
	if len(m.nsInos) > 0 {
		ns.ino = m.nsInos[0]
		m.nsInos = m.nsInos[1:]
	} else {
		ns.ino = m.nextNS
		m.nextNS++
	}
	return ns
}

func (m *machine) freeNS(ns *pidns) {
	i, _ := slices.BinarySearch(m.nsInos, ns.ino)
	m.nsInos = slices.Insert(m.nsInos, i, ns.ino)
}

// nsNumbers numbers a task in ns and its ancestors.
func (m *machine) nsNumbers(ns *pidns, pid int) []int {
	nums := make([]int, ns.level+1)
	nums[0] = pid
	for n := ns; n.level > 0; n = n.parent {
		n.next++
		nums[n.level] = n.next
	}
	return nums
}

// zapNamespace ends every process in ns and below it (kernel/pid_namespace.c zap_pid_ns_processes), and gives the inode
// number back.
func (m *machine) zapNamespace(ns *pidns) {
	for _, pid := range sortedKeys(m.pids) {
		p := m.pids[pid]
		if p == nil {
			continue
		}
		for n := p.ns; n != nil; n = n.parent {
			if n == ns {
				m.exit(p)
				break
			}
		}
	}
	m.freeNS(ns)
}

package fakekernel

import (
	"fmt"
	"strconv"
	"syscall"
)

// effective is the CPUs tasks of cg may run on. On v2 (cpuset.cpus.effective): its own cpus as far as its parent has them, all
// of the parent's if that leaves none. On v1: cpuset.cpus without what is offline.
func (m *machine) effective(cg *cgroup) cpumask {
	online := m.onlineMask()
	if !cg.h.v2 {
		return cg.v1cpus(m).and(online)
	}
	if cg.isRoot() {
		return online
	}
	up := m.effective(cg.parent)
	if cg.cpus == nil {
		return up
	}
	if own := cg.cpus.and(up); own.count() > 0 {
		return own
	}
	return up
}

// v1cpus is cpuset.cpus of a v1 cgroup; the root's are the online CPUs.
func (cg *cgroup) v1cpus(m *machine) cpumask {
	if cg.isRoot() {
		return m.onlineMask()
	}
	if cg.cpus == nil {
		return newMask(m.CPUs)
	}
	return cg.cpus
}

// limitCPUSet writes cpuset.cpus. v1 wants a subset of the parent's and a superset of the children's; v2 takes any.
func (m *machine) limitCPUSet(cg *cgroup, value string) error {
	if value == "max" {
		value = ""
		if !cg.h.v2 {
			value = cg.parent.v1cpus(m).String()
		}
	}
	mask, err := parseMask(value, m.CPUs)
	if err != nil {
		return fmt.Errorf("%w: %w", err, syscall.EINVAL)
	}
	if !cg.h.v2 {
		if !mask.within(cg.parent.v1cpus(m)) {
			return fmt.Errorf("cpuset.cpus %s: not all in the parent's %s: %w", value, cg.parent.v1cpus(m), syscall.EACCES)
		}
		for _, child := range cg.children {
			if child.cpus != nil && !child.cpus.within(mask) {
				return fmt.Errorf("cpuset.cpus %s: child %s has %s: %w", value, child.name, child.cpus, syscall.EBUSY)
			}
		}
		if len(cg.procs) > 0 && mask.count() == 0 {
			return fmt.Errorf("cpuset.cpus: empty, with processes: %w", syscall.ENOSPC)
		}
	}
	if cg.cpus = mask; mask.count() == 0 {
		cg.cpus = nil
	}
	return nil
}

// Hotplug is the verb hotplug: it takes a CPU offline or online. On v1 an offline CPU also leaves every cpuset.cpus for good,
// and a cpuset left empty has its tasks moved to the parent (cgroup-v1/cpusets.rst); on v2 cpuset.cpus keeps it.
func (k *Kernel) Hotplug(number, state string) error {
	return k.change(func(m *machine) error {
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 || n >= m.CPUs {
			return fmt.Errorf("hotplug %s: want a CPU below %d", number, m.CPUs)
		}
		switch state {
		case "on":
			m.cpus[n].online = true
		case "off":
			if n == 0 {
				return fmt.Errorf("hotplug 0: the boot CPU stays: %w", syscall.EPERM)
			}
			m.cpus[n].online = false
			m.shrinkV1(n)
		default:
			return fmt.Errorf("hotplug %s %s: want on or off", number, state)
		}
		return nil
	})
}

func (m *machine) shrinkV1(n int) {
	h := m.with("cpuset")
	if h.v2 {
		return
	}
	for cg := range h.root.down {
		if cg.cpus == nil || !cg.cpus.has(n) {
			continue
		}
		cg.cpus = cg.cpus.clone()
		cg.cpus.clear(n)
		if cg.cpus.count() > 0 {
			continue
		}
		to := cg.parent
		for to.v1cpus(m).count() == 0 {
			to = to.parent
		}
		for p := range cg.procs {
			p.cgroups[h] = to
			delete(cg.procs, p)
			cg.countTasks(-len(p.threads))
			to.procs[p] = true
			to.countTasks(len(p.threads))
		}
	}
}

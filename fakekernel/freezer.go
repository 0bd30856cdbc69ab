package fakekernel

import (
	"fmt"
	"syscall"
)

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

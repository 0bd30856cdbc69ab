package core

import (
	"errors"
	"strconv"

	"lxcfs/kernelfs"
)

// cpuModel is the CPUs of a container, the same in every file: those of a virtual machine with room
// for more. Visible CPUs are present and online under the numbers the kernel knows them by, so that an
// id read anywhere can be pinned to; all others are absent.
type cpuModel struct {
	ready bool
	// visible is the effective cpuset; with Options.CFS its first CPUs, as many as the quota can fill.
	visible kernelfs.CPUList
	// possible is the number of CPUs 0 to the highest of the effective cpuset, the quota left aside:
	// programs size arrays by it and index them with sched_getcpu(2), which no quota bounds.
	possible int

	effective kernelfs.CPUList // memory for visible's superset
	from      kernelfs.At
	quota     kernelfs.Quota
}

// model returns the caller's CPUs. The errors are those of reading the kernel's files; a caller without
// a cpuset cgroup gets errHost.
func (v *View) model() (*cpuModel, error) {
	m := &v.cpus
	if m.ready {
		return m, nil
	}
	if v.container == nil {
		return nil, errHost
	}
	m.effective = m.effective[:0]
	m.from = kernelfs.At{}
	var err error
	if cg := v.in[kernelfs.CPUSet]; cg != nil {
		m.effective, m.from, err = cg.CPUSet(v.Snapshot, m.effective)
		if err != nil && !kernelfs.Missing(err) {
			return nil, err
		}
	}
	if m.effective.Count() == 0 {
		// No cpuset controller, or none of its files answers: the host's. Never no CPU.
		if m.effective, err = v.Online(m.effective); err != nil {
			return nil, err
		}
	}
	m.possible = m.effective.Max() + 1
	m.visible = m.effective.Copy(m.visible)
	m.quota = kernelfs.Quota{}
	if v.core.opt.CFS {
		if err := v.cutByQuota(m); err != nil {
			return nil, err
		}
	}
	m.ready = true
	return m, nil
}

// cutByQuota leaves as many CPUs visible as the strictest quota up the tree fills, rounded up.
func (v *View) cutByQuota(m *cpuModel) error {
	cg, err := v.cgroup(kernelfs.CPU)
	if errors.Is(err, errHost) {
		return nil
	}
	if err != nil {
		return err
	}
	if m.quota, err = cg.Quota(v.Snapshot); err != nil {
		return err
	}
	if n := m.quota.CPUs(); n > 0 {
		m.visible.Cut(n)
	}
	return nil
}

// whole reports whether the caller sees all of the host's online CPUs.
func (v *View) whole(m *cpuModel) (bool, error) {
	online, err := v.Online(nil)
	if err != nil {
		return false, err
	}
	return m.visible.Equal(online), nil
}

// why explains the model.
func (m *cpuModel) why() string {
	s := "effective cpuset " + m.effective.String()
	if m.from.Cgroup != nil {
		s += " (" + place(m.from) + ")"
	} else {
		s = "CPUs " + m.effective.String() + " (host's online; no cpuset cgroup)"
	}
	if n := m.quota.CPUs(); n > 0 {
		s += ", its first " + strconv.Itoa(n) + " (quota " + m.quota.Quota.String() + " in " + m.quota.Period.String() + ", " + place(m.quota.At) + ")"
	}
	return s
}

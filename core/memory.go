package core

import (
	"lxcfs/kernelfs"
)

// memory is the memory model of a container: what every line of /proc/meminfo and /proc/swaps is made
// from.
type memory struct {
	ready bool

	cgroup *kernelfs.Cgroup
	limit  kernelfs.MemoryLimit
	stat   *kernelfs.MemoryStat

	total    kernelfs.Bytes // the limit, or the host's memory where that is less
	hostLine kernelfs.Bytes // of the host's file, the line that is rendered

	swap      kernelfs.Swap
	swapTotal kernelfs.Bytes
	swapUsed  kernelfs.Bytes
	swapWhy   string
}

// memoryModel returns the caller's memory model. The caller has none, errHost, where nothing limits its
// root cgroup.
func (v *View) memoryModel(host *hostMemory) (*memory, error) {
	m := &v.mem
	if m.ready {
		return m, nil
	}
	cg, err := v.cgroup(kernelfs.Memory)
	if err != nil {
		return nil, err
	}
	m.cgroup = cg
	if m.limit, err = cg.MemoryLimit(v.Snapshot); err != nil {
		return nil, err
	}
	if cg.Root() && m.limit.Limit == kernelfs.NoLimit {
		return nil, errHost
	}
	m.total = host.total
	if l := m.limit.Limit; l.KB() > 0 && l < m.total {
		m.total = l // a limit of 0 cannot be what a running container has
	}
	if err := v.swapModel(m, host.swap); err != nil {
		return nil, err
	}
	m.ready = true
	return m, nil
}

// swapModel sets how much swap is shown. Without accounting none is: nobody could say how much of it
// is in use. On v1 a container may swap more than its RAM+SWAP limit exceeds its RAM limit, so the
// whole limit, or the host's swap where that is less, is shown. Swappiness 0 is the nearest v1 has to
// "no swap": what is in use all the same is shown as a full device.
func (v *View) swapModel(m *memory, host kernelfs.Bytes) error {
	m.swapTotal, m.swapUsed, m.swapWhy = 0, 0, "the host has no swap"
	if v.core.opt.NoSwap {
		m.swapWhy = "switched off by --disable-swap"
		return nil
	}
	if host == 0 {
		return nil
	}
	var err error
	if m.swap, err = m.cgroup.Swap(v.Snapshot); err != nil {
		return err
	}
	w := m.swap
	switch {
	case !w.Accounted:
		m.swapWhy = "the kernel does not account the swap of " + m.cgroup.Path
	case w.Swappiness == 0:
		m.swapTotal = min(w.Usage, host)
		m.swapUsed = m.swapTotal
		m.swapWhy = "what is in use: memory.swappiness is 0"
	default:
		m.swapTotal = min(w.Limit, host)
		m.swapUsed = min(w.Usage, m.swapTotal)
		m.swapWhy = "host's SwapTotal"
		if w.Limit < host {
			m.swapWhy = "limit (" + place(w.LimitAt) + ")"
		}
	}
	return nil
}

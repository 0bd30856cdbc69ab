package fakekernel

import (
	"cmp"
	"slices"
)

// share is the CPU time one process gets on one CPU, in thousandths of that CPU.
type share struct {
	p    *process
	cpu  int
	want int64
	got  int64
}

// schedule decides who runs where until the next verb. It is a fluid model of the fair scheduler: everybody runs at once at
// a constant rate. First quotas cut what processes want, a level's excess shared in proportion to the wants below it (equal
// threads are treated equally); then each thread takes the least busy CPU of its effective cpuset; CPUs wanted by more than
// one CPU's worth are shared by cpu.weight.
func (m *machine) schedule() []share {
	procs := m.runnable()
	m.cutByQuota(procs)
	load := make([]int64, m.CPUs)
	masks := map[*cgroup]cpumask{}
	var shares []share
	for _, p := range procs {
		if p.granted == 0 {
			continue
		}
		cpuset := p.cgroups[m.with("cpuset")]
		mask, ok := masks[cpuset]
		if !ok {
			mask = m.effective(cpuset)
			masks[cpuset] = mask
		}
		want := p.granted
		n := p.busyThreads()
		for i := range n {
			part := want / int64(n)
			if int64(i) < want%int64(n) {
				part++
			}
			shares = place(shares, p, part, mask, load)
		}
	}
	m.shareCPUs(shares, load)
	for _, p := range procs {
		p.granted = 0
	}
	for i := range shares {
		shares[i].p.granted += shares[i].got
	}
	return shares
}

// runnable lists the processes that want CPU and are not frozen, those bound to the fewest CPUs first, then by pid.
func (m *machine) runnable() []*process {
	cpusets := m.with("cpuset")
	var procs []*process
	width := map[*cgroup]int{}
	for _, p := range m.pids {
		p.granted, p.throttled = 0, false
		if p.user+p.system == 0 || m.frozen(p) {
			continue
		}
		cg := p.cgroups[cpusets]
		if _, ok := width[cg]; !ok {
			width[cg] = m.effective(cg).count()
		}
		procs = append(procs, p)
	}
	slices.SortFunc(procs, func(a, b *process) int {
		return cmp.Or(cmp.Compare(width[a.cgroups[cpusets]], width[b.cgroups[cpusets]]), cmp.Compare(a.pid, b.pid))
	})
	return procs
}

// busyThreads is how many threads p needs for what it wants.
func (p *process) busyThreads() int { return int((p.user + p.system + 999) / 1000) }

// runningThreads is how many of them are in state R whenever somebody looks: one that wants less than half a CPU sleeps,
// unless state=R says otherwise.
func (p *process) runningThreads() int {
	if p.looksRunning {
		return p.busyThreads()
	}
	return int((p.user + p.system + 500) / 1000)
}

// cutByQuota sets granted of every process to what the quotas from its cgroup up leave of its wants.
func (m *machine) cutByQuota(procs []*process) {
	h := m.with("cpu")
	cpusets := m.with("cpuset")
	for cg := range h.root.down {
		cg.cpu.demand, cg.cpu.granted = 0, 0
	}
	var limited []*cgroup
	seen := map[*cgroup]bool{}
	for _, p := range procs {
		p.granted = min(p.user+p.system, 1000*int64(m.effective(p.cgroups[cpusets]).count()))
		for cg := range p.cgroups[h].up {
			if cg.cpu.quota >= 0 && !seen[cg] {
				seen[cg] = true
				limited = append(limited, cg)
			}
		}
	}
	depth := func(cg *cgroup) (n int) {
		for range cg.up {
			n++
		}
		return n
	}
	slices.SortFunc(limited, func(a, b *cgroup) int {
		return cmp.Or(cmp.Compare(depth(b), depth(a)), cmp.Compare(a.path(), b.path()))
	})
	for _, cg := range limited {
		var inside []*process
		var sum int64
		for _, p := range procs {
			if p.cgroups[h].within(cg) {
				inside = append(inside, p)
				sum += p.granted
			}
		}
		quota := int64(cg.cpu.quota) * 1000 / int64(cg.cpu.period)
		cg.cpu.demand, cg.cpu.granted = sum, min(sum, quota)
		if sum <= quota {
			continue
		}
		left, rest := quota, sum
		for _, p := range inside {
			got := left * p.granted / rest
			left, rest = left-got, rest-p.granted
			p.granted, p.throttled = got, true
		}
	}
}

// within reports whether cg is top or below it.
func (cg *cgroup) within(top *cgroup) bool {
	for c := range cg.up {
		if c == top {
			return true
		}
	}
	return false
}

// place puts a thread that wants part of a CPU on the least busy CPU of mask, or where none has room, evenly on all so that
// they end up equally busy.
func place(shares []share, p *process, part int64, mask cpumask, load []int64) []share {
	best := -1
	for c := range mask.all() {
		if best < 0 || load[c] < load[best] {
			best = c
		}
	}
	if best < 0 || part == 0 {
		return shares
	}
	if load[best]+part <= 1000 {
		load[best] += part
		return append(shares, share{p: p, cpu: best, want: part})
	}
	order := slices.Collect(mask.all())
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(load[a], load[b]) })
	n, sum := int64(1), load[order[0]]
	for int(n) < len(order) && sum+part > load[order[n]]*n {
		sum += load[order[n]]
		n++
	}
	level, extra := (sum+part)/n, (sum+part)%n
	for j, c := range order[:n] {
		to := level
		if int64(j) < extra {
			to++
		}
		if add := to - load[c]; add > 0 {
			load[c] = to
			shares = append(shares, share{p: p, cpu: c, want: add})
		}
	}
	return shares
}

// shareCPUs divides each overcommitted CPU among those who want it, in proportion to weight and want.
func (m *machine) shareCPUs(shares []share, load []int64) {
	h := m.with("cpu")
	perCPU := map[int][]int{}
	for i := range shares {
		s := &shares[i]
		s.got = s.want
		if load[s.cpu] > 1000 {
			perCPU[s.cpu] = append(perCPU[s.cpu], i)
		}
	}
	for _, c := range sortedKeys(perCPU) {
		open, left := perCPU[c], int64(1000)
		for {
			rest, used := m.satisfied(shares, open, left, h)
			left -= used
			if len(rest) == len(open) {
				break
			}
			open = rest
		}
		total := weights(shares, open, h)
		for _, i := range open {
			w := shares[i].weight(h)
			shares[i].got = left * w / total
			left, total = left-shares[i].got, total-w
		}
	}
}

func (s *share) weight(h *hierarchy) int64 { return s.want * s.p.cgroups[h].cpu.weight }

func weights(shares []share, open []int, h *hierarchy) (total int64) {
	for _, i := range open {
		total += shares[i].weight(h)
	}
	return total
}

// satisfied takes out of open those whose fair part of what is left covers what they want.
func (m *machine) satisfied(shares []share, open []int, left int64, h *hierarchy) (rest []int, used int64) {
	total := weights(shares, open, h)
	for _, i := range open {
		if s := &shares[i]; left*s.weight(h)/total >= s.want {
			used += s.want
		} else {
			rest = append(rest, i)
		}
	}
	return rest, used
}

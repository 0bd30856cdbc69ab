package fakekernel

import "time"

// Tick is the verb tick: it lets time pass. CPU counters, load averages (sampled every 5 s), pressure averages (every 2 s) and
// uptime advance together. On a captured host only /proc/uptime does.
func (k *Kernel) Tick(d time.Duration) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.m == nil {
		return k.raw.tick(d)
	}
	k.m.tick(d)
	return nil
}

const (
	loadEvery = 5 * time.Second
	psiEvery  = 2 * time.Second
)

func (m *machine) tick(d time.Duration) {
	shares := m.schedule()
	end := m.now + d
	for m.now < end {
		next := min(end, m.samples+loadEvery, m.averages+psiEvery)
		m.pass(next-m.now, shares)
		m.now = next
		if m.now == m.samples+loadEvery {
			m.samples = m.now
			m.sampleLoad()
		}
		if m.now == m.averages+psiEvery {
			m.averages = m.now
			m.averagePressure()
		}
	}
}

// pass lets every share run for d, at most 5 s.
func (m *machine) pass(d time.Duration, shares []share) {
	used := make([]int64, m.CPUs)
	for i := range shares {
		s := &shares[i]
		ns := int64(d) / 1000 * s.got
		p := s.p
		user := ns * p.user / (p.user + p.system)
		system := ns - user
		m.spend(s.p, s.cpu, user, system)
		used[s.cpu] += ns
	}
	waiting := m.waitingOn()
	for i := range m.cpus {
		if c := &m.cpus[i]; c.online {
			if waiting.has(i) {
				c.iowait += int64(d) - used[i]
			} else {
				c.idle += int64(d) - used[i]
			}
		}
	}
	m.ctxt += int64(d/time.Millisecond) * int64(1+len(shares))
	m.throttle(d)
	m.stallCPU(d)
}

// spend books time that p ran on a CPU.
func (m *machine) spend(p *process, cpu int, user, system int64) {
	nice := int64(0)
	if p.nice > 0 {
		nice = user
	}
	p.utime += user
	p.stime += system
	c := &m.cpus[cpu]
	c.user += user - nice
	c.nice += nice
	c.system += system
	for h, cg := range p.cgroups {
		if h.v2 || h.has("cpuacct") {
			missed := int64(1)
			if p.throttled {
				missed = betweenTicks
			}
			m.account(cg, cpu, user, nice, system, missed)
		}
	}
}

// waitingOn is the CPUs whose idle time counts as iowait: one for each thread blocked in I/O.
func (m *machine) waitingOn() cpumask {
	mask := newMask(m.CPUs)
	h := m.with("cpuset")
	for _, p := range m.pids {
		if p.blocked == 0 || m.frozen(p) {
			continue
		}
		n := p.blocked
		for c := range m.effective(p.cgroups[h]).all() {
			if n > 0 && !mask.has(c) {
				mask.set(c)
				n--
			}
		}
	}
	return mask
}

// throttle counts the CFS periods of cgroups with a quota: in each where more is wanted than the quota gives, every CPU that
// has runnable threads of it stands still from the moment the quota is used up.
func (m *machine) throttle(d time.Duration) {
	for cg := range m.with("cpu").root.down {
		g := cg.cpu
		if g.quota < 0 || g.demand == 0 {
			continue
		}
		g.active += d
		n := int64(g.active / g.period)
		g.active %= g.period
		g.periods += n
		if g.demand <= g.granted {
			continue
		}
		g.throttles += n
		runqueues := min((g.demand+999)/1000, int64(m.CPUs))
		g.throttledNS += n * int64(g.period) * (g.demand - g.granted) / g.demand * runqueues
	}
}

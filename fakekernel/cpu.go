package fakekernel

import (
	"time"
)

// cpu is one CPU of the machine: its time since boot by what it was spent on, in nanoseconds (struct kernel_cpustat).
type cpu struct {
	online                                                bool
	user, nice, system, idle, iowait, irq, softirq, steal int64
}

const (
	userHZ        = 100
	nsPerTick     = int64(time.Second) / userHZ
	bootTime      = 1795455742 // btime of /proc/stat
	cfsPeriod     = 100 * time.Millisecond
	defaultShares = 1024
)

// cpuGroup is the time a cgroup's processes got and the bandwidth it may have.
type cpuGroup struct {
	user, nice, system int64    // ns, of the subtree; user includes nice
	per                []perCPU // cpuacct

	quota  time.Duration // per period; <0 for none
	period time.Duration
	weight int64

	demand, granted    int64         // thousandths of a CPU, at the last scheduling
	active             time.Duration // time with runnable processes under a quota, less than a period
	periods, throttles int64
	throttledNS        int64
}

func newCPUGroup() *cpuGroup {
	return &cpuGroup{quota: -1, period: cfsPeriod, weight: 100}
}

// bootCPUs gives every CPU a history that sums up to the uptime, all fields different.
func (m *machine) bootCPUs() {
	m.cpus = make([]cpu, m.CPUs)
	for i := range m.cpus {
		up := int64(m.Uptime)
		c := &m.cpus[i]
		c.online = true
		part := func(permyriad int) int64 { return up / 10000 * int64(permyriad) / nsPerTick * nsPerTick }
		c.user, c.nice, c.system = part(211+i%7), part(13+i%3), part(97+i%5)
		c.iowait, c.irq, c.softirq, c.steal = part(31+i%2), part(5), part(17+i%3), part(3)
		c.idle = up - c.busy() - c.iowait
	}
	m.now = m.Uptime
	m.ctxt = int64(m.Uptime/time.Second) * 2003
	for _, h := range m.hierarchies {
		g := h.root.cpu
		if g == nil {
			continue
		}
		for i := range m.cpus {
			c := &m.cpus[i]
			m.account(h.root, i, c.user+c.nice, c.nice, c.system+c.irq+c.softirq, 1)
		}
	}
}

func (c *cpu) busy() int64 { return c.user + c.nice + c.system + c.irq + c.softirq + c.steal }

// perCPU is a group's time on one CPU, exact and as the timer's ticks found it.
type perCPU struct{ total, user, system int64 }

// betweenTicks is how many times more a process used than ticks found when a quota lets it run for the few
// milliseconds after each period begins: five on Linux 5.10 and 6.1 in the worst case.
const betweenTicks = 5

// account adds time on one CPU to a cgroup and its ancestors; user includes nice. The ticks find one part in missed.
func (m *machine) account(cg *cgroup, cpu int, user, nice, system, missed int64) {
	for c := range cg.up {
		g := c.cpu
		g.user += user
		g.nice += nice
		g.system += system
		if c.h.has("cpuacct") {
			if g.per == nil {
				g.per = make([]perCPU, len(m.cpus))
			}
			p := &g.per[cpu]
			p.total += user + system
			p.user += user / missed
			p.system += system / missed
		}
	}
}

func (m *machine) onlineMask() cpumask {
	mask := newMask(m.CPUs)
	for i := range m.cpus {
		if m.cpus[i].online {
			mask.set(i)
		}
	}
	return mask
}

// ticks is the time since boot in USER_HZ.
func (m *machine) ticks() int64 { return int64(m.now) / nsPerTick }

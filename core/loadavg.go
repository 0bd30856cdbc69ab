package core

import (
	"time"

	"lxcfs/kernelfs"
)

// period is how often load averages advance, LOAD_FREQ of include/linux/sched/loadavg.h.
const period = 5 * time.Second

// forget is how long a container's load is followed after it last asked: as long as the longest
// average looks back.
const forget = 15 * time.Minute

// maxThreads bounds the threads counted for one file: past it a container is shown what was counted.
const maxThreads = 1 << 15

// maxGroups bounds the cgroups walked below a container.
const maxGroups = 1 << 12

// decay of the three averages in a period, in units of 1/2048: 1884/2048 = e^(-5s/1min), and so on.
var decay = [3]uint64{1884, 2014, 2037}

// fixed1 is 1.0 in the kernel's fixed-point arithmetic.
const fixed1 = 1 << 11

// step advances one average as the kernel's calc_load does; n is the number of tasks, fixed point.
func step(load, decay, n uint64) uint64 {
	load = load*decay + n*(fixed1-decay)
	if n*fixed1 >= load {
		load += fixed1 - 1
	}
	return load / fixed1
}

// threads is one count of a container's threads.
type threads struct {
	at time.Duration
	kernelfs.Threads
	used time.Duration // CPU time of the cgroup until then; -1: not known
}

// loadCgroup names what is counted.
func (v *View) loadCgroup() string {
	if cg, err := v.cgroup(kernelfs.CPU); err == nil {
		return cg.Path
	}
	return "no cgroup"
}

// countCost is twenty times what it costs to count one thread or cgroup: a count is good for that long, so
// that a container with many of them takes no more than a twentieth of a CPU, however often it asks.
const countCost = 200 * time.Microsecond

// threads counts the threads of the container's cpu cgroup and of all below it, at most once a second.
func (v *View) threads() threads {
	now, err := v.Now()
	if err != nil {
		return threads{}
	}
	if t := v.container.counted.Load(); t != nil && now >= t.at && now-t.at < max(time.Second, time.Duration(t.Total)*countCost) {
		return *t
	}
	t := v.count(now)
	v.container.counted.Store(&t)
	return t
}

func (v *View) count(now time.Duration) threads {
	t := threads{at: now, used: v.usedCPU()} // first: who runs meanwhile is counted the next time
	if cg, err := v.cgroup(kernelfs.CPU); err == nil {
		t.Threads = cg.Threads(v.Snapshot, maxGroups, maxThreads)
	}
	return t
}

// usedCPU is the CPU time of the cgroup whose threads are counted, -1 if that is not known.
func (v *View) usedCPU() time.Duration {
	cg, err := v.cgroup(kernelfs.CPU)
	acct := v.in[kernelfs.CPUAcct]
	if err != nil || acct == nil || acct.Path != cg.Path {
		return -1
	}
	used, err := acct.CPUUsed(v.Snapshot)
	if err != nil {
		return -1
	}
	return used
}

// asleep reports whether none of the container's threads can have changed its state since t: none ran then, and none has run
// since. That is one file to read, where a count takes one for each thread. One that was woken will soon have run. Those moved
// in or out in their sleep are seen by the next count, a minute later at the latest.
func (v *View) asleep(t *threads, now time.Duration) bool {
	return t != nil && t.Running == 0 && t.used >= 0 && now-t.at < time.Minute && v.usedCPU() == t.used
}

// renderLoadavg renders /proc/loadavg (proc_loadavg(5)). The first read makes the container one whose
// load is followed; its averages start at 0, as a machine's do.
func renderLoadavg(v *View) error {
	if v.core.opt.NoLoadavg {
		return errHost
	}
	cg, err := v.below(kernelfs.CPU)
	if err != nil {
		return err
	}
	now, err := v.Now()
	if err != nil {
		return err
	}
	t := v.threads()
	avg := v.core.ask(v.container, now, t)
	for i, a := range avg {
		if i > 0 {
			v.write(" ")
		}
		a += fixed1 / 200 // rounds to the nearest hundredth
		v.decimal(a>>11*100 + a&(fixed1-1)*100>>11)
	}
	v.write(" ")
	v.number(uint64(t.Running + t.Blocked))
	v.write("/")
	v.number(uint64(max(1, t.Total)))
	v.write(" ")
	v.number(uint64(t.Last))
	v.write("\n")
	if v.why != nil {
		v.because("averages", "threads in state R or D of %s and below, sampled every %v", cg.Path, period)
		v.because("running/total", "threads of %s and below", cg.Path)
		v.because("last", "their highest thread id, as the host numbers them")
	}
	return nil
}

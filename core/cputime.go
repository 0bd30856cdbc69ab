package core

import (
	"math/bits"
	"time"

	"lxcfs/kernelfs"
)

// tick is the unit of /proc/stat, USER_HZ.
const tick = time.Second / kernelfs.UserHZ

// cpuLine is what a cpuN line of /proc/stat shows, in ticks.
type cpuLine struct {
	cpu                      int
	user, nice, system, idle uint64
}

func (l cpuLine) add(x cpuLine) cpuLine {
	return cpuLine{l.cpu, l.user + x.user, l.nice + x.nice, l.system + x.system, l.idle + x.idle}
}

// cpuLines calls emit with the line of each visible CPU and returns their sum. It is the only source
// of both /proc/stat and the idle time of /proc/uptime.
//
// The container's CPU time (kernelfs.CPUTime) goes to the CPU that used it, where the kernel accounts
// that; the rest, and what was used on CPUs the container does not see, is spread over the visible
// ones by how much of the time since the last look they have left. What remains of that time is idle.
func (v *View) cpuLines(emit func(cpuLine)) (sum cpuLine, err error) {
	acct, err := v.below(kernelfs.CPUAcct)
	if err != nil {
		return sum, err
	}
	cpus, err := v.model()
	if err != nil {
		return sum, err
	}
	// The totals before the time: what a reader that comes in between adds is then never more than
	// what has elapsed.
	if err := acct.CPUTime(v.Snapshot, &v.times); err != nil {
		return sum, err
	}
	now, err := v.Now()
	if err != nil {
		return sum, err
	}
	sum.cpu = -1
	v.core.history.update(v.container.key, now, func(c copyOf) {
		c.advance(v.container.ago(now), acct.Path, cpus.visible, &v.times)
		for n := range cpus.visible.All() {
			if n >= v.core.history.cpus {
				break
			}
			p := c.cpu(n)
			l := cpuLine{n, p[pUser] / uint64(tick), p[pNice] / uint64(tick), p[pSystem] / uint64(tick), p[pIdle] / uint64(tick)}
			emit(l)
			sum = sum.add(l)
		}
	})
	return sum, nil
}

// advance accounts what happened since the last update.
func (c copyOf) advance(age time.Duration, cgroup string, visible kernelfs.CPUList, t *kernelfs.CPUTime) {
	source := max(1, fnv1a(fnvBasis, cgroup))
	fresh := c[cSource] == 0
	elapsed := c.since(cElapsed, age)
	if !fresh && (c[cSource] != source || c.fell(t)) {
		// The init was moved to another cgroup, or this one was made anew: its totals say nothing
		// about what was used since.
		c.see(t)
	}
	c[cSource] = source
	c.show(visible)
	c.spread(visible, elapsed, c.direct(visible, t))
	for n := range c.cpus() {
		if visible.Has(n) {
			c.idle(c.cpu(n), elapsed)
		}
	}
	// A cgroup older than its container, or a clock set wrong, must not stop the idle time.
	c[cDebt] = min(c[cDebt], uint64(time.Second))
	if fresh {
		c[cDebt] = 0
	}
}

// since stores a growing total and returns by how much it grew. Two readers may come in another order
// than their totals were read: the later one then sees no growth.
func (c copyOf) since(word int, total time.Duration) uint64 {
	if t := uint64(total); t > c[word] {
		d := t - c[word]
		c[word] = t
		return d
	}
	return 0
}

// grown stores growing user and system time and returns by how much they grew. A part that fell, since
// their division is sampled, stays as it was: all growth is the other's, as in the kernel's cputime_adjust.
func (c copyOf) grown(userWord, systemWord int, now kernelfs.CPUUse) (user, system uint64) {
	all, seen := uint64(now.User)+uint64(now.System), c[userWord]+c[systemWord]
	if all <= seen {
		return 0, 0
	}
	if u := uint64(now.User); u > c[userWord] {
		user = min(u-c[userWord], all-seen)
	}
	system = all - seen - user
	c[userWord] += user
	c[systemWord] += system
	return user, system
}

// fell reports whether the totals are less than they were, by more than a race of readers explains.
func (c copyOf) fell(t *kernelfs.CPUTime) bool {
	return uint64(t.User+t.Nice+t.System)+uint64(time.Second) < c[cUser]+c[cNice]+c[cSystem]
}

// see takes totals as they are.
func (c copyOf) see(t *kernelfs.CPUTime) {
	c[cUser], c[cNice], c[cSystem] = uint64(t.User), uint64(t.Nice), uint64(t.System)
	for n := range c.cpus() {
		p := c.cpu(n)
		p[pSeenUser], p[pSeenSystem] = 0, 0
		if n < len(t.PerCPU) {
			p[pSeenUser], p[pSeenSystem] = uint64(t.PerCPU[n].User), uint64(t.PerCPU[n].System)
		}
	}
}

// use is CPU time by kind, in nanoseconds.
type use struct{ user, nice, system uint64 }

func (c copyOf) cpus() int { return (len(c) - cPerCPU) / pWords }

// show makes visible the CPUs the container sees. What the lines of CPUs that leave have counted goes
// to those that come or, if none comes, to those that stay: the sum over all lines does not fall, and
// no line that stays does. Whole ticks are handed over, since it is ticks that are shown and added up.
func (c copyOf) show(visible kernelfs.CPUList) {
	var ticks, rest [4]uint64
	came, stay := 0, 0
	for n := range c.cpus() {
		p := c.cpu(n)
		switch was, is := p[pVisible] == 1, visible.Has(n); {
		case was && !is:
			for i := range ticks {
				ticks[i] += p[pUser+i] / uint64(tick)
				rest[i] += p[pUser+i] % uint64(tick)
				p[pUser+i] = 0
			}
			p[pVisible] = 0
		case is && !was:
			came++
		case is:
			stay++
		}
	}
	heirs := uint64(came)
	if came == 0 {
		heirs = uint64(stay)
	}
	for n := range c.cpus() {
		p := c.cpu(n)
		if !visible.Has(n) || came > 0 && p[pVisible] == 1 {
			continue
		}
		p[pVisible] = 1
		for i := range ticks {
			share := ticks[i] / heirs
			p[pUser+i] += share*uint64(tick) + rest[i]
			ticks[i] -= share
			rest[i] = 0
		}
		heirs--
	}
}

// direct gives each visible CPU the time that the kernel accounted on it, and returns the growth that
// belongs to no visible CPU: all of it where the kernel does not account per CPU.
func (c copyOf) direct(visible kernelfs.CPUList, t *kernelfs.CPUTime) (rest use) {
	for n := range c.cpus() {
		c.cpu(n)[pBusy] = 0
	}
	if len(t.PerCPU) == 0 {
		return use{c.since(cUser, t.User), c.since(cNice, t.Nice), c.since(cSystem, t.System)}
	}
	c.grown(cUser, cSystem, kernelfs.CPUUse{User: t.User, System: t.System})
	for n := range min(len(t.PerCPU), c.cpus()) {
		p := c.cpu(n)
		user, system := copyOf(p).grown(pSeenUser, pSeenSystem, t.PerCPU[n])
		if !visible.Has(n) {
			rest.user += user
			rest.system += system
			continue
		}
		p[pUser] += user
		p[pSystem] += system
		p[pBusy] = user + system
	}
	return rest
}

// spread gives time to the visible CPUs, each in proportion to what it has left of elapsed.
func (c copyOf) spread(visible kernelfs.CPUList, elapsed uint64, u use) {
	if u == (use{}) {
		return
	}
	var total, upTo uint64
	room := func(p []uint64) uint64 { return elapsed - min(elapsed, p[pBusy]) + 1 }
	for n := range c.cpus() {
		if visible.Has(n) {
			total += room(c.cpu(n))
		}
	}
	var given use
	for n := range c.cpus() {
		if !visible.Has(n) {
			continue
		}
		p := c.cpu(n)
		upTo += room(p)
		now := use{scale(u.user, upTo, total), scale(u.nice, upTo, total), scale(u.system, upTo, total)}
		p[pUser] += now.user - given.user
		p[pNice] += now.nice - given.nice
		p[pSystem] += now.system - given.system
		p[pBusy] += now.user + now.nice + now.system - given.user - given.nice - given.system
		given = now
	}
}

// scale returns n*part/whole, for part <= whole.
func scale(n, part, whole uint64) uint64 {
	hi, lo := bits.Mul64(n, part)
	q, _ := bits.Div64(hi, lo, whole)
	return q
}

// idle adds to a CPU's idle time what its use left of elapsed; use beyond that is owed, and paid by
// idle time to come.
func (c copyOf) idle(p []uint64, elapsed uint64) {
	if p[pBusy] > elapsed {
		c[cDebt] += p[pBusy] - elapsed
		return
	}
	left := elapsed - p[pBusy]
	pay := min(left, c[cDebt])
	c[cDebt] -= pay
	p[pIdle] += left - pay
}

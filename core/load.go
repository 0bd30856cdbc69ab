package core

import (
	"sync"
	"sync/atomic"
	"time"
)

// follow is the set of containers whose load averages are kept: those that asked.
type follow struct {
	mu    sync.Mutex
	set   map[*container]struct{}
	asked chan struct{}
}

// following is what a container remembers of it.
type following struct {
	last atomic.Int64 // when it last asked, time since boot
	on   atomic.Bool
}

// ask notes that a container asked for its load, and returns its averages.
func (c *Core) ask(ct *container, now time.Duration, t threads) (avg [3]uint64) {
	ct.follow.last.Store(int64(now))
	if !ct.follow.on.Swap(true) {
		c.load.mu.Lock()
		if c.load.set == nil {
			c.load.set = map[*container]struct{}{}
		}
		c.load.set[ct] = struct{}{}
		ct.refs.Add(1)
		c.load.mu.Unlock()
		select {
		case c.load.asked <- struct{}{}:
		default:
		}
	}
	c.history.update(ct.key, now, func(r copyOf) {
		if r[cLoadAt] == 0 {
			r[cLoadAt] = uint64(now)
		}
		// Periods in which nobody sampled, because the daemon was down or the container was not
		// followed, count with the load there is now.
		if missed := (now - time.Duration(r[cLoadAt])) / period; missed > 1 {
			r.advanceLoad(int(missed)-1, t, now)
		}
		avg = [3]uint64(r[cLoad : cLoad+3])
	})
	return avg
}

// drop stops following a container, if it is followed.
func (f *follow) drop(ct *container) {
	f.mu.Lock()
	_, followed := f.set[ct]
	delete(f.set, ct)
	f.mu.Unlock()
	if followed {
		ct.follow.on.Store(false)
		ct.release()
	}
}

// advanceLoad steps the averages n periods; after an hour only the present counts.
func (c copyOf) advanceLoad(n int, t threads, now time.Duration) {
	active := uint64(t.Running+t.Blocked) * fixed1
	for range min(n, 720) {
		for i := range decay {
			c[cLoad+i] = step(c[cLoad+i], decay[i], active)
		}
	}
	c[cLoadAt] = uint64(now)
}

// Ticking reports whether any container's load is being followed.
func (c *Core) Ticking() bool {
	c.load.mu.Lock()
	defer c.load.mu.Unlock()
	return len(c.load.set) > 0
}

// Asked receives a value when a container asks for its load that was not followed before.
func (c *Core) Asked() <-chan struct{} { return c.load.asked }

// Tick samples the load of every container that asked for it in the last quarter of an hour. Call it
// every 5 s while [Core.Ticking].
func (c *Core) Tick() {
	c.load.mu.Lock()
	list := make([]*container, 0, len(c.load.set))
	for ct := range c.load.set {
		ct.refs.Add(1)
		list = append(list, ct)
	}
	c.load.mu.Unlock()
	for _, ct := range list {
		c.sample(ct)
		ct.release()
	}
}

// sample advances one container's averages, or stops following it: it has ended, or nobody asked.
func (c *Core) sample(ct *container) {
	v := c.view(Caller{})
	defer c.done(v)
	now, err := v.Now()
	if err != nil {
		return
	}
	gone := now-time.Duration(ct.follow.last.Load()) > forget
	if !gone {
		text, err := v.cgroupsOf(ct)
		if err != nil {
			gone = true
		} else {
			v.container = ct
			ct.refs.Add(1)
			v.in = ct.current(c.k, text)
		}
	}
	if gone {
		c.load.drop(ct)
		return
	}
	t := ct.counted.Load()
	if !v.asleep(t, now) {
		fresh := v.count(now)
		t = &fresh
		ct.counted.Store(t)
	}
	c.history.update(ct.key, now, func(r copyOf) {
		passed := (now - time.Duration(r[cLoadAt]) + period/2) / period
		r.advanceLoad(max(1, int(passed)), *t, now)
	})
}

// cgroupsOf returns what /proc/PID/cgroup says of a container now: of its init, or, for callers in the
// daemon's own pid namespace, what it said when they last asked.
func (v *View) cgroupsOf(ct *container) ([]byte, error) {
	if ct.init != nil {
		return ct.init.Cgroups(v.Snapshot)
	}
	ct.mu.Lock()
	defer ct.mu.Unlock()
	return append([]byte(nil), ct.text...), nil
}

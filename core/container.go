package core

import (
	"bytes"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"lxcfs/kernelfs"
)

// groups are a container's cgroups by controller; nil where the controller is on no hierarchy.
type groups [kernelfs.PSI + 1]*kernelfs.Cgroup

// container is who is asking: the init of a pid namespace, or, for a process in the daemon's own
// namespace, just a set of cgroups.
type container struct {
	init *kernelfs.Process // nil in the daemon's own pid namespace
	key  uint64            // in History

	refs atomic.Int32 // views, and 1 while it is known
	used atomic.Bool  // since the hand of known last passed

	mu   sync.Mutex
	text []byte // /proc/PID/cgroup, from which in was made
	in   groups

	counted atomic.Pointer[threads]
	follow  following
}

// ago returns how long the container has run.
func (c *container) ago(now time.Duration) time.Duration {
	if c.init == nil {
		return now
	}
	return max(0, now-time.Duration(c.init.Start)*(time.Second/kernelfs.UserHZ))
}

// resolve finds out who asks: the init of the caller's pid namespace, which is the innermost, or in
// the daemon's own namespace (and where no init can be found) the caller by its own cgroup. A caller
// that is not visible, or that has gone, leaves the view without a container.
func (c *Core) resolve(v *View) error {
	if v.container != nil || v.who.PID == 0 {
		return nil
	}
	ns, err := v.Namespace(v.who.PID)
	if err != nil || ns == c.k.OwnNamespace() {
		return c.resolveByCgroup(v)
	}
	for range 3 { // a container may die, and its number be used again, as often as we look
		ct, err := c.byNamespace(v, ns)
		if err != nil {
			c.log.Debug("init not found, caller judged by its own cgroup", "pid", v.who.PID, "err", err)
			return c.resolveByCgroup(v)
		}
		v.container = ct
		text, err := ct.init.Cgroups(v.Snapshot)
		if err == nil {
			v.in = ct.current(c.k, text)
			return nil
		}
		v.container = nil
		ct.release()
		c.known.forget(ct)
	}
	return c.resolveByCgroup(v)
}

// Namespace returns a number that callers in the same pid namespace have in common, 0 for those of whom nothing can be
// found out. It costs one system call.
func (c *Core) Namespace(pid int) uint64 {
	if pid == 0 {
		return 0
	}
	v := c.view(Caller{})
	defer c.done(v)
	ns, err := v.Namespace(pid)
	if err != nil {
		return 0
	}
	return ns
}

func (c *Core) byNamespace(v *View, ns uint64) (*container, error) {
	if ct := c.known.namespace(ns); ct != nil {
		if ct.init.Pinned() || ct.init.Alive(v.Snapshot) {
			return ct, nil
		}
		ct.release()
		c.known.forget(ct)
	}
	init, err := v.Init(v.who.PID, ns)
	if err != nil {
		return nil, err
	}
	key := fnv1a(fnvBasis, fmt.Sprintf("pidns %d init %d start %d", ns, init.PID, init.Start))
	return c.known.add(&container{init: init, key: key}), nil
}

// resolveByCgroup judges the caller by its own cgroup. Callers in the same cgroups share a container.
func (c *Core) resolveByCgroup(v *View) error {
	text, err := v.ReadPath("/proc/" + strconv.Itoa(v.who.PID) + "/cgroup")
	if err != nil {
		return err
	}
	ct := c.known.cgroups(text)
	if ct == nil {
		ct = c.known.add(&container{key: fnv1a(fnvBasis, text)})
	}
	v.container = ct
	v.in = ct.current(c.k, text)
	return nil
}

// current returns the container's cgroups as text, its /proc/PID/cgroup, says. They are looked up
// again only when it says something else than before.
func (c *container) current(k *kernelfs.FS, text []byte) groups {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.text != nil && bytes.Equal(text, c.text) {
		return c.in
	}
	old := c.in
	c.in = groups{}
	for i := range c.in {
		h := k.Hierarchy(kernelfs.Controller(i))
		if h == nil {
			continue
		}
		if path, ok := h.Find(text); ok {
			c.in[i] = h.Cgroup(path)
		}
	}
	c.text = append(c.text[:0], text...)
	for _, cg := range old {
		cg.Release()
	}
	return c.in
}

// release gives up a reference; the last one closes what the container holds open.
func (c *container) release() {
	if c.refs.Add(-1) > 0 {
		return
	}
	c.init.Close()
	for _, cg := range c.in {
		cg.Release()
	}
}

// known are the containers that were seen, at most max of them; those not seen lately are dropped
// first. What must outlive that is in History.
type known struct {
	max  int
	died func(*container)        // called for those whose init is seen to have died
	dead func([]uint64) []uint64 // see [kernelfs.FS.Died]
	list []uint64                // its memory

	mu    sync.RWMutex
	byNS  map[uint64]*container
	byKey map[uint64]*container // of callers without a namespace of their own
	ring  []*container
	hand  int
}

func (k *known) init(max int, dead func([]uint64) []uint64, died func(*container)) {
	k.max, k.dead, k.died = max, dead, died
	k.byNS, k.byKey = map[uint64]*container{}, map[uint64]*container{}
}

func (k *known) namespace(ns uint64) *container {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.byNS[ns].use()
}

func (k *known) cgroups(text []byte) *container {
	h := fnv1a(fnvBasis, text)
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.byKey[h].use()
}

// fnv1a is hash/fnv's New64a without its allocation. Keys made by it outlive the process, so that
// a seeded hash would not do.
func fnv1a[T string | []byte](h uint64, s T) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

const fnvBasis = 14695981039346656037

func (c *container) use() *container {
	if c == nil {
		return nil
	}
	c.refs.Add(1)
	if !c.used.Load() {
		c.used.Store(true)
	}
	return c
}

// add makes a container known, unless another reader just did, and returns the known one.
func (k *known) add(c *container) *container {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reap()
	m, id := k.index(c)
	if old := m[id]; old != nil {
		if old.init == nil || old.init.PID == c.init.PID && old.init.Start == c.init.Start {
			c.init.Close()
			return old.use()
		}
		k.remove(old)
	}
	if len(k.ring) >= k.max {
		k.evict()
	}
	m[id] = c
	k.ring = append(k.ring, c)
	c.refs.Add(1)
	return c.use()
}

func (k *known) index(c *container) (map[uint64]*container, uint64) {
	if c.init != nil {
		return k.byNS, c.init.Namespace
	}
	return k.byKey, c.key
}

// reap forgets containers whose init has died: each new container pays for some old ones.
func (k *known) reap() {
	k.list = k.dead(k.list[:0])
	for _, ns := range k.list {
		if c := k.byNS[ns]; c != nil && c.init.Pinned() && !c.init.Alive(nil) {
			k.remove(c)
			k.died(c)
		}
	}
}

func (k *known) evict() {
	for {
		k.hand = (k.hand + 1) % len(k.ring)
		if c := k.ring[k.hand]; !c.used.Swap(false) {
			k.remove(c)
			return
		}
	}
}

func (k *known) remove(c *container) {
	m, id := k.index(c)
	if m[id] != c {
		return
	}
	delete(m, id)
	for i, x := range k.ring {
		if x == c {
			last := len(k.ring) - 1
			k.ring[i], k.ring[last] = k.ring[last], nil
			k.ring = k.ring[:last]
			break
		}
	}
	c.release()
}

func (k *known) forget(c *container) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.remove(c)
}

func (k *known) forgetAll() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range append([]*container(nil), k.ring...) {
		k.remove(c)
	}
}

package bench

import (
	"errors"
	"fmt"
	"os"
	"path"
	"sync"

	"golang.org/x/sys/unix"
)

// containers makes containers and removes every one it made.
type containers struct {
	arena  *arena
	forker forker
	trees  []hierarchy
	root   string // the cgroup above all others, below each hierarchy's root

	mu    sync.Mutex
	taken []bool // clients that a container has
	alive map[*container]bool
	made  int
	tops  map[string]bool
}

// container is a pid namespace with its readers, in a cgroup of its own under every
// controller.
type container struct {
	init    int    // pid of the namespace's init, the first client
	cgroup  string // below each hierarchy's root; "" for readers without a cgroup
	clients []uint32
}

func newContainers(clients int) (*containers, error) {
	trees, err := mounted()
	if err != nil {
		return nil, err
	}
	if err := sweep(trees); err != nil {
		return nil, fmt.Errorf("remains of an earlier run: %w", err)
	}
	a, err := newArena(clients)
	if err != nil {
		return nil, err
	}
	cs := &containers{
		arena: a, forker: newForker(), trees: trees,
		root:  fmt.Sprintf("/%s%d", Prefix, os.Getpid()),
		taken: make([]bool, clients),
		alive: map[*container]bool{}, tops: map[string]bool{},
	}
	return cs, nil
}

// vacancy returns where n in a row are not taken, or -1. The readers of a container
// are numbered in a row: its init forks the others by number.
func vacancy(taken []bool, n int) int {
	run := 0
	for i, t := range taken {
		if run++; t {
			run = 0
		} else if run == n {
			return i - n + 1
		}
	}
	return -1
}

// make makes a container with crew readers, its cgroup depth levels below the root
// of each hierarchy. At depth 0 it has none and stays where the coordinator is.
func (cs *containers) make(crew, depth int) (*container, error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	first := vacancy(cs.taken, crew)
	if first < 0 {
		return nil, fmt.Errorf("%d readers more than the %d there are room for", crew, len(cs.taken))
	}
	c := &container{}
	for i := first; i < first+crew; i++ {
		cs.taken[i] = true
		c.clients = append(c.clients, uint32(i))
		cs.arena.clients[i] = client{}
	}
	cs.alive[c] = true
	err := cs.forker.do(func() (err error) {
		c.init, err = cs.arena.fork(c.clients[0], uint32(crew))
		return err
	})
	if err != nil {
		return nil, err
	}
	if depth > 0 {
		if err := cs.confine(c, depth); err != nil {
			return nil, fmt.Errorf("container: %w", err)
		}
	}
	wake(&cs.arena.clients[c.clients[0]].turn)
	return c, nil
}

func (cs *containers) confine(c *container, depth int) error {
	dir := cs.root
	for i := 2; i < depth; i++ {
		dir = path.Join(dir, fmt.Sprintf("level%d", i))
	}
	cs.made++
	c.cgroup = path.Join(dir, fmt.Sprintf("c%d", cs.made))
	for _, h := range cs.trees {
		cs.tops[h.mount] = true
		if err := errors.Join(h.make(c.cgroup), h.limit(c.cgroup), h.join(c.cgroup, c.init)); err != nil {
			return err
		}
	}
	return nil
}

// remove kills the container's readers and removes its cgroups.
func (cs *containers) remove(c *container) error {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if !cs.alive[c] {
		return nil
	}
	delete(cs.alive, c)
	if c.init > 0 {
		// Killing its init kills a pid namespace; wait4 returns when it is empty.
		if err := unix.Kill(c.init, unix.SIGKILL); err != nil {
			return fmt.Errorf("kill container %d: %w", c.init, err)
		}
		if _, err := unix.Wait4(c.init, nil, 0, nil); err != nil {
			return fmt.Errorf("wait for container %d: %w", c.init, err)
		}
	}
	var errs error
	if c.cgroup != "" {
		for _, h := range cs.trees {
			errs = errors.Join(errs, h.remove(c.cgroup))
		}
	}
	for _, i := range c.clients {
		cs.taken[i] = false
	}
	return errs
}

// close removes everything that was made.
func (cs *containers) close() error {
	var errs error
	for c := range cs.alive {
		errs = errors.Join(errs, cs.remove(c))
	}
	cs.forker.close()
	for _, h := range cs.trees {
		if cs.tops[h.mount] {
			errs = errors.Join(errs, h.removeAll(cs.root))
		}
	}
	return errors.Join(errs, cs.arena.close())
}

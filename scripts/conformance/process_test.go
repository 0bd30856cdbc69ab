//go:build integration

package conformance

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lxcfs/scripts/testbed"
)

// spawn starts a process in its cgroups, in the pid namespace it asks for.
func (r *real) spawn(args []string) error {
	o := options(args[3:])
	t := &task{in: args[2]}
	inside := o["parent"]
	if of, ok := strings.CutPrefix(o["pidns"], "of:"); ok {
		inside = of
	}
	below := 0
	if inside != "" && o["pidns"] != "host" {
		p, err := r.task(inside)
		if err != nil {
			return err
		}
		if below, t.ns = p.pid(), p.ns; p.ns != nil {
			below = p.ns.pid()
		}
	}
	ps, err := r.places(t.in)
	if err != nil {
		return err
	}
	for _, p := range ps {
		if err := p.mkdir(nil); err != nil {
			return err
		}
	}
	uid, _ := strconv.ParseUint(o["uid"], 10, 32)
	t.uid = uint32(uid)
	if err := r.add(t, below, o["pidns"] == "new"); err != nil {
		return err
	}
	if o["pidns"] == "new" {
		t.ns = t
	}
	r.named[args[0]] = t
	personal, _ := strconv.ParseUint(o["personality"], 16, 32)
	err = t.actors[0].tell(orderStart, func(b *mailbox) {
		setText(b, o["comm"])
		if o["comm"] == "" {
			setText(b, args[0])
		}
		b.uid, b.personal = t.uid, uint32(personal)
	})
	n, _ := strconv.Atoi(o["threads"])
	return errors.Join(err, r.threads(t, n))
}

// add forks one more actor for the task and puts it into its cgroups.
func (r *real) add(t *task, below int, newNS bool) error {
	a, err := r.arena.fork(below, newNS)
	if err != nil {
		return err
	}
	r.began = uptime()
	t.actors = append(t.actors, a)
	ps, err := r.places(t.in)
	if err != nil {
		return err
	}
	for i := range r.m.trees {
		p := place{&r.m.trees[i], "/"}
		if j := slices.IndexFunc(ps, func(q place) bool { return q.tree == p.tree }); j >= 0 {
			p = ps[j]
		}
		if err := p.write("cgroup.procs", strconv.Itoa(a.pid)); err != nil {
			return errors.Join(err, a.kill())
		}
	}
	return nil
}

// threads makes the task have n at least.
func (r *real) threads(t *task, n int) error {
	for len(t.actors) < n {
		below := 0
		if t.ns != nil {
			below = t.ns.pid()
		}
		if err := r.add(t, below, false); err != nil {
			return err
		}
	}
	return nil
}

func (r *real) run(args []string) error {
	t, err := r.task(args[0])
	if err != nil {
		return err
	}
	o := options(args[1:])
	user, _ := strconv.ParseFloat(o["user"], 64)
	system, _ := strconv.ParseFloat(o["system"], 64)
	u, s := int64(user*1000), int64(system*1000)
	if err := r.threads(t, int((u+s+999)/1000)); err != nil {
		return err
	}
	if o["state"] == "D" {
		return r.block(t)
	}
	busy := max((u+s+999)/1000, 1)
	for i, a := range t.actors {
		a.unblock()
		err := a.tell(orderRun, func(b *mailbox) {
			b.user, b.system = 0, 0
			if int64(i) < busy {
				b.user, b.system = u/busy, s/busy
			}
		})
		if err != nil {
			return err
		}
		if nice, _ := strconv.Atoi(o["nice"]); nice != 0 {
			if err := unix.Setpriority(unix.PRIO_PROCESS, a.pid, nice); err != nil {
				return err
			}
		}
	}
	return nil
}

// block brings every thread into state D: the parent of a vfork(2) waits so for its child, which is moved out of sight.
func (r *real) block(t *task) error {
	for _, a := range t.actors {
		a.give(orderBlock, func(b *mailbox) { b.user, b.system = 0, 0 })
		err := testbed.Await("vfork", testbed.Patience(2*time.Second), func() bool {
			text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", a.pid, a.pid))
			a.block, _ = strconv.Atoi(strings.TrimSpace(string(text)))
			return a.block > 0
		})
		if err != nil {
			return err
		}
		for i := range r.m.trees {
			if err := (place{&r.m.trees[i], idle}).write("cgroup.procs", strconv.Itoa(a.block)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *real) move(name, to string) error {
	t, err := r.task(name)
	if err != nil {
		return err
	}
	ps, err := r.places(to)
	if err != nil {
		return err
	}
	for _, p := range ps {
		if err := p.mkdir(nil); err != nil {
			return err
		}
		for _, a := range t.actors {
			if err := p.write("cgroup.procs", strconv.Itoa(a.pid)); err != nil {
				return err
			}
		}
	}
	time.Sleep(150 * time.Millisecond) // kernelfs asks for an init's cgroups every 100 ms
	return nil
}

// kill ends a task, and all others of its pid namespace if it was the first there: only when they are reaped is it.
func (r *real) kill(name string) error {
	t, err := r.task(name)
	if err != nil {
		return err
	}
	for _, a := range t.actors {
		if err := a.kill(); err != nil {
			return err
		}
	}
	return r.reap(t.actors)
}

func (r *real) reap(actors []*actor) error {
	return testbed.Await("end of a process", testbed.Patience(5*time.Second), func() bool {
		for _, t := range r.named {
			for _, a := range t.actors {
				a.ended()
			}
		}
		return !slices.ContainsFunc(actors, func(a *actor) bool { return !a.ended() })
	})
}

//go:build integration

package conformance

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lxcfs/scripts/testbed"
)

// limitFiles are the files of the verb limit, v1's and v2's.
var limitFiles = map[string]struct {
	controller string
	v1, v2     string
}{
	"memory":     {"memory", "memory.limit_in_bytes", "memory.max"},
	"high":       {"memory", "", "memory.high"},
	"low":        {"memory", "", "memory.low"},
	"min":        {"memory", "", "memory.min"},
	"soft":       {"memory", "memory.soft_limit_in_bytes", ""},
	"swap":       {"memory", "memory.memsw.limit_in_bytes", "memory.swap.max"},
	"memsw":      {"memory", "memory.memsw.limit_in_bytes", ""},
	"swappiness": {"memory", "memory.swappiness", ""},
	"zswap":      {"memory", "", "memory.zswap.max"},
	"cpu":        {"cpu", "cpu.cfs_quota_us", "cpu.max"},
	"weight":     {"cpu", "cpu.shares", "cpu.weight"},
	"cpuset":     {"cpuset", "cpuset.cpus", "cpuset.cpus"},
	"pids":       {"pids", "pids.max", "pids.max"},
	"io":         {"blkio", "blkio.throttle.", "io.max"},
}

func (r *real) limit(args []string) error {
	what, value := args[0], strings.Join(args[2:], " ")
	row, ok := limitFiles[what]
	if !ok {
		return fmt.Errorf("limit %s: not on a real kernel", what)
	}
	p, err := r.with(args[1], row.controller, map[string]string{"blkio": "io"}[row.controller])
	if err != nil {
		return err
	}
	file := row.v1
	if p.tree.v2 {
		file = row.v2
	}
	if file == "" {
		return fmt.Errorf("limit %s: %w", what, unix.ENOENT)
	}
	switch what {
	case "cpu":
		return p.limitCPU(value)
	case "io":
		return p.limitIO(file, value)
	case "weight":
		if n, err := strconv.Atoi(value); err == nil && !p.tree.v2 {
			value = strconv.Itoa(n * 1024 / 100)
		}
		return p.write(file, value)
	case "cpuset", "pids", "swappiness":
		return p.write(file, value)
	}
	if value == "max" && !p.tree.v2 {
		return p.write(file, "-1")
	}
	if value == "max" {
		return p.write(file, value)
	}
	n, err := size(value)
	if err != nil {
		return err
	}
	if what == "swap" && !p.tree.v2 {
		memory, err := strconv.ParseInt(strings.TrimSpace(p.read("memory.limit_in_bytes")), 10, 64)
		if err != nil {
			return err
		}
		n += memory
	}
	return p.write(file, strconv.FormatInt(n, 10))
}

func (p place) limitCPU(value string) error {
	quota, period := value, "100000"
	if q, per, ok := strings.Cut(value, "/"); ok {
		quota, period = q, per
	} else if cpus, err := strconv.ParseFloat(value, 64); err == nil {
		quota = strconv.FormatInt(int64(cpus*100000+0.5), 10)
	}
	if p.tree.v2 {
		return p.write("cpu.max", quota+" "+period)
	}
	if quota == "max" {
		quota = "-1"
	}
	return errors.Join(p.write("cpu.cfs_period_us", period), p.write("cpu.cfs_quota_us", quota))
}

// limitIO writes io.max, or the one v1 file of each word. A disk may be named.
func (p place) limitIO(file, value string) error {
	words := strings.Fields(value)
	if number, err := diskNumber(words[0]); err == nil {
		words[0] = number
	}
	if p.tree.v2 {
		return p.write(file, strings.Join(words, " "))
	}
	for _, w := range words[1:] {
		name, n, _ := strings.Cut(w, "=")
		name = map[string]string{"rbps": "read_bps", "wbps": "write_bps", "riops": "read_iops", "wiops": "write_iops"}[name]
		if n == "max" {
			n = "0"
		}
		if err := p.write(file+name+"_device", words[0]+" "+n); err != nil {
			return err
		}
	}
	return nil
}

// kinds are memory.stat's names of what a process can make the kernel charge.
var kinds = map[string]uint32{"anon": orderAnon, "shmem": orderShmem, "file": orderFile, "file_mapped": orderMap, "file_dirty": orderDirty}

// charge has memory allocated in a cgroup: by the process that is named, or by one that joins, allocates, leaves and keeps it.
// Page cache comes from reading the hole of a sparse file: that reads no disk.
func (r *real) charge(args []string) error {
	killing := false
	for _, w := range args[1:] {
		killing = killing || w == "oom=kill"
	}
	for _, w := range args[1:] {
		name, value, _ := strings.Cut(w, "=")
		if name == "oom" {
			continue
		}
		n, err := size(value)
		if err != nil {
			return err
		}
		if n < 0 {
			err = r.uncharge(args[0], name, -n)
		} else {
			err = r.chargeOne(args[0], name, n, killing)
		}
		if err != nil {
			return fmt.Errorf("charge %s %s: %w", args[0], w, err)
		}
	}
	return nil
}

func (r *real) chargeOne(target, kind string, n int64, killing bool) error {
	c := charge{path: target, kind: kind, size: n}
	if kind == "file_mapped" || kind == "file_dirty" {
		// pages that are charged already: the last file of the same target
		for _, o := range r.charges {
			if o.path == target && o.kind == "file" && o.size >= n {
				c.file, c.actor = o.file, o.actor
			}
		}
		if c.file == "" {
			return fmt.Errorf("no file=%d charged before", n)
		}
	}
	var away *place
	if c.actor == nil {
		var err error
		if c.actor, away, err = r.charger(target, killing); err != nil {
			return err
		}
		if kind == "file" {
			if c.file, err = r.sparse(n); err != nil {
				return err
			}
		}
	}
	err := c.actor.tell(kinds[kind], func(b *mailbox) {
		setText(b, c.file)
		b.size = n
	})
	c.addr = c.actor.box().addr
	r.charges = append(r.charges, c)
	if away != nil && err == nil {
		err = away.write("cgroup.procs", strconv.Itoa(c.actor.pid))
	}
	return err
}

// charger is who allocates for a target, and where it goes afterwards. It is what the kernel kills first if there is too
// little memory, unless it is the target itself.
func (r *real) charger(target string, killing bool) (*actor, *place, error) {
	if !strings.Contains(target, "/") {
		t, err := r.task(target)
		if err != nil {
			return nil, nil, err
		}
		return t.actors[0], nil, nil
	}
	p, err := r.with(target, "memory")
	if err != nil {
		return nil, nil, err
	}
	a, err := r.arena.fork(0, false)
	if err != nil {
		return nil, nil, err
	}
	if !killing {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", a.pid), []byte("1000"), 0); err != nil {
			return nil, nil, errors.Join(err, a.kill())
		}
	}
	if err := p.write("cgroup.procs", strconv.Itoa(a.pid)); err != nil {
		return nil, nil, errors.Join(err, a.kill(), r.reap([]*actor{a}))
	}
	return a, &place{p.tree, idle}, nil
}

func (r *real) sparse(n int64) (string, error) {
	if r.m.dir == "" {
		return "", errors.New("no file system on a disk")
	}
	file := r.file()
	f, err := os.Create(file)
	if err != nil {
		return "", err
	}
	return file, errors.Join(f.Truncate(n), f.Close())
}

// uncharge gives memory back, the last first.
func (r *real) uncharge(target, kind string, n int64) error {
	for i := len(r.charges) - 1; i >= 0 && n > 0; i-- {
		c := &r.charges[i]
		if c.path != target || c.kind != kind || c.size == 0 {
			continue
		}
		part := min(n, c.size)
		order := map[string]uint32{"anon": orderRelease, "shmem": orderPunch, "file": orderForget}[kind]
		if order == 0 {
			return errors.New("cannot be given back")
		}
		err := c.actor.tell(order, func(b *mailbox) {
			setText(b, c.file)
			b.addr, b.count, b.size = c.addr, c.size-part, part
		})
		if err != nil {
			return err
		}
		c.size -= part
		n -= part
	}
	if n > 0 {
		return fmt.Errorf("%d bytes more than are charged", n)
	}
	return nil
}

// swap pushes memory out: memory.reclaim, which a cgroup without page cache answers with anonymous pages.
func (r *real) swap(args []string) error {
	target := args[0]
	if t := r.named[target]; t != nil {
		target = t.in
	}
	p, err := r.with(target, "memory")
	if err != nil {
		return err
	}
	n, err := size(options(args[1:])["out"])
	if err != nil {
		return err
	}
	usage := func() int64 {
		out, _ := strconv.ParseInt(strings.TrimSpace(p.read("memory.swap.current")), 10, 64)
		return out
	}
	want := usage() + n
	return testbed.Await("memory.reclaim", testbed.Patience(3*time.Second), func() bool {
		if left := want - usage(); left > 0 {
			_ = p.write("memory.reclaim", strconv.FormatInt(left, 10)) // EAGAIN: not all at once
		}
		return usage() >= want-256<<10
	})
}

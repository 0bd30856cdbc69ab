//go:build integration

package conformance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lxcfs/scripts/testbed"
)

// real is the verbs on this machine's kernel.
type real struct {
	m       *machine
	arena   *arena
	named   map[string]*task
	charges []charge
	offline []string // CPUs to bring back
	files   int
	began   time.Duration // when the last process was forked
}

// task is a process of a scenario. A thread beyond the first is a process of its own: cgroups count tasks.
type task struct {
	actors []*actor // the first is the one whose pid NAME means
	in     string
	ns     *task // the first of its pid namespace; nil for the host's
	uid    uint32
}

func (t *task) pid() int { return t.actors[0].pid }

// charge is memory somebody allocated for a cgroup.
type charge struct {
	path  string // or a process
	kind  string
	actor *actor
	addr  uintptr
	size  int64
	file  string
}

// verbs are those of the scenario language that a real kernel can do. Each has as many words as the fake wants.
var verbs = map[string]func(r *real, args []string) error{
	"cgroup":  (*real).cgroup,
	"limit":   (*real).limit,
	"charge":  (*real).charge,
	"swap":    (*real).swap,
	"spawn":   (*real).spawn,
	"run":     (*real).run,
	"move":    func(r *real, a []string) error { return r.move(a[0], a[2]) },
	"kill":    func(r *real, a []string) error { return r.kill(a[0]) },
	"tick":    (*real).tick,
	"io":      (*real).io,
	"hotplug": (*real).hotplug,
	"freeze":  func(r *real, a []string) error { return r.freeze(a[0], true) },
	"thaw":    func(r *real, a []string) error { return r.freeze(a[0], false) },
}

func (r *real) task(name string) (*task, error) {
	t := r.named[name]
	if t == nil || t.actors[0].ended() {
		return nil, fmt.Errorf("process %s: %w", name, unix.ESRCH)
	}
	return t, nil
}

func (r *real) cgroup(args []string) error {
	ps, err := r.places(args[1])
	if err != nil {
		return err
	}
	var want []string
	if len(args) > 2 {
		want = strings.Split(strings.TrimPrefix(args[2], "controllers="), ",")
	}
	for _, p := range ps {
		if args[0] == "remove" {
			err = os.Remove(p.dir())
		} else {
			err = p.mkdir(want)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// options splits NAME=VALUE words.
func options(words []string) map[string]string {
	m := map[string]string{}
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		m[name] = strings.Trim(value, "'")
	}
	return m
}

func (r *real) tick(args []string) error {
	d, err := time.ParseDuration(args[0])
	time.Sleep(d)
	return err
}

func (r *real) freeze(path string, frozen bool) error {
	file, value, want := "cgroup.freeze", "0", "frozen 0\n"
	check := "cgroup.events"
	p, err := r.with(path, "freezer")
	if err == nil {
		file, check, value, want = "freezer.state", "freezer.state", "THAWED", "THAWED\n"
	} else {
		i := slices.IndexFunc(r.m.trees, func(t tree) bool { return t.v2 })
		if i < 0 {
			return err
		}
		p = place{&r.m.trees[i], path}
	}
	if frozen {
		frozen := strings.NewReplacer("THAWED", "FROZEN", "0", "1")
		value, want = frozen.Replace(value), frozen.Replace(want)
	}
	if err := p.write(file, value); err != nil {
		return err
	}
	return testbed.Await(file+" "+value, testbed.Patience(2*time.Second), func() bool { return strings.HasSuffix(p.read(check), want) })
}

func (r *real) hotplug(args []string) error {
	value := map[string]string{"on": "1", "off": "0"}[args[1]]
	r.offline = append(r.offline, args[0])
	err := os.WriteFile("/sys/devices/system/cpu/cpu"+args[0]+"/online", []byte(value), 0)
	time.Sleep(1100 * time.Millisecond) // kernelfs asks for /proc/cpuinfo every second
	return err
}

// io has a task read from or write to a file on the disk, past the page cache.
func (r *real) io(args []string) error {
	t, err := r.task(args[0])
	if err != nil {
		return err
	}
	o := options(args[2:])
	for _, way := range []struct {
		order         uint32
		bytes, number string
	}{{orderRead, "read", "reads"}, {orderWrite, "write", "writes"}} {
		n, err := size(o[way.bytes])
		if o[way.bytes] == "" {
			continue
		}
		count, _ := strconv.ParseInt(o[way.number], 10, 64)
		if count == 0 {
			count = (n + 128<<10 - 1) / (128 << 10)
		}
		if err != nil || n%(512*count) != 0 || n/count > scratch {
			return fmt.Errorf("io %s=%d in %d requests: want whole sectors, at most 1 MiB each", way.bytes, n, count)
		}
		file, err := r.written(n)
		if err == nil {
			err = t.actors[0].tell(way.order, func(b *mailbox) {
				setText(b, file)
				b.size, b.count = n, count
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// written makes a file of n bytes that are on the disk, where writing it again allocates nothing.
func (r *real) written(n int64) (string, error) {
	file := r.file()
	f, err := os.Create(file)
	if err != nil {
		return "", err
	}
	_, err = f.Write(make([]byte, n))
	return file, errors.Join(err, f.Sync(), f.Close())
}

func (r *real) file() string {
	r.files++
	return filepath.Join(r.m.dir, strconv.Itoa(r.files))
}

// close ends all processes and removes the scenario's cgroups and files.
func (r *real) close() error {
	var errs []error
	for _, cpu := range r.offline {
		errs = append(errs, os.WriteFile("/sys/devices/system/cpu/cpu"+cpu+"/online", []byte("1"), 0))
	}
	var all []*actor
	for _, t := range r.named {
		all = append(all, t.actors...)
	}
	for _, c := range r.charges {
		if !slices.Contains(all, c.actor) {
			all = append(all, c.actor)
		}
	}
	for i := range r.m.trees {
		r.thawAll(&r.m.trees[i])
	}
	for _, a := range all {
		errs = append(errs, a.kill())
	}
	errs = append(errs, r.reap(all))
	for i := range r.m.trees {
		own := filepath.Join(r.m.trees[i].mount, top)
		entries, err := os.ReadDir(own)
		errs = append(errs, err)
		for _, e := range entries {
			if e.IsDir() && "/"+e.Name() != idle {
				errs = append(errs, removeTree(filepath.Join(own, e.Name())))
			}
		}
	}
	for i := range r.files {
		_ = os.Remove(filepath.Join(r.m.dir, strconv.Itoa(i+1)))
	}
	return errors.Join(errs...)
}

// thawAll lets frozen processes die.
func (r *real) thawAll(t *tree) {
	_ = filepath.WalkDir(filepath.Join(t.mount, top), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.WriteFile(filepath.Join(path, "cgroup.freeze"), []byte("0"), 0)
			_ = os.WriteFile(filepath.Join(path, "freezer.state"), []byte("THAWED"), 0)
		}
		return nil
	})
}

//go:build integration

package conformance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"lxcfs/scripts/testbed"
)

// prefix begins the name of everything made here; the test's pid follows.
const prefix = "lxcfs-conf-"

var top = "/" + prefix + strconv.Itoa(os.Getpid())

// idle is where processes are that have charged memory and shall not be counted any more.
const idle = "/idle"

// place is a cgroup path of a scenario in one hierarchy.
type place struct {
	tree *tree
	path string // of the scenario
}

// dir is the directory: below a private cgroup, but for the root.
func (p place) dir() string {
	if p.path == "/" {
		return p.tree.mount
	}
	return filepath.Join(p.tree.mount, top, p.path)
}

// write writes a cgroup file as a shell does. Not through package os: that opens kernfs files, which can be polled, with
// O_NONBLOCK, and memory.max is then set without waiting for reclaim (Linux 6.16).
func (p place) write(file, value string) error {
	name := filepath.Join(p.dir(), file)
	fd, err := unix.Open(name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		_, err = unix.Write(fd, []byte(value))
		unix.Close(fd)
	}
	if err != nil {
		return &fs.PathError{Op: "write " + value + " to", Path: name, Err: err}
	}
	return nil
}

func (p place) read(file string) string {
	text, _ := os.ReadFile(filepath.Join(p.dir(), file))
	return string(text)
}

// places reads a verb's PATH: in every hierarchy, or with a prefix in that controller's alone.
func (r *real) places(p string) ([]place, error) {
	ctl, rest, ok := strings.Cut(p, ":")
	if !ok {
		ctl, rest = "", p
	}
	if !strings.HasPrefix(rest, "/") {
		return nil, fmt.Errorf("cgroup %q: want a path such as /lxc/web", p)
	}
	rest = filepath.Clean(rest)
	var all []place
	for i := range r.m.trees {
		t := &r.m.trees[i]
		if ctl == "" || t.has(ctl) || ctl == "unified" && t.v2 {
			all = append(all, place{t, rest})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("cgroup %q: no hierarchy with controller %s", p, ctl)
	}
	return all, nil
}

// with is PATH in the hierarchy of a controller, in either version's name.
func (r *real) with(p string, controllers ...string) (place, error) {
	_, rest, ok := strings.Cut(p, ":")
	if !ok {
		rest = p
	}
	for i := range r.m.trees {
		for _, c := range controllers {
			if r.m.trees[i].has(c) {
				return place{&r.m.trees[i], filepath.Clean(rest)}, nil
			}
		}
	}
	return place{}, fmt.Errorf("cgroup %s: no %s controller", p, controllers[0])
}

// mkdir makes the cgroup and its parents, with controllers handed down from each level (v2) and cpusets filled from the parent
// (v1), as container managers do.
func (p place) mkdir(want []string) error {
	at := place{p.tree, "/"}
	dirs := []string{"/", ""}
	for _, name := range strings.FieldsFunc(p.path, func(r rune) bool { return r == '/' }) {
		dirs = append(dirs, dirs[len(dirs)-1]+"/"+name)
	}
	for i, d := range dirs[1:] {
		next := at
		if next.path = d; d == "" {
			next.path = "."
		}
		controllers := want
		if i == 0 || p.path == idle {
			controllers = nil // all
		}
		if exists(next.dir()) {
			at = next
			continue
		}
		if p.tree.v2 {
			at.enable(controllers)
		}
		if err := os.Mkdir(next.dir(), 0o755); err != nil {
			return err
		}
		if err := at.fill(next); err != nil {
			return err
		}
		at = next
	}
	return nil
}

// enable hands controllers down, all if want is empty. A cgroup with processes cannot (EBUSY): its children go without. A v2
// tree beside v1's is there to know processes by; whatever controllers v1 has left to it stay where they are.
func (p place) enable(want []string) {
	if p.tree.mount != "/sys/fs/cgroup" {
		return
	}
	for c := range strings.FieldsSeq(p.read("cgroup.controllers")) {
		if len(want) == 0 || want[0] == "all" || slices.Contains(want, c) {
			_ = p.write("cgroup.subtree_control", "+"+c)
		}
	}
}

// fill gives a new v1 cpuset its parent's CPUs and memory nodes; it has none.
func (p place) fill(child place) error {
	if p.tree.v2 || !p.tree.has("cpuset") {
		return nil
	}
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		if err := child.write(file, strings.TrimSpace(p.read(file))); err != nil {
			return err
		}
	}
	return nil
}

// prepare makes the private cgroup. It outweighs whatever else runs on the machine, so that a process gets the CPU time
// it would get alone. In a guest it is alone, and the test must not wait for it.
func (r *real) prepare() error {
	for i := range r.m.trees {
		p := place{&r.m.trees[i], idle}
		if err := p.mkdir(nil); err != nil {
			return fmt.Errorf("private cgroup: %w", err)
		}
		p.path = "."
		if p.tree.has("cpu") && !testbed.Guest() {
			file, weight := "cpu.shares", "262144"
			if p.tree.v2 {
				file, weight = "cpu.weight", "10000"
			}
			if err := p.write(file, weight); err != nil {
				return fmt.Errorf("private cgroup: %w", err)
			}
		}
	}
	return nil
}

// removeTree removes a cgroup and all below it. Its last processes may take a moment to leave.
func removeTree(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, d := range slices.Backward(dirs) {
		err := testbed.Await("rmdir "+d, testbed.Patience(2*time.Second), func() bool {
			err := os.Remove(d)
			return err == nil || errors.Is(err, fs.ErrNotExist)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sweep removes what a run that was killed left behind: cgroups and files named after a process that is no more.
func (m *machine) sweep() error {
	stale := func(pattern string) (names []string, err error) {
		all, err := filepath.Glob(pattern)
		for _, name := range all {
			number, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(name), prefix), "-")
			if pid, err := strconv.Atoi(number); err == nil && pid != os.Getpid() && syscall.Kill(pid, 0) != nil {
				names = append(names, name)
			}
		}
		return names, err
	}
	for i := range m.trees {
		dirs, err := stale(m.trees[i].mount + "/" + prefix + "[0-9]*")
		for _, dir := range dirs {
			err = errors.Join(err, removeTree(dir))
		}
		if err != nil {
			return err
		}
	}
	dirs, err := stale(filepath.Dir(m.dir) + "/" + prefix + "[0-9]*")
	for _, dir := range dirs {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

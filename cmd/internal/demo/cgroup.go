package demo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// cgroup is one new cgroup per hierarchy that has a controller the demonstration limits.
type cgroup struct {
	dirs []string
}

// newCgroup makes the cgroup name below the cgroup that this process is in, on every hierarchy with the memory, cpu or cpuset controller, and sets
// the limits. On an error nothing is left behind.
func newCgroup(name string) (cg *cgroup, err error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	cg = new(cgroup)
	defer func() {
		if err != nil {
			err = errors.Join(err, cg.remove())
			cg = nil
		}
	}()
	for line := range strings.Lines(string(mounts)) {
		// proc_pid_mountinfo(5): the mount point is the fifth field; type and super options follow the dash.
		fields := strings.Fields(line)
		before, after, ok := strings.Cut(line, " - ")
		rest := strings.Fields(after)
		if !ok || len(strings.Fields(before)) < 5 || len(rest) < 3 {
			continue
		}
		mount, options := fields[4], strings.Split(rest[2], ",")
		switch rest[0] {
		case "cgroup":
			err = cg.legacy(mount, name, options)
		case "cgroup2":
			err = cg.unified(mount, name)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(cg.dirs) == 0 {
		return nil, errors.New("no cgroup hierarchy with a memory or cpu controller is mounted")
	}
	return cg, nil
}

// legacy makes and limits the cgroup on a version 1 hierarchy.
func (cg *cgroup) legacy(mount, name string, controllers []string) error {
	limits := make(map[string]string)
	wanted := false
	for _, c := range controllers {
		switch c {
		case "memory":
			wanted = true
			limits["memory.limit_in_bytes"] = strconv.Itoa(memoryLimit)
		case "cpu":
			wanted = true
			limits["cpu.cfs_period_us"] = "100000"
			limits["cpu.cfs_quota_us"] = strconv.Itoa(cpuLimit * 100000)
		case "cpuacct", "blkio":
			wanted = true
		}
	}
	if !wanted {
		return nil
	}
	return cg.make(filepath.Join(mount, name), limits)
}

// unified makes and limits the cgroup on the version 2 hierarchy, if it has the controllers and is not just the bookkeeping half of a hybrid.
func (cg *cgroup) unified(mount, name string) error {
	offered, err := os.ReadFile(filepath.Join(mount, "cgroup.controllers"))
	if err != nil {
		return err
	}
	limits := make(map[string]string)
	for _, c := range strings.Fields(string(offered)) {
		switch c {
		case "memory":
			limits["memory.max"] = strconv.Itoa(memoryLimit)
		case "cpu":
			limits["cpu.max"] = fmt.Sprintf("%d 100000", cpuLimit*100000)
		case "io":
		default:
			continue
		}
		if err := write(filepath.Join(mount, "cgroup.subtree_control"), "+"+c); err != nil {
			return fmt.Errorf("%w (the demonstration needs the root of the cgroup tree)", err)
		}
	}
	if len(limits) == 0 {
		return nil
	}
	return cg.make(filepath.Join(mount, name), limits)
}

func (cg *cgroup) make(dir string, limits map[string]string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	cg.dirs = append(cg.dirs, dir)
	for file, value := range limits {
		if err := write(filepath.Join(dir, file), value); err != nil {
			return err
		}
	}
	return nil
}

// add moves the process pid into the cgroup.
func (cg *cgroup) add(pid int) error {
	for _, dir := range cg.dirs {
		if err := write(filepath.Join(dir, "cgroup.procs"), strconv.Itoa(pid)); err != nil {
			return err
		}
	}
	return nil
}

// remove takes the cgroup down. Nothing may run in it any more.
func (cg *cgroup) remove() error {
	var errs []error
	for _, dir := range cg.dirs {
		errs = append(errs, os.Remove(dir))
	}
	cg.dirs = nil
	return errors.Join(errs...)
}

func write(file, text string) error { return os.WriteFile(file, []byte(text), 0) }

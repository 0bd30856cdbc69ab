package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Prefix begins the name of every cgroup made here; the coordinator's pid follows.
const Prefix = "lxcfs-bench-"

// Limits of each container.
const (
	memoryLimit = 256 << 20
	quotaCPUs   = 2
)

// wanted are the controllers a container gets a cgroup under.
var wanted = []string{"memory", "cpu", "cpuacct", "cpuset", "blkio", "io", "pids", "freezer", "devices"}

// hierarchy is a mounted cgroup tree: its mount point, and of the wanted controllers
// those it has.
type hierarchy struct {
	mount       string
	unified     bool
	controllers []string
}

// hierarchies reads the mounted cgroup trees out of /proc/self/mountinfo (see
// proc(5)). Trees without a wanted controller are left out.
func hierarchies(mountinfo io.Reader, controllers func(mount string) []string) ([]hierarchy, error) {
	var found []hierarchy
	seen := map[string]bool{}
	lines := bufio.NewScanner(mountinfo)
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 5 || len(right) < 3 {
			continue
		}
		h := hierarchy{mount: left[4], unified: right[0] == "cgroup2"}
		var offered []string
		switch right[0] {
		case "cgroup":
			offered = strings.Split(right[2], ",")
		case "cgroup2":
			offered = controllers(h.mount)
		}
		for _, c := range offered {
			if slices.Contains(wanted, c) {
				h.controllers = append(h.controllers, c)
			}
		}
		// A hierarchy may be mounted twice; left[2] is its device.
		if len(h.controllers) > 0 && !seen[left[2]] {
			seen[left[2]] = true
			found = append(found, h)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("mountinfo: %w", err)
	}
	if len(found) == 0 {
		return nil, errors.New("no cgroup hierarchy is mounted")
	}
	return found, nil
}

func mounted() ([]hierarchy, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return hierarchies(f, func(mount string) []string {
		text, err := os.ReadFile(filepath.Join(mount, "cgroup.controllers"))
		if err != nil {
			return nil // older than cgroup v2's first release
		}
		return strings.Fields(string(text))
	})
}

// handedDown are the controllers that a container of ours is given. No others are switched on: hugetlb in the
// cgroup2 root of a hybrid host, say, keeps crun from working there.
var handedDown = []string{"memory", "cpu", "cpuset", "io", "pids"}

// make creates the cgroup path, and above it what is missing, so that tasks can
// join it: a v1 cpuset without CPUs and memory nodes accepts none, and a v2 cgroup
// has only the controllers its parent hands down.
func (h hierarchy) make(path string) error {
	dir := h.mount
	for _, name := range strings.Split(strings.Trim(path, "/"), "/") {
		parent := dir
		dir = filepath.Join(dir, name)
		if h.unified {
			for _, c := range h.controllers {
				if !slices.Contains(handedDown, c) {
					continue
				}
				if err := write(parent, "cgroup.subtree_control", "+"+c); err != nil {
					return err
				}
			}
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			if errors.Is(err, fs.ErrExist) {
				continue
			}
			return err
		}
		if h.unified || !slices.Contains(h.controllers, "cpuset") {
			continue
		}
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			text, err := os.ReadFile(filepath.Join(parent, file))
			if err != nil {
				return err
			}
			if err := write(dir, file, strings.TrimSpace(string(text))); err != nil {
				return err
			}
		}
	}
	return nil
}

// limit gives the cgroup the limits of a container.
func (h hierarchy) limit(path string) error {
	const period = 100_000 // µs
	files := map[string][][2]string{
		"memory": {{"memory.limit_in_bytes", strconv.Itoa(memoryLimit)}},
		"cpu":    {{"cpu.cfs_period_us", strconv.Itoa(period)}, {"cpu.cfs_quota_us", strconv.Itoa(quotaCPUs * period)}},
	}
	if h.unified {
		files = map[string][][2]string{
			"memory": {{"memory.max", strconv.Itoa(memoryLimit)}},
			"cpu":    {{"cpu.max", fmt.Sprintf("%d %d", quotaCPUs*period, period)}},
		}
	}
	for _, c := range h.controllers {
		for _, f := range files[c] {
			if err := write(filepath.Join(h.mount, path), f[0], f[1]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h hierarchy) join(path string, pid int) error {
	return write(filepath.Join(h.mount, path), "cgroup.procs", strconv.Itoa(pid))
}

// freeze stops the cgroup's tasks, or lets them go on. Nothing happens where the
// hierarchy cannot.
func (h hierarchy) freeze(path string, on bool) error {
	dir := filepath.Join(h.mount, path)
	switch {
	case h.unified:
		return write(dir, "cgroup.freeze", map[bool]string{true: "1", false: "0"}[on])
	case slices.Contains(h.controllers, "freezer"):
		return write(dir, "freezer.state", map[bool]string{true: "FROZEN", false: "THAWED"}[on])
	}
	return nil
}

// remove removes the cgroup path, whose tasks are dying. A cgroup stays busy for a
// moment after its last task was reaped.
func (h hierarchy) remove(path string) error {
	dir := filepath.Join(h.mount, path)
	for deadline := time.Now().Add(3 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		err := unix.Rmdir(dir)
		if err == nil || errors.Is(err, syscall.ENOENT) {
			return nil
		}
		if !errors.Is(err, syscall.EBUSY) || time.Now().After(deadline) {
			return fmt.Errorf("remove cgroup %s: %w", dir, err)
		}
	}
}

func write(dir, file, text string) error {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// sweep removes what runs that were killed left behind: cgroups with our prefix
// whose coordinator is gone.
func sweep(hs []hierarchy) error {
	var errs error
	for _, h := range hs {
		tops, err := filepath.Glob(filepath.Join(h.mount, Prefix+"*"))
		errs = errors.Join(errs, err)
		for _, top := range tops {
			pid, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(top), Prefix))
			if err != nil || unix.Kill(pid, 0) != unix.ESRCH {
				continue
			}
			errs = errors.Join(errs, h.removeAll(strings.TrimPrefix(top, h.mount)))
		}
	}
	return errs
}

func (h hierarchy) removeAll(path string) error {
	entries, err := os.ReadDir(filepath.Join(h.mount, path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var errs error
	for _, e := range entries {
		if e.IsDir() {
			errs = errors.Join(errs, h.removeAll(filepath.Join(path, e.Name())))
		}
	}
	return errors.Join(errs, h.remove(path))
}

package testbed

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// unlimited is what both versions' files take for no limit, keyed by file.
var unlimited = map[string]string{
	"memory.max": "max", "memory.swap.max": "max", "cpu.max": "max 100000",
	"memory.limit_in_bytes": "-1", "memory.memsw.limit_in_bytes": "-1", "cpu.cfs_quota_us": "-1",
}

// Limit sets all limits of the running container, those that are zero to none. An empty
// CPUSet gives it the cpuset of its parent.
func (c *Container) Limit(l Limits) error { return c.limit(l, "") }

// LimitParent does the same to the cgroup above the container's.
func (c *Container) LimitParent(l Limits) error { return c.limit(l, "..") }

func (c *Container) limit(l Limits, level string) error {
	write := func(controller, file, value string) error {
		dir, err := c.Cgroup(controller)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, level, file), []byte(value), 0); err != nil {
			return fmt.Errorf("limit %q: %w", value, err)
		}
		return nil
	}
	number := func(file string, n int64) string {
		if n == 0 {
			return unlimited[file]
		}
		return strconv.FormatInt(n, 10)
	}
	var errs []error
	set := func(controller, file, value string) { errs = append(errs, write(controller, file, value)) }
	cpus, quota := l.CPUSet, int64(l.CPUs*100000)
	if HostLayout() == Unified {
		set("memory", "memory.max", number("memory.max", l.Memory))
		swap := unlimited["memory.swap.max"]
		if l.MemorySwap > 0 {
			swap = strconv.FormatInt(l.MemorySwap-l.Memory, 10)
		}
		set("memory", "memory.swap.max", swap)
		period := unlimited["cpu.max"]
		if quota > 0 {
			period = fmt.Sprintf("%d 100000", quota)
		}
		set("cpu", "cpu.max", period)
		if cpus == "" { // ENOSPC: a cpuset with tasks cannot be made empty again
			above, err := c.read("cpuset", filepath.Join(level, "../cpuset.cpus.effective"))
			if err != nil {
				return err
			}
			cpus = above
		}
		set("cpuset", "cpuset.cpus", cpus)
		return errors.Join(errs...)
	}
	// memsw may never be below the memory limit: open both, then close both.
	if err := write("memory", "memory.memsw.limit_in_bytes", "-1"); err != nil && !errors.Is(err, os.ErrNotExist) {
		errs = append(errs, err)
	}
	set("memory", "memory.limit_in_bytes", "-1")
	set("memory", "memory.limit_in_bytes", number("memory.limit_in_bytes", l.Memory))
	if l.MemorySwap > 0 {
		set("memory", "memory.memsw.limit_in_bytes", strconv.FormatInt(l.MemorySwap, 10))
	}
	set("cpu", "cpu.cfs_quota_us", number("cpu.cfs_quota_us", quota))
	if cpus == "" {
		above, err := c.read("cpuset", filepath.Join(level, "../cpuset.effective_cpus"))
		if err != nil {
			return err
		}
		cpus = above
	}
	set("cpuset", "cpuset.cpus", cpus)
	return errors.Join(errs...)
}

// read is what a file in, or relative to, the container's cgroup holds.
func (c *Container) read(controller, file string) (string, error) {
	dir, err := c.Cgroup(controller)
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(filepath.Join(dir, file))
	return string(b), err
}

// Freeze stops or continues every process of the container and waits until the kernel says
// so.
func (c *Container) Freeze(frozen bool) error {
	file, value, want := "freezer.state", "THAWED", "THAWED\n"
	if frozen {
		value, want = "FROZEN", "FROZEN\n"
	}
	check := file
	if HostLayout() == Unified {
		file, check, value, want = "cgroup.freeze", "cgroup.events", "0", "frozen 0\n"
		if frozen {
			value, want = "1", "frozen 1\n"
		}
	}
	dir, err := c.Cgroup("freezer")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, file), []byte(value), 0); err != nil {
		return fmt.Errorf("freeze %s: %w", c.Name, err)
	}
	return Await("freezer "+value, Patience(5*time.Second), func() bool {
		b, err := os.ReadFile(filepath.Join(dir, check))
		return err == nil && (string(b) == want || len(b) > len(want) && string(b[len(b)-len(want):]) == want)
	})
}

// ChargeBeside charges MiB of tmpfs to a sibling of the container's memory cgroup: memory
// that an ancestor's limit counts and the container did not use. Release gives it back.
func (c *Container) ChargeBeside(mib int) (release func(), err error) {
	dir, err := c.Cgroup("memory")
	if err != nil {
		return nil, err
	}
	sibling := filepath.Join(filepath.Dir(dir), "sibling")
	if err := os.Mkdir(sibling, 0o755); err != nil {
		return nil, err
	}
	file := "/dev/shm/" + c.Name
	out, err := exec.Command("sh", "-c", `echo $$ > "$1/cgroup.procs" && exec head -c "$2"M /dev/zero > "$3"`,
		"sh", sibling, strconv.Itoa(mib), file).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("charge %s: %w: %s", sibling, err, out)
	}
	return func() { _ = os.Remove(file) }, nil
}

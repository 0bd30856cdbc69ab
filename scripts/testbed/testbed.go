// Package testbed runs real containers beside a real lxcfs mount, for the tests that
// need a kernel: scripts/integration and scripts/compare.
//
// # What it does
//
// [Mount] starts an lxcfs (ours or another one) on a temporary directory. [Start] starts a
// container by one of the [Runtimes], through the shell scripts of this directory, with the
// mount's files bound over its /proc and /sys/devices/system/cpu. The container's init is a
// shell that reads commands from a pipe ([Container.Sh]), so one container serves many
// questions, and everything in it dies when the pipe closes, be it because the test
// was killed.
//
// [Container.Limit] changes the limits of a running container as its host would: by writing
// its cgroup files, under any [Layout].
//
// # What it needs
//
// Root, /dev/fuse and the packages of setup.sh. Nothing here skips: a bed that cannot be
// made is an error that says what is missing. Only cgroups whose names start with
// "lxcfs-test-" are made or removed.
//
// The scripts are found in the directory ../testbed, which is right for the tests of both
// packages, whether "go test" runs them or a pre-built binary is started in its package's
// directory inside a guest.
package testbed

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// scripts is the directory of the shell scripts, as seen from a sister package.
const scripts = "../testbed"

// Guest reports whether this process runs in a guest of vm.sh or uml.sh, where compute is
// some twenty times slower and destroying things is allowed.
func Guest() bool { return os.Getenv("LXCFS_TEST_GUEST") != "" }

// Patience is how long to wait for something that takes d on an idle machine.
func Patience(d time.Duration) time.Duration {
	if Guest() {
		return 10 * d
	}
	return 3 * d
}

// Await polls until done reports true. The error names what did not happen in time.
func Await(what string, limit time.Duration, done func() bool) error {
	for end := time.Now().Add(limit); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("%s: not within %v", what, limit)
		}
	}
	return nil
}

// Layout is how the machine's controllers are spread over cgroup versions.
type Layout string

// The layouts that systemd knows.
const (
	Legacy  Layout = "v1"     // each controller in a v1 hierarchy, no cgroup2 mount
	Hybrid  Layout = "hybrid" // v1 hierarchies and a cgroup2 mount at .../unified
	Unified Layout = "v2"     // /sys/fs/cgroup is the cgroup2 mount
)

// HostLayout is this machine's.
func HostLayout() Layout {
	switch {
	case exists("/sys/fs/cgroup/cgroup.controllers"):
		return Unified
	case exists("/sys/fs/cgroup/unified/cgroup.controllers"):
		return Hybrid
	}
	return Legacy
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// directory is where the cgroup cg of a controller is, given a process's /proc/PID/cgroup.
// A controller that no hierarchy holds is an error.
func directory(procCgroup, controller string) (string, error) {
	for line := range strings.Lines(procCgroup) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(f) != 3 {
			continue
		}
		for c := range strings.SplitSeq(f[1], ",") {
			if c == controller {
				return filepath.Join("/sys/fs/cgroup", controller, f[2]), nil
			}
		}
		if f[0] == "0" && HostLayout() == Unified {
			return filepath.Join("/sys/fs/cgroup", f[2]), nil
		}
	}
	return "", fmt.Errorf("controller %s: in no hierarchy", controller)
}

//go:build integration && guest

package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"lxcfs/scripts/testbed"
)

// A pid namespace within the container's is judged by its own init's cgroup and by every
// limit above it.
func TestNested(t *testing.T) {
	guest(t)
	c := start(t, crun, testbed.Limits{Memory: 64 << 20}, "-G")
	if err := c.LimitParent(testbed.Limits{Memory: 100 << 20}); err != nil {
		t.Fatal(err)
	}
	dir, err := c.Cgroup("memory")
	if err != nil {
		t.Fatal(err)
	}
	pid, err := c.PID()
	if err != nil {
		t.Fatal(err)
	}
	nested := filepath.Join(filepath.Dir(dir), "nested")
	if err := os.Mkdir(nested, 0o755); err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[string]string{"48M": "49152", "200M": "102400", "max": "102400"} {
		if err := os.WriteFile(filepath.Join(nested, "memory.max"), []byte(limit), 0); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("sh", "-c", `echo $$ > "$1/cgroup.procs" && exec nsenter -t "$2" -m -p -- unshare -p -f awk '/^MemTotal:/ {print $2}' /proc/meminfo`,
			"sh", nested, strconv.Itoa(pid)).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("memory.max %s under 100M: MemTotal = %s, want %s (%v)", limit, got, want, err)
		}
	}
}

// machine starts systemd as init of a container in the cgroup $1, with the files of the
// lxcfs mounted on $2, and one unit that does nothing.
const machine = `echo $$ > "$1/cgroup.procs"
exec unshare -C -m -p -f --propagation private sh -ec '
mount -t proc proc /proc
mount --bind "$2/proc/meminfo" /proc/meminfo
umount /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system
printf "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sleep 600\n" > /run/systemd/system/idle.service
exec env -i container=test "PATH=$PATH" /lib/systemd/systemd --unit=idle.service --log-target=console
' sh "$@"`

// systemd as a container's init moves itself into init.scope; the container is what is
// above it.
func TestInitScope(t *testing.T) {
	guest(t)
	const cgroup = "/sys/fs/cgroup/lxcfs-test-systemd"
	if err := os.Mkdir(cgroup, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := testbed.Await("end of "+cgroup, testbed.Patience(5*time.Second), func() bool {
			_ = exec.Command("find", cgroup, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+").Run()
			_, err := os.Stat(cgroup)
			return err != nil
		}); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(filepath.Join(cgroup, "memory.max"), []byte("96M"), 0); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command("sh", "-c", machine, "sh", cgroup, lx.Dir)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid string
	t.Cleanup(func() {
		if pid != "" { // the end of its init is that of a pid namespace
			_ = exec.Command("kill", "-9", pid).Run()
		} else {
			_ = cmd.Process.Kill()
		}
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("systemd wrote: %s", log.String())
		}
	})
	if err := testbed.Await("systemd in init.scope", testbed.Patience(20*time.Second), func() bool {
		out, _ := exec.Command("pgrep", "-P", strconv.Itoa(cmd.Process.Pid)).Output()
		pid = strings.TrimSpace(string(out))
		b, _ := os.ReadFile("/proc/" + pid + "/cgroup")
		return strings.HasSuffix(string(b), "/init.scope\n")
	}); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("nsenter", "-t", pid, "-m", "-p", "awk", "/^MemTotal:/ {print $2}", "/proc/meminfo").CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != strconv.Itoa(96<<10) {
		t.Errorf("MemTotal = %s kB with init in init.scope, want %d (%v)", got, 96<<10, err)
	}
}

// Wherever the daemon's own cgroup is, a container's swap is its own.
func TestDaemonCgroup(t *testing.T) {
	guest(t)
	const cgroup = "/sys/fs/cgroup/lxcfs-test-daemon"
	if err := os.Mkdir(cgroup, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(cgroup); err != nil {
			t.Error(err)
		}
	})
	wrapped := filepath.Join(t.TempDir(), "lxcfs")
	script := fmt.Sprintf("#!/bin/sh\necho $$ > %s/cgroup.procs && exec %s \"$@\"\n", cgroup, lx.Bin)
	if err := os.WriteFile(wrapped, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := testbed.Mount(wrapped)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	c, err := testbed.Start(crun, testbed.Limits{Memory: 64 << 20, MemorySwap: 96 << 20}, l.Dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if got := number(t, c, `awk '/^SwapTotal:/ {print $2}' /proc/meminfo`); got != 32<<10 {
		t.Errorf("SwapTotal = %v kB, want %d", got, 32<<10)
	}
}

//go:build integration

package core_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"lxcfs/core"
	"lxcfs/kernelfs"
)

// TestMain also is the container's init: it sleeps until its parent goes.
func TestMain(m *testing.M) {
	if os.Getenv("LXCFS_TEST_INIT") != "" {
		syscall.Read(0, make([]byte, 1))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// contain starts a process in a pid namespace and a cgroup of its own, in every hierarchy.
func contain(t testing.TB, k *kernelfs.FS) int {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("integration tests need root")
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "LXCFS_TEST_INIT=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); cmd.Wait() })
	for _, h := range k.Hierarchies() {
		dir := filepath.Join(h.Mount, "lxcfs-coretest-"+strings.ReplaceAll(t.Name(), "/", "-"))
		if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			for range 100 { // its last process may take a moment to leave
				if os.Remove(dir) == nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
			t.Errorf("%s stays", dir)
		})
		for _, name := range []string{"cpuset.mems", "cpuset.cpus"} {
			if b, err := os.ReadFile(filepath.Join(h.Mount, name)); err == nil {
				os.WriteFile(filepath.Join(dir, name), b, 0)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(cmd.Process.Pid)), 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { stdin.Close(); cmd.Process.Kill(); cmd.Wait() })
	}
	return cmd.Process.Pid
}

func host(t testing.TB) (*kernelfs.FS, *core.Core) {
	t.Helper()
	k, err := kernelfs.Host(1024)
	if err != nil {
		t.Fatal(err)
	}
	c, err := core.New(k, core.Options{CFS: true})
	if err != nil {
		t.Fatal(err)
	}
	return k, c
}

// TestNoGarbage: a warm read of any file allocates nothing, so that no garbage collection ever stands
// in a reader's way. Counting threads, at most once a second, may.
func TestNoGarbage(t *testing.T) {
	k, c := host(t)
	who := core.Caller{PID: contain(t, k)}
	for i := range core.Files {
		path := core.Files[i].Path
		buf, err := c.Read(who, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(path, "proc/pressure/") && k.Layout() != "unified" {
			continue // the host's file, read and closed
		}
		n := testing.AllocsPerRun(2000, func() {
			if buf, err = c.Read(who, path, buf[:0]); err != nil {
				t.Fatal(err)
			}
		})
		if n > 0 {
			t.Errorf("%s: %v allocations a read, want 0", path, n)
		}
	}
}

// TestDeadAreForgotten: what is held open for a container that has ended is closed when another comes.
func TestDeadAreForgotten(t *testing.T) {
	k, c := host(t)
	open := func() int {
		t.Helper()
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(fds)
	}
	var held []int // beside what the test itself opened
	for i := range 8 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			pid := contain(t, k)
			if i == 0 {
				held = append(held, open())
			}
			if _, err := c.Read(core.Caller{PID: pid}, "proc/meminfo", nil); err != nil {
				t.Fatal(err)
			}
			held = append(held, open())
		})
	}
	if none, one, last := held[0], held[1], held[len(held)-1]; one <= none || last > one {
		t.Errorf("descriptors: %d before the first container, then %d: want as many at the last as at the first", none, held[1:])
	}
}

func BenchmarkRead(b *testing.B) {
	k, c := host(b)
	who := core.Caller{PID: contain(b, k)}
	for i := range core.Files {
		path := core.Files[i].Path
		b.Run(filepath.Base(path), func(b *testing.B) {
			b.ReportAllocs()
			var buf []byte
			var err error
			for b.Loop() {
				if buf, err = c.Read(who, path, buf[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

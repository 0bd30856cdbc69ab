//go:build integration

package fuse

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"lxcfs/fuse/conn"
)

func TestKillsCostNothing(t *testing.T) {
	for _, env := range []string{"X=1", "TEST_STANDBY=1"} {
		t.Run(env, func(t *testing.T) {
			k := startKeeper(t, env)
			r := k.read(8)
			kills := 0
			for range 100 {
				time.Sleep(time.Duration(15+rand.IntN(30)) * time.Millisecond)
				if pid := k.worker(); pid > 0 && syscall.Kill(pid, syscall.SIGKILL) == nil {
					kills++
				}
			}
			r.stop(t)
			t.Logf("%d kills", kills)
		})
	}
}

// A standby that died, and one that was used up, are replaced; after an upgrade, too.
func TestStandbyIsReplaced(t *testing.T) {
	k := startKeeper(t, "TEST_STANDBY=1")
	two := func() bool { return len(k.children()) == 2 }
	k.eventually("a standby", two)
	before := k.children()
	replaced := func(pid int) func() bool {
		return func() bool { return two() && !slices.Contains(k.children(), pid) }
	}
	for _, pid := range before { // one of them serves
		syscall.Kill(pid, syscall.SIGKILL)
		k.eventually("another one", replaced(pid))
	}
	k.cmd.Process.Signal(syscall.SIGUSR1)
	k.eventually("upgrade", func() bool { return strings.Contains(k.log.String(), "keeper is the new program") })
	k.eventually("a standby of the new program", two)
}

func TestUpgradeUnderLoad(t *testing.T) {
	k := startKeeper(t)
	r := k.read(8)
	for i := range 10 {
		k.cmd.Process.Signal(syscall.SIGUSR1)
		k.eventually("upgrade", func() bool {
			return strings.Count(k.log.String(), "keeper is the new program") == i+1
		})
	}
	r.stop(t)
}

// The next release has not got a file that the kernel would know for another hour; the one after it has it again.
func TestChangedSetOfFiles(t *testing.T) {
	k := startKeeper(t)
	name := "/proc/pressure/cpu"
	stat := func(want error) func() bool {
		return func() bool {
			err := syscall.Stat(k.dir+name, new(syscall.Stat_t))
			return errors.Is(err, want)
		}
	}
	if !stat(nil)() {
		t.Fatal("the file is not there")
	}
	upgrade := func(n int) {
		t.Helper()
		k.cmd.Process.Signal(syscall.SIGUSR1)
		k.eventually("upgrade", func() bool { return strings.Count(k.log.String(), "keeper is the new program") == n })
	}
	os.WriteFile(k.state+"/without", []byte(name[1:]), 0o600)
	upgrade(1)
	k.eventually("end of the file", stat(syscall.ENOENT))
	os.Remove(k.state + "/without")
	upgrade(2)
	k.eventually("return of the file", stat(nil))
}

func TestUpgradeRefused(t *testing.T) {
	k := startKeeper(t)
	old := k.worker()
	r := k.read(2)
	os.WriteFile(k.state+"/refuse", []byte("cannot parse"), 0o600)
	k.cmd.Process.Signal(syscall.SIGUSR1)
	k.eventually("refusal", func() bool {
		return strings.Contains(k.log.String(), "worker refuses: self-test: cannot parse") || strings.Contains(k.log.String(), "cannot parse")
	})
	if now := k.worker(); now != old {
		t.Errorf("worker is %d, want the old one, %d", now, old)
	}
	os.Remove(k.state + "/refuse")
	r.stop(t)
}

func TestPoisonIsAnsweredEIO(t *testing.T) {
	k := startKeeper(t)
	r := k.read(4)
	if _, err := slurp(k.dir + "/proc/fatal"); !errors.Is(err, syscall.EIO) {
		t.Errorf("read of the file that kills workers: %v, want EIO", err)
	}
	r.stop(t)
	if n := strings.Count(k.log.String(), "its worker died each time"); n != 1 {
		t.Errorf("poison was logged %d times, want once", n)
	}
	if n := strings.Count(k.log.String(), "worker died"); n < 2 {
		t.Errorf("%d workers died, want 2", n)
	}
}

func TestMinimalMode(t *testing.T) {
	k := startKeeper(t)
	os.WriteFile(k.state+"/die", []byte("yes"), 0o600)
	syscall.Kill(k.worker(), syscall.SIGKILL)
	start := time.Now()
	b, err := slurp(k.dir + "/proc/meminfo")
	if err != nil || !bytes.Contains(b, []byte("MemFree:")) {
		t.Errorf("minimal mode reads %.20q, %v, want the host's meminfo", b, err)
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("minimal mode answered after %v", d)
	}
	os.Remove(k.state + "/die")
	k.eventually("recovery", func() bool { b, _ := slurp(k.dir + "/proc/meminfo"); return string(b) == "MemTotal: 1 kB\n" })
}

func TestPanicIsEIO(t *testing.T) {
	k := startKeeper(t)
	pid := k.worker()
	if _, err := slurp(k.dir + "/proc/panic"); !errors.Is(err, syscall.EIO) {
		t.Errorf("read of the file that panics: %v, want EIO", err)
	}
	if b, err := slurp(k.dir + "/proc/stat"); err != nil || len(b) == 0 {
		t.Errorf("read after a panic: %q, %v", b, err)
	}
	if now := k.worker(); now != pid {
		t.Errorf("worker is %d, want %d still", now, pid)
	}
}

// Told to stop but to keep the mount, with nobody to give the connection to, the keeper leaves its worker alone.
func TestKeepMount(t *testing.T) {
	k := startKeeper(t, "TEST_KEEP=1")
	worker := k.worker()
	r := k.read(2)
	k.cmd.Process.Signal(syscall.SIGTERM)
	k.cmd.Process.Wait()
	time.Sleep(50 * time.Millisecond)
	r.stop(t)
	conn.Unmount(k.dir)
	k.eventually("end of the worker", func() bool { return syscall.Kill(worker, 0) != nil })
}

//go:build integration

package fuse

import (
	"encoding/binary"
	"os"
	"strings"
	"syscall"
	"testing"

	"lxcfs/fuse/conn"

	"golang.org/x/sys/unix"
)

// stored starts a keeper under a fake systemd, and returns what has it serve again after end has ended it.
func stored(t *testing.T) (s *fakeSystemd, m *keptMount, again func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("needs root and /dev/fuse")
	}
	s = newFakeSystemd(t)
	m = &keptMount{t: t, dir: t.TempDir(), log: &syncBuffer{}}
	m.cmd = s.start(m.dir, m.log)
	s.until("READY=1")
	t.Cleanup(func() {
		m.cmd.Process.Signal(syscall.SIGTERM)
		m.cmd.Process.Wait()
		conn.Unmount(m.dir)
		for _, fd := range s.fds {
			unix.Close(fd)
		}
		if t.Failed() {
			t.Log(m.log.String())
		}
	})
	return s, m, func() {
		m.cmd = s.start(m.dir, m.log)
		s.until("READY=1")
	}
}

// end kills the keeper and its worker, and waits until both are gone.
func (k *keptMount) end() {
	k.t.Helper()
	pids := k.children()
	k.cmd.Process.Signal(syscall.SIGKILL)
	k.cmd.Process.Wait()
	for _, pid := range pids {
		syscall.Kill(pid, syscall.SIGKILL)
		k.eventually("end of the worker", func() bool { return syscall.Kill(pid, 0) != nil })
	}
}

// What systemd kept is worth nothing any more: somebody unmounted, or aborted the connection. A new one is mounted.
func TestStoredConnectionIsGone(t *testing.T) {
	s, m, again := stored(t)
	m.end()
	if err := conn.Unmount(m.dir); err != nil {
		t.Fatal(err)
	}
	again()
	if b, err := slurp(m.dir + "/proc/meminfo"); err != nil || string(b) != "MemTotal: 1 kB\n" {
		t.Errorf("meminfo = %q, %v", b, err)
	}
	if !strings.Contains(m.log.String(), "the connection systemd kept is not used") {
		t.Error("the log does not say that what was kept is not used")
	}
	if said := strings.Join(s.said, "\n"); strings.Count(said, "FDSTOREREMOVE=1") != 2 || strings.Count(said, "FDSTORE=1") != 4 {
		t.Errorf("systemd was told %q, want the old ones removed and new ones stored", s.said)
	}
}

// A release with another layout finds the connection in the store, after an upgrade or a downgrade by restart: it serves the
// same mount, and the kernel sends it again what its predecessor had in work.
func TestStoredStateOfAnotherLayout(t *testing.T) {
	s, m, again := stored(t)
	id := mountID(t, m.dir)
	r := m.read(4)
	m.eventually("reads", func() bool { return r.ops.Load() > 4 })
	m.end()
	var other [8]byte
	binary.NativeEndian.PutUint64(other[:], conn.Layout+1)
	if _, err := unix.Pwrite(s.fds["lxcfs-state"], other[:], 8); err != nil {
		t.Fatal(err)
	}
	again()
	before := r.ops.Load()
	m.eventually("reads by another layout", func() bool { return r.ops.Load() > before+20 })
	r.stop(t)
	if now := mountID(t, m.dir); now != id {
		t.Errorf("mount %s became %s", id, now)
	}
	if !strings.Contains(m.log.String(), "state of the former worker is not used") {
		t.Error("the log does not say that the state is not used")
	}
}

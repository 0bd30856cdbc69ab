package kernelfs

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

func TestCallersAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c callers
		c.set(caller{pid: 7, ns: 4026531836, at: time.Now()})
		time.Sleep(callersKept - time.Nanosecond)
		if who, holds := c.get(7, time.Now()); !holds || who.ns != 4026531836 {
			t.Errorf("just before it is forgotten: %v, %v", who, holds)
		}
		if who, _ := c.get(7+len(c.slots), time.Now()); who.pid != 0 {
			t.Error("a number that shares the slot was taken for it")
		}
		time.Sleep(time.Nanosecond)
		if _, holds := c.get(7, time.Now()); holds {
			t.Error("it still holds when another process may have the number")
		}
	})
}

// later lets the time pass in which a caller is remembered without a doubt: the time itself is what is asked about.
func later() { time.Sleep(callersKept) }

// child returns a process that runs until the test ends or it is killed.
func child(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(cmd) })
	return cmd
}

func kill(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func TestCallerThatHasDiedIsNoCaller(t *testing.T) {
	k := machine(t)
	own := mustNamespace(t, k, os.Getpid())
	for asked := 1; asked <= 3; asked++ {
		cmd := child(t)
		pid := cmd.Process.Pid
		for range asked {
			if ns := mustNamespace(t, k, pid); ns != own {
				t.Errorf("namespace of a child: %d, want ours, %d", ns, own)
			}
			later()
		}
		fd := k.host.callers.slot(pid).pidfd
		if watched := fd > 0; watched != (asked > 1) {
			t.Errorf("asked for %d times, watched: %v", asked, watched)
		}
		kill(cmd)
		if ns, err := k.Snapshot().Namespace(pid); err == nil {
			t.Errorf("asked for %d times: namespace of a dead process: %d, want %v", asked, ns, syscall.ENOENT)
		}
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); fd > 0 && err == nil {
			t.Errorf("asked for %d times: descriptor %d is still open", asked, fd)
		}
	}
}

func mustNamespace(t *testing.T, k *FS, pid int) uint64 {
	t.Helper()
	ns, err := k.Snapshot().Namespace(pid)
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

func TestNumberOfAnotherProcess(t *testing.T) {
	k := machine(t)
	c := k.host.callers
	own := mustNamespace(t, k, os.Getpid())

	// What was remembered of a process that ended, whose number is now ours.
	const another = 42
	cmd := child(t)
	fd, err := pidfdOpen(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ended.watch(fd, uint64(os.Getpid())); err != nil {
		t.Fatal(err)
	}
	c.set(caller{os.Getpid(), another, time.Now(), fd})
	later()
	if ns := mustNamespace(t, k, os.Getpid()); ns != another {
		t.Errorf("while the process lives: %d, want %d as remembered", ns, another)
	}
	kill(cmd)
	later()
	if ns := mustNamespace(t, k, os.Getpid()); ns != own {
		t.Errorf("after it ended: %d, want %d", ns, own)
	}
}

func TestThreadIsNotWatched(t *testing.T) {
	k := machine(t)
	own := mustNamespace(t, k, os.Getpid())
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil || len(threads) < 2 {
		t.Fatalf("threads of this process: %v, %v; Go's runtime has several", threads, err)
	}
	tid, err := strconv.Atoi(threads[1].Name()) // in order: the first is the process's own number
	if err != nil || tid == os.Getpid() {
		t.Fatalf("thread %d, %v", tid, err)
	}
	for range 3 {
		if ns := mustNamespace(t, k, tid); ns != own {
			t.Errorf("namespace of a thread: %d, want %d", ns, own)
		}
		later()
	}
	if c := k.host.callers.slot(tid); c.pidfd != unwatched {
		t.Errorf("descriptor %d for a thread", c.pidfd)
	}
}

func TestNoMoreAreWatchedThanThereIsRoomFor(t *testing.T) {
	k := machine(t)
	c := k.host.callers
	c.room = 2
	asked := func(cmd *exec.Cmd) bool {
		for range 2 {
			mustNamespace(t, k, cmd.Process.Pid)
			later()
		}
		return c.slot(cmd.Process.Pid).pidfd > 0
	}
	first, second, third := child(t), child(t), child(t)
	if !asked(first) || !asked(second) {
		t.Error("not watched though there is room")
	}
	if asked(third) || c.watched != 2 {
		t.Errorf("%d are watched, want 2", c.watched)
	}
	kill(first)
	if !asked(third) || c.watched != 2 {
		t.Errorf("after one ended %d are watched, want it to make room", c.watched)
	}
}

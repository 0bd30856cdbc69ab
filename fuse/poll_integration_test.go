//go:build integration

package fuse

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel's own trigger wakes a poll: it forgets its event when anybody asks about it, which no socket does.
func TestTriggerOfTheKernel(t *testing.T) {
	root := "/sys/fs/cgroup"
	if _, err := os.Stat(root + "/unified"); err == nil {
		root += "/unified"
	}
	dir := filepath.Join(root, "lxcfs-test-trigger")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 100 { // its last process is being reaped
			if err := os.Remove(dir); err == nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Errorf("%s is left", dir)
	})
	fd, err := unix.Open(filepath.Join(dir, "cpu.pressure"), unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(fd, []byte("some 100000 2000000\x00")); err != nil {
		t.Fatal(err)
	}
	woken := make(chan uint64, 10)
	tr := newTriggers(func(kh uint64) error { woken <- kh; return nil }, slog.New(slog.DiscardHandler))
	if no := tr.arm(1, func() (trigger, error) { return trigger{fd, func() error { return unix.Close(fd) }}, nil }); no != 0 {
		t.Fatal(no)
	}
	t.Cleanup(func() { tr.disarm(1) })
	if got := tr.poll(1, 11, true); got != pollAlways {
		t.Errorf("poll of a quiet cgroup: %#x, want %#x", got, pollAlways)
	}
	busy := exec.Command("timeout", "30", "sh", "-c", `echo $$ > "$1/cgroup.procs"; taskset -cp 0 $$ > /dev/null
for i in 1 2 3; do while :; do :; done & done; trap 'kill $(jobs -p)' TERM; wait`, "sh", dir)
	if err := busy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { busy.Process.Signal(unix.SIGTERM); busy.Wait() })
	select {
	case kh := <-woken:
		if kh != 11 {
			t.Errorf("poll %d was woken, want 11", kh)
		}
	case <-time.After(25 * time.Second):
		t.Fatal("nobody was woken by three busy loops on one CPU")
	}
	if got, want := tr.poll(1, 12, true), uint32(pollAlways|unix.POLLPRI); got != want {
		t.Errorf("poll of a stalled cgroup: %#x, want %#x", got, want)
	}
}

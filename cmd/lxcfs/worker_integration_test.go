//go:build integration

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// workers returns the daemon's children.
func (d *running) workers(t *testing.T) []int {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", d.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, field := range strings.Fields(string(text)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// kill ends every process of the daemon at once: the keeper first, who would start another worker.
func (d *running) kill(t *testing.T) {
	t.Helper()
	workers := d.workers(t)
	if err := d.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range workers {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		until(t, "the worker is gone", func() bool { return unix.Kill(pid, 0) == unix.ESRCH })
	}
	d.exited <- <-d.exited
}

// Huge pages made a worker of 10 MB one of 14, in a guest where they are always on.
func TestSmallPages(t *testing.T) {
	d := start(t)
	for _, pid := range append(d.workers(t), d.cmd.Process.Pid) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil || !strings.Contains(string(text), "THP_enabled:\t0\n") {
			t.Errorf("process %d may have huge pages: %v", pid, err)
		}
	}
}

// LXCFS leaves every container with ENOTCONN when it dies: user pain 1.
func TestKilledWorkerIsReplaced(t *testing.T) {
	d := start(t)
	f, err := os.Open(d.dir + "/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	buf := make([]byte, 4096)
	for range 10 {
		before := d.workers(t)
		if len(before) == 0 {
			t.Fatal("no worker")
		}
		for _, pid := range before {
			unix.Kill(pid, unix.SIGKILL)
		}
		if n, err := f.ReadAt(buf, 0); n == 0 {
			t.Fatalf("read of an open file: %v", err)
		}
		if _, err := os.ReadFile(d.dir + "/proc/uptime"); err != nil {
			t.Fatal(err)
		}
	}
}

// What SIGUSR2 switched off stays off in the next worker.
func TestSwitchOutlivesWorker(t *testing.T) {
	d := start(t)
	if err := d.cmd.Process.Signal(unix.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	until(t, "switched off", func() bool { return strings.Contains(d.said(), "non-virtualization") })
	// Everything below sys answers EIO then.
	off := func() bool {
		_, err := os.ReadFile(d.dir + "/sys/devices/system/cpu/online")
		return errors.Is(err, unix.EIO)
	}
	until(t, "off", off)
	for _, pid := range d.workers(t) {
		unix.Kill(pid, unix.SIGKILL)
	}
	if !off() {
		t.Error("the next worker is on")
	}
}

// An upgrade keeps the pid, the pidfile and its lock, and the mount.
func TestUpgrade(t *testing.T) {
	d := start(t)
	for i := range 3 {
		before := d.workers(t)
		if err := d.cmd.Process.Signal(unix.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		until(t, "another worker serves", func() bool {
			now := d.workers(t)
			return len(now) == 1 && !slices.Equal(now, before)
		})
		if _, err := os.ReadFile(d.dir + "/proc/stat"); err != nil {
			t.Fatal(err)
		}
		until(t, "the keeper is the new program, too", func() bool {
			return strings.Count(d.said(), "keeper is the new program") > i
		})
	}
	out, err := exec.Command(build(t), "--pidfile", d.pid, t.TempDir()).CombinedOutput()
	if want := fmt.Sprintf("is already locked by process %d", d.cmd.Process.Pid); err == nil || !strings.Contains(string(out), want) {
		t.Errorf("second instance after an upgrade: %v, %q, want %q", err, out, want)
	}
	if err := d.cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := d.end(t); err != nil {
		t.Errorf("ended with %v, want status 0: %s", err, d.said())
	}
	if _, err := os.Stat(d.pid); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("pidfile: %v, want it gone", err)
	}
}

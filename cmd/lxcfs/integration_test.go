//go:build integration

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// limit bounds every wait; what is waited for takes milliseconds.
const limit = 10 * time.Second

var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "lxcfs-cmd-")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", dir+"/lxcfs", ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return dir + "/lxcfs", os.Chmod(dir, 0o755)
})

// build returns the daemon's path. It fails where the real thing cannot be tested: a skipped test would look like a passed one.
func build(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("needs root")
	}
	if err := unix.Access("/dev/fuse", unix.R_OK|unix.W_OK); err != nil {
		t.Fatalf("needs /dev/fuse: %v", err)
	}
	p, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// running is one running lxcfs.
type running struct {
	cmd    *exec.Cmd
	dir    string
	pid    string // of the pidfile
	exited chan error

	mu  sync.Mutex
	log bytes.Buffer
}

func (d *running) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(p)
}

func (d *running) said() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

// start runs lxcfs on a new directory until it serves, and takes it down when the test ends.
func start(t *testing.T, flags ...string) *running {
	t.Helper()
	return startAs(t, []string{build(t)}, "", flags...)
}

// startIn is start with that directory below the mount point's parent as the working directory, and the mount point
// given from there.
func startIn(t *testing.T, cwd string, flags ...string) *running {
	t.Helper()
	return startAs(t, []string{build(t)}, cwd, flags...)
}

// startCopy starts a program that the test may replace.
func startCopy(t *testing.T, flags ...string) *running {
	t.Helper()
	return startAs(t, []string{copied(t)}, "", flags...)
}

// startAs runs command, whose last word is lxcfs or becomes it, where startIn has it; "" gives the mount point absolutely.
func startAs(t *testing.T, command []string, cwd string, flags ...string) *running {
	t.Helper()
	d := &running{dir: filepath.Join(t.TempDir(), "mnt"), pid: filepath.Join(t.TempDir(), "lxcfs.pid"), exited: make(chan error, 1)}
	if err := os.Mkdir(d.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	point := d.dir
	if cwd != "" {
		point = filepath.Join("..", filepath.Base(d.dir))
	}
	d.cmd = exec.Command(command[0], slices.Concat(command[1:], flags, []string{"--pidfile", d.pid, point})...)
	if cwd != "" {
		d.cmd.Dir = filepath.Join(filepath.Dir(d.dir), cwd)
	}
	d.cmd.Stdout, d.cmd.Stderr = d, d
	d.cmd.WaitDelay = time.Second // a worker that outlives its keeper holds the pipe
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { d.exited <- d.cmd.Wait() }()
	t.Cleanup(func() {
		d.cmd.Process.Signal(unix.SIGTERM)
		select {
		case <-d.exited:
		case <-time.After(limit):
			t.Errorf("SIGTERM does not end the daemon: %s", d.said())
			d.cmd.Process.Kill()
		}
		if mounted(t, d.dir) {
			unix.Unmount(d.dir, unix.MNT_DETACH)
		}
	})
	until(t, "the mount answers", func() bool {
		_, err := os.ReadFile(d.dir + "/proc/meminfo")
		return err == nil
	})
	return d
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%v passed, and still not: %s", limit, what)
		}
	}
}

func mounted(t *testing.T, dir string) bool {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(text), " "+dir+" fuse.lxcfs ")
}

func (d *running) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-d.exited:
		d.exited <- err
		return err
	case <-time.After(limit):
		t.Fatal("the daemon does not end")
		return nil
	}
}

// A shell that stands in the mount point leaves $PWD there, where nobody answers before the worker serves.
func TestWorkingDirectoryIsMountPoint(t *testing.T) { startIn(t, "mnt") }

func TestSignalsUnmount(t *testing.T) {
	for _, s := range []syscall.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP} {
		t.Run(s.String(), func(t *testing.T) {
			d := start(t)
			if !mounted(t, d.dir) {
				t.Fatal("not mounted as fuse.lxcfs")
			}
			if got, err := os.ReadFile(d.pid); err != nil || string(got) != fmt.Sprintf("%d\n", d.cmd.Process.Pid) {
				t.Errorf("pidfile = %q, %v, want %d", got, err, d.cmd.Process.Pid)
			}
			if err := d.cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			if err := d.end(t); err != nil {
				t.Errorf("ended with %v, want status 0", err)
			}
			if mounted(t, d.dir) {
				t.Error("still mounted")
			}
			if _, err := os.Stat(d.pid); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("pidfile: %v, want it gone", err)
			}
		})
	}
}

// LXCFS removes the first instance's pidfile when a second one fails on it: behaviour 4.3 and 7, item 19.
func TestSecondInstanceLeavesPidfile(t *testing.T) {
	d := start(t)
	before, err := os.ReadFile(d.pid)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(build(t), "--pidfile", d.pid, t.TempDir()).CombinedOutput()
	if want := fmt.Sprintf("is already locked by process %d", d.cmd.Process.Pid); err == nil || !strings.Contains(string(out), want) {
		t.Errorf("second instance: %v, %q, want a failure that says %q", err, out, want)
	}
	if after, err := os.ReadFile(d.pid); err != nil || !bytes.Equal(before, after) {
		t.Errorf("pidfile = %q, %v after it, want %q", after, err, before)
	}
	if _, err := os.ReadFile(d.dir + "/proc/uptime"); err != nil {
		t.Errorf("the first instance: %v", err)
	}
}

func TestSIGUSR2TogglesAndListingsGoOn(t *testing.T) {
	d := start(t)
	for _, message := range []string{"Switched into non-virtualization mode\n", "Switched into virtualization mode\n"} {
		if err := d.cmd.Process.Signal(unix.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		until(t, message, func() bool { return strings.Contains(d.said(), message) })
		if names, err := os.ReadDir(d.dir + "/proc"); err != nil || len(names) < 9 {
			t.Errorf("after %q: %d names in proc, %v", message, len(names), err)
		}
		if _, err := os.ReadFile(d.dir + "/proc/meminfo"); err != nil {
			t.Errorf("after %q: %v", message, err)
		}
	}
}

// A file that is open, as one that is bound over a container's, goes on working.
func TestSIGUSR1KeepsTheMount(t *testing.T) {
	d := start(t)
	f, err := os.Open(d.dir + "/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	buf := make([]byte, 100)
	for range 5 {
		if err := d.cmd.Process.Signal(unix.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if n, err := f.ReadAt(buf, 0); n == 0 {
				t.Fatalf("read after SIGUSR1: %v", err)
			}
		}
	}
	select {
	case err := <-d.exited:
		t.Fatalf("the daemon ended: %v, %s", err, d.said())
	default:
	}
}

func TestBadMountPoints(t *testing.T) {
	lxcfs := build(t)
	dir := t.TempDir()
	for _, name := range []string{"full/x", "empty"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(dir+"/file", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	taken := start(t).dir
	nobody := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	elsewhere := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	noDev := `mount --make-rprivate / && mount -t tmpfs none /dev && exec "$0" "$@"`

	for _, tt := range []struct {
		name, reason string
		args         []string
		attr         *syscall.SysProcAttr
		want         string
	}{
		{"missing", "a typing error", []string{lxcfs, dir + "/nowhere"}, nil, "does not exist: make it first"},
		{"file", "mount(2) would say ENOTDIR", []string{lxcfs, dir + "/file"}, nil, "is not a directory"},
		{"full", "a mount would hide what is there", []string{lxcfs, dir + "/full"}, nil, "is not empty"},
		{"taken", "containers hold what is mounted there", []string{lxcfs, taken}, nil, "already mounted"},
		{"nobody", "mount(2) needs CAP_SYS_ADMIN", []string{lxcfs, dir + "/empty"}, nobody, "not root"},
		{"no device", "a container without the device", []string{"/bin/sh", "-c", noDev, lxcfs, dir + "/empty"}, elsewhere, "/dev/fuse"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pid := filepath.Join(t.TempDir(), "pid")
			cmd := exec.Command(tt.args[0], append(tt.args[1:], "--pidfile", pid)...)
			cmd.SysProcAttr = tt.attr
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), tt.want) || strings.Count(string(out), "\n") != 1 {
				t.Errorf("%s: %v, %q, want one line with %q and a status that is not 0", tt.reason, err, out, tt.want)
			}
			if _, err := os.Stat(pid); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("pidfile: %v, want none", err)
			}
		})
	}
	if mounted(t, dir+"/empty") {
		t.Error("left mounted")
	}
}

// LXCFS that was killed leaves a mount that answers ENOTCONN; the next one takes it away and mounts.
func TestMountsOverDeadMount(t *testing.T) {
	d := start(t)
	d.kill(t)
	// stat(2) could still be answered from the kernel's cache; open(2) cannot.
	if _, err := os.ReadFile(d.dir + "/proc/uptime"); !errors.Is(err, unix.ENOTCONN) {
		t.Fatalf("read from the dead mount: %v, want ENOTCONN", err)
	}
	next := exec.Command(build(t), "--pidfile", d.pid, d.dir)
	if err := next.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "the mount answers again", func() bool {
		_, err := os.ReadFile(d.dir + "/proc/uptime")
		return err == nil
	})
	if err := next.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := next.Wait(); err != nil {
		t.Errorf("ended with %v, want status 0", err)
	}
	if mounted(t, d.dir) {
		t.Error("still mounted")
	}
}

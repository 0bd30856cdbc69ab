//go:build integration

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// With this variable set the test program becomes the command that its arguments are, on a kernel without memfd_create(2).
const memfdEnv = "TEST_WITHOUT_MEMFD"

func init() {
	if os.Getenv(memfdEnv) == "" {
		return
	}
	os.Unsetenv(memfdEnv)
	err := refuseMemfd()
	if err == nil {
		err = unix.Exec(os.Args[1], os.Args[1:], os.Environ())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// refuseMemfd makes this process, and what it becomes, live on a kernel without memfd_create(2).
func refuseMemfd() error {
	const returnENOSYS = 0x00050000 | uint32(unix.ENOSYS) // SECCOMP_RET_ERRNO
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // seccomp_data.nr
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_MEMFD_CREATE, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: returnENOSYS},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0x7fff0000}, // SECCOMP_RET_ALLOW
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0)
}

// withoutMemfd is a command that runs its arguments so.
func withoutMemfd(t *testing.T) []string {
	t.Helper()
	return []string{"/usr/bin/env", memfdEnv + "=1", os.Args[0]}
}

// Whatever of this a machine refuses, containers are served, and go on when a worker dies.
func TestBadConditions(t *testing.T) {
	lxcfs := build(t)
	for _, tt := range []struct {
		name, reason string
		command      []string
		says         string // in the log, with --debug
	}{
		{"no memfd", "a seccomp profile, or Linux before 3.17: a file without a name in /dev/shm", append(withoutMemfd(t), lxcfs), ""},
		{"no mlock", "without CAP_IPC_LOCK, and a limit of 0", []string{"setpriv", "--bounding-set=-ipc_lock,-sys_resource", "--inh-caps=-ipc_lock,-sys_resource",
			"prlimit", "--memlock=0:0", lxcfs}, "state may be swapped out"},
		{"few descriptors", "a shell's ulimit -n: fewer kernel files are kept open", []string{"prlimit", "--nofile=32:32", lxcfs}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := startAs(t, tt.command, "", "--debug")
			var open []*os.File // more files than the daemon may have open
			for range 50 {
				f, err := os.Open(d.dir + "/proc/stat")
				if err != nil {
					t.Fatalf("%s: %v", tt.reason, err)
				}
				defer f.Close()
				open = append(open, f)
			}
			for range 3 {
				for _, pid := range d.workers(t) {
					unix.Kill(pid, unix.SIGKILL)
				}
				for _, f := range open {
					if n, err := f.ReadAt(make([]byte, 100), 0); n == 0 {
						t.Fatalf("%s: read: %v", tt.reason, err)
					}
				}
				files, err := filepath.Glob(d.dir + "/proc/*")
				if err != nil || len(files) < 8 {
					t.Fatalf("%s: %q, %v", tt.reason, files, err)
				}
				for _, file := range files {
					if st, err := os.Stat(file); err != nil || st.IsDir() {
						continue
					}
					if text, err := os.ReadFile(file); err != nil {
						t.Errorf("%s: %s: %q, %v", tt.reason, file, text, err)
					}
				}
			}
			if !strings.Contains(d.said(), tt.says) {
				t.Errorf("the log does not say %q: %s", tt.says, d.said())
			}
		})
	}
}

// Without any memory that outlives a worker there is nothing to keep: it says so, and leaves nothing behind.
func TestNoMemoryToKeep(t *testing.T) {
	lxcfs, dir, pid := build(t), t.TempDir(), filepath.Join(t.TempDir(), "pid")
	readOnly := `mount --make-rprivate / && mount -t tmpfs -o ro none /dev/shm && exec "$0" "$@"`
	args := append([]string{"-c", readOnly}, withoutMemfd(t)...)
	cmd := exec.Command("/bin/sh", append(args, lxcfs, "--pidfile", pid, dir)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if want := "run without a keeper"; err == nil || !strings.Contains(string(out), want) {
		t.Errorf("%v, %q, want a failure that says %q", err, out, want)
	}
	if _, err := os.Stat(pid); err == nil {
		t.Error("the pidfile is left")
	}
	cmd = exec.Command("/bin/sh", append(args, lxcfs, "--no-keeper", "--pidfile", pid, dir)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "without a keeper it serves", func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/root%s/proc/uptime", cmd.Process.Pid, dir))
		return err == nil && len(text) > 0
	})
	cmd.Process.Signal(unix.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

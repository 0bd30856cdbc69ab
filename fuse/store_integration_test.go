//go:build integration

package fuse

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"lxcfs/fuse/conn"

	"golang.org/x/sys/unix"
)

// fakeSystemd takes what a service sends to its notify socket, as PID 1 does.
type fakeSystemd struct {
	t    *testing.T
	fd   int
	name string
	fds  map[string]int // the store
	said []string
}

func newFakeSystemd(t *testing.T) *fakeSystemd {
	t.Helper()
	s := &fakeSystemd{t: t, name: t.TempDir() + "/notify", fds: map[string]int{}}
	var err error
	if s.fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(s.fd, &unix.SockaddrUnix{Name: s.name}); err != nil {
		t.Fatal(err)
	}
	tv := unix.Timeval{Sec: 10}
	unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
	t.Cleanup(func() { unix.Close(s.fd) })
	return s
}

// until takes messages until one that contains what.
func (s *fakeSystemd) until(what string) {
	s.t.Helper()
	b, oob := make([]byte, 4096), make([]byte, 256)
	for {
		n, oobn, _, _, err := unix.Recvmsg(s.fd, b, oob, unix.MSG_CMSG_CLOEXEC)
		if err == unix.EINTR { // the runtime's own signals; not restarted on a socket with a timeout (signal(7))
			continue
		}
		if err != nil {
			s.t.Fatalf("waiting for %s: %v, so far %q", what, err, s.said)
		}
		text := string(b[:n])
		s.said = append(s.said, text)
		var fds []int
		if messages, err := unix.ParseSocketControlMessage(oob[:oobn]); err == nil && len(messages) > 0 {
			fds, _ = unix.ParseUnixRights(&messages[0])
		}
		switch {
		case strings.Contains(text, "FDSTORE=1"):
			_, name, _ := strings.Cut(text, "FDNAME=")
			if len(fds) != 1 || !strings.Contains(text, "FDPOLL=0") {
				s.t.Errorf("stored with %d descriptors: %q", len(fds), text)
			}
			s.fds[name] = fds[0]
		default: // BARRIER=1 among them: closing is the answer
			for _, fd := range fds {
				unix.Close(fd)
			}
		}
		if strings.Contains(text, what) {
			return
		}
	}
}

// start starts the keeper as a service with what is in the store.
func (s *fakeSystemd) start(dir string, log *syncBuffer) *exec.Cmd {
	s.t.Helper()
	script := `exec "$0"`
	var extra []*os.File
	if len(s.fds) > 0 {
		script = `LISTEN_PID=$$ exec "$0"` // the pid stays the same over exec
		for _, name := range []string{"lxcfs-fuse", "lxcfs-state"} {
			dup, err := unix.Dup(s.fds[name])
			if err != nil {
				s.t.Fatal(err)
			}
			extra = append(extra, os.NewFile(uintptr(dup), name))
		}
	}
	cmd := exec.Command("/bin/sh", "-c", script, os.Args[0])
	cmd.Env = append(os.Environ(), "TEST_KEEPER="+dir, "NOTIFY_SOCKET="+s.name,
		fmt.Sprintf("LISTEN_FDS=%d", len(extra)), "LISTEN_FDNAMES=lxcfs-fuse:lxcfs-state")
	cmd.ExtraFiles, cmd.Stderr = extra, log
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for _, f := range extra {
		f.Close()
	}
	return cmd
}

// The keeper dies, its worker lives or not; its successor goes on with what systemd kept, on the same mount.
func TestStoreOutlivesTheKeeper(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("needs root and /dev/fuse")
	}
	s, dir, log := newFakeSystemd(t), t.TempDir(), &syncBuffer{}
	t.Cleanup(func() {
		conn.Unmount(dir)
		if t.Failed() {
			t.Log(log.String())
		}
	})
	cmd := s.start(dir, log)
	s.until("READY=1")
	if len(s.fds) != 2 {
		t.Fatalf("systemd has %v, want the connection and the state", s.fds)
	}
	m := &keptMount{t: t, dir: dir, cmd: cmd, log: log}
	m.eventually("first read", func() bool { b, _ := slurp(dir + "/proc/stat"); return len(b) > 0 })
	id := mountID(t, dir)
	r := m.read(4)
	for range 3 {
		time.Sleep(50 * time.Millisecond)
		cmd.Process.Signal(syscall.SIGKILL) // the worker lives on, and must not serve beside the next
		cmd.Process.Wait()                  // not Wait, which waits for the worker to close the log too
		cmd = s.start(dir, log)
		m.cmd = cmd
		s.until("READY=1")
	}
	r.stop(t)
	if now := mountID(t, dir); now != id {
		t.Errorf("mount %s became %s", id, now)
	}
	if n := strings.Count(log.String(), "ending the worker of a former keeper"); n != 3 {
		t.Errorf("%d workers of former keepers were ended, want 3", n)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	s.until("FDSTOREREMOVE=1")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	for _, fd := range s.fds {
		unix.Close(fd)
	}
}

// mountID returns the id of the mount on dir.
func mountID(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 4 && f[4] == dir {
			return f[0]
		}
	}
	t.Fatalf("%s is not mounted", dir)
	return ""
}

func TestMountPoints(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("needs root and /dev/fuse")
	}
	dir := t.TempDir()
	t.Cleanup(func() { conn.Unmount(dir); conn.Unmount(dir) })
	first, err := conn.Mount(dir, conn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(first, testSource(), Options{})
	go s.Serve()
	if _, err := slurp(dir + "/proc/stat"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Mount(dir, conn.Options{}); err == nil || !strings.Contains(err.Error(), "already mounted") {
		t.Errorf("mount over a live one: %v, want a refusal", err)
	}
	// A connection whose daemon is gone: made by a process that ends.
	dead := exec.Command(os.Args[0])
	deadDir := t.TempDir()
	dead.Env = append(os.Environ(), "TEST_DIE="+deadDir)
	if out, err := dead.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() { conn.Unmount(deadDir) })
	var st unix.Statfs_t
	if err := unix.Statfs(deadDir, &st); err != unix.ENOTCONN {
		t.Fatalf("statfs of the dead mount: %v, want ENOTCONN", err)
	}
	second, err := conn.Mount(deadDir, conn.Options{})
	if err != nil {
		t.Fatalf("mount over our own dead one: %v", err)
	}
	again := newServer(second, testSource(), Options{})
	go again.Serve()
	if b, err := slurp(deadDir + "/proc/stat"); err != nil || len(b) == 0 {
		t.Errorf("read after replacing a dead mount: %q, %v", b, err)
	}
}

// A program arms a trigger through a real mount, and its poll(2) wakes when it fires.
func TestPollThroughTheMount(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("needs root and /dev/fuse")
	}
	dir := t.TempDir()
	cn, err := conn.Mount(dir, conn.Options{Writable: true})
	if err != nil {
		t.Fatal(err)
	}
	p := newPolled(t)
	s := newServer(cn, p.src, Options{PSIPoll: true})
	go s.Serve()
	t.Cleanup(func() { s.Unmount() })
	fd, err := unix.Open(dir+"/proc/pressure/cpu", unix.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte("some 1 2")); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(fd, []byte("some 1 2")); err != unix.EBUSY {
		t.Errorf("second trigger: %v, want EBUSY", err)
	}
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}
	if n, err := wait(poll, 50); n != 0 || err != nil {
		t.Errorf("poll before the event: %d, %v, %#x", n, err, poll[0].Revents)
	}
	time.AfterFunc(50*time.Millisecond, p.fire)
	if n, err := wait(poll, 5000); n != 1 || err != nil || poll[0].Revents != unix.POLLPRI {
		t.Errorf("poll at the event: %d, %v, %#x, want POLLPRI alone", n, err, poll[0].Revents)
	}
	stat, err := unix.Open(dir+"/proc/stat", unix.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(stat)
	if _, err := unix.Write(stat, []byte("x")); err != unix.EINVAL {
		t.Errorf("write to stat: %v, want EINVAL", err)
	}
}

// wait is poll(2), which the runtime's own signals interrupt.
func wait(poll []unix.PollFd, ms int) (n int, err error) {
	for {
		if n, err = unix.Poll(poll, ms); err != unix.EINTR {
			return n, err
		}
	}
}

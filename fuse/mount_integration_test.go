//go:build integration

package fuse

import (
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"lxcfs/fuse/conn"
)

func mountTest(t *testing.T, src source) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("needs root and /dev/fuse")
	}
	dir := t.TempDir()
	cn, err := conn.Mount(dir, conn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(cn, src, Options{})
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	t.Cleanup(func() {
		if err := s.Unmount(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		s.Close()
	})
	return dir
}

func TestMountServesFiles(t *testing.T) {
	dir := mountTest(t, testSource())
	for path, want := range map[string]string{
		"/proc/meminfo":                          "MemTotal: 1 kB\n",
		"/sys/devices/system/cpu/online":         "0-1\n",
		"/sys/devices/system/cpu/cpu1/cache/lvl": "1\n",
	} {
		got, err := slurp(dir + path)
		if err != nil || string(got) != want {
			t.Errorf("ReadFile(%s) = %q, %v, want %q", path, got, err, want)
		}
	}
	if names := listing(t, dir+"/sys/devices/system/cpu"); !slices.Equal(names, []string{"online", "cpu0", "cpu1"}) {
		t.Errorf("listing of cpu = %q", names)
	}
	var st unix.Stat_t
	if err := unix.Stat(dir+"/proc/nothing", &st); err != unix.ENOENT {
		t.Errorf("Stat(nothing) = %v, want ENOENT", err)
	}
}

// slurp reads a file to its end. It uses plain system calls: an os.File of the process that serves it would be put in the
// runtime's epoll, which asks us with the epoll instance locked that our reader waits in.
func slurp(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var all []byte
	for b := make([]byte, 4096); ; {
		n, err := unix.Read(fd, b)
		if n <= 0 || err != nil {
			return all, err
		}
		all = append(all, b[:n]...)
	}
}

func listing(t *testing.T, path string) []string {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var names []string
	for b := make([]byte, 4096); ; {
		n, err := unix.Getdents(fd, b)
		if err != nil {
			t.Fatal(err)
		}
		if n <= 0 {
			return names
		}
		_, _, names = unix.ParseDirent(b[:n], -1, names)
	}
}

package kernelfs

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"
)

func TestKeptFileIsReadAnew(t *testing.T) {
	k := machine(t)
	name := filepath.Join(t.TempDir(), "memory.current")
	f := k.File(name)
	s := k.Snapshot()
	longest := 0
	for _, text := range []string{"1\n", strings.Repeat("two ", 5000), "", "three\n"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		s.Reset()
		got, err := s.Read(f)
		if string(got) != text || err != nil {
			t.Errorf("read %d bytes, %v, want %d as written now", len(got), err, len(text))
		}
		longest = max(longest, len(text))
		if n := f.size.Load(); int(n) != longest {
			t.Errorf("room is made for %d bytes after %d, want %d as ever had", n, len(text), longest)
		}
	}
	if len(k.open.files) != 1 {
		t.Errorf("%d files open, want the one", len(k.open.files))
	}
	f.Close()
	if len(k.open.files) != 0 || f.fd >= 0 {
		t.Errorf("%d files open after Close, descriptor %d", len(k.open.files), f.fd)
	}
	s.Reset()
	if got, err := s.Read(f); string(got) != "three\n" || err != nil {
		t.Errorf("after Close: %q, %v, want it opened again", got, err)
	}
}

func TestKeptFileOfManyRecords(t *testing.T) {
	k := machine(t)
	name := filepath.Join(t.TempDir(), "cgroup.procs")
	f := k.File(name)
	text := strings.Repeat("123456\n", 3000)
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	dst, err := f.appendTo([]byte("before:"))
	if err != nil || string(dst) != "before:"+text {
		t.Errorf("appendTo gives %d bytes, %v, want %d behind what was there", len(dst), err, len(text)+7)
	}
}

func TestKeptFileErrors(t *testing.T) {
	k := machine(t)
	s := k.Snapshot()
	name := filepath.Join(t.TempDir(), "memory.max")
	f := k.File(name)
	if got, err := s.Read(f); !Missing(err) || len(got) != 0 {
		t.Errorf("no such file: %q, %v, want it missing", got, err)
	}
	s.Reset()
	if err := os.WriteFile(name, []byte("5\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Read(f); string(got) != "5\n" || err != nil {
		t.Errorf("made later: %q, %v", got, err)
	}
	if _, err := s.Read(k.File(t.TempDir())); !errors.Is(err, syscall.EISDIR) || Missing(err) {
		t.Errorf("a directory: %v, want EISDIR", err)
	}
	if dst, err := k.File("/nowhere").appendTo([]byte("kept")); string(dst) != "kept" || err == nil {
		t.Errorf("appendTo after an error = %q, %v, want what was there", dst, err)
	}
}

// deadStat returns a descriptor of /proc/PID/stat whose process has ended: it answers ESRCH.
func deadStat(t *testing.T) int {
	t.Helper()
	cmd, stop := start(t, 0)
	fd, err := unix.Open("/proc/"+strconv.Itoa(cmd)+"/stat", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	stop()
	return fd
}

func TestKeptFileOfTheDead(t *testing.T) {
	k := machine(t)
	name := filepath.Join(t.TempDir(), "memory.max")
	if err := os.WriteFile(name, []byte("made again\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	f := k.File(name)
	f.fd = deadStat(t)
	k.open.add(f)
	if got, err := k.Snapshot().Read(f); string(got) != "made again\n" || err != nil {
		t.Errorf("Read = %q, %v, want it opened anew under its name", got, err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	f.Close()
	f.fd = deadStat(t)
	k.open.add(f)
	if _, err := k.Snapshot().Read(f); !Missing(err) {
		t.Errorf("Read = %v when the name has gone too, want it missing", err)
	}
	if len(k.open.files) != 0 {
		t.Errorf("%d files open, want the descriptor given back", len(k.open.files))
	}
}

func TestOpenFilesAreBounded(t *testing.T) {
	k := machine(t)
	dir := t.TempDir()
	var files []*File
	for i := range 200 {
		name := filepath.Join(dir, strconv.Itoa(i))
		if err := os.WriteFile(name, []byte(strconv.Itoa(i)), 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, k.File(name))
	}
	open := func() (n int) {
		for _, f := range files {
			f.mu.Lock()
			if f.fd >= 0 {
				n++
			}
			f.mu.Unlock()
		}
		return n
	}
	synctest.Test(t, func(t *testing.T) { // evicted files are closed by goroutines
		s := k.Snapshot()
		for i, f := range files {
			s.Reset()
			s.Read(files[0]) // the one always in use
			if got, err := s.Read(f); string(got) != strconv.Itoa(i) || err != nil {
				t.Errorf("file %d reads %q, %v", i, got, err)
			}
			synctest.Wait()
			if n := open(); n > 64 {
				t.Fatalf("%d files open after reading %d, want at most 64", n, i+1)
			}
		}
		if n := open(); n != 64 {
			t.Errorf("%d files open, want 64", n)
		}
		if files[0].fd < 0 {
			t.Error("the file read all the time was closed in favour of those read once")
		}
	})
	for _, f := range files {
		f.Close()
	}
	if n := open(); n != 0 || len(k.open.files) != 0 {
		t.Errorf("%d files open after closing all, %d remembered", n, len(k.open.files))
	}
}

func TestManyReadersFewDescriptors(t *testing.T) {
	k := machine(t)
	k.open.max = 2
	dir := t.TempDir()
	var files []*File
	for i := range 6 {
		name := filepath.Join(dir, strconv.Itoa(i))
		if err := os.WriteFile(name, bytes.Repeat([]byte{byte('a' + i)}, 100*(i+1)), 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, k.File(name))
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			s := k.Snapshot()
			for n := range 300 {
				i := (n*(g+1) + g) % len(files)
				s.Reset()
				got, err := s.Read(files[i])
				if err != nil || len(got) != 100*(i+1) || got[0] != byte('a'+i) || got[len(got)-1] != byte('a'+i) {
					t.Errorf("file %d reads %q, %v", i, got, err)
					return
				}
				if n%50 == g {
					files[i].Close()
				}
			}
		})
	}
	wg.Wait()
}

// TestKeptFileIsReadAgainAtItsStart: a file that did not fit is read once more from its start. Numbers below
// /proc/sys are given at offset 0 alone: who goes on from where the buffer ended is given nothing.
func TestKeptFileIsReadAgainAtItsStart(t *testing.T) {
	const name = "/proc/sys/fs/file-max"
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f := machine(t).File(name)
	f.size.Store(-60) // the buffer of 4 bytes is not grown before
	got, err := f.appendTo(make([]byte, 0, 4))
	if string(got) != string(want) || err != nil {
		t.Errorf("read %q, %v, want %q", got, err, want)
	}
}

// TestKeptFileIsNotTorn reads a line that changes its length through one descriptor from two sides. A
// second pread, for what did not fit, may see another rendering than the first.
func TestKeptFileIsNotTorn(t *testing.T) {
	k := machine(t)
	const comm = "/proc/self/comm"
	old, err := os.ReadFile(comm)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.WriteFile(comm, old, 0o644) })
	f := k.File("/proc/self/status")
	read := func(dst []byte) {
		f.size.Store(0) // as if never read: the buffer is too small
		got, err := f.appendTo(dst)
		if err != nil || !bytes.HasPrefix(got, []byte("Name:\t")) {
			t.Errorf("status begins %.20q, %v", got, err)
			return
		}
		_, rest, _ := bytes.Cut(got, []byte("\nNSpid:"))
		if _, rest, _ = bytes.Cut(rest, []byte("\nNSsid:")); len(rest) == 0 {
			t.Errorf("status is torn: %.1000q", got)
		}
		for line := range bytes.Lines(got) {
			if key, _, ok := bytes.Cut(line, []byte(":")); !ok || len(key) > 30 || bytes.ContainsAny(key, " \t") {
				t.Errorf("status has the line %q", line)
			}
		}
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for range 2000 {
				read(make([]byte, 0, 600))
			}
		})
	}
	for i := range 4000 {
		name := []string{"a", "a-long-name-15c"}[i%2]
		if err := os.WriteFile(comm, []byte(name), 0o644); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

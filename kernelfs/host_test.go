package kernelfs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"golang.org/x/tools/txtar"
)

func (h *host) close() {
	h.cpus.Close()
	for i := range h.callers.slots {
		h.callers.forget(&h.callers.slots[i])
	}
	for _, fd := range []int{h.proc, h.deaths.epoll, h.callers.ended.epoll} {
		unix.Close(fd)
	}
}

// machine returns this machine's own files.
func machine(t testing.TB) *FS {
	t.Helper()
	k, err := Host(1024)
	if err != nil {
		t.Fatal(err)
	}
	k.open.max = 64
	t.Cleanup(func() {
		k.host.close()
		for _, f := range k.open.files {
			f.shut()
		}
	})
	return k
}

// dig lays archive's cgroup files into a directory of the machine, and returns its cgroup at p as a
// hierarchy of the version has it.
func dig(t testing.TB, k *FS, version int, mount, archive, p string) *Cgroup {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		rest, ok := strings.CutPrefix("/"+f.Name, mount)
		if !ok {
			continue
		}
		name := filepath.Join(dir, rest)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h := &Hierarchy{Version: version, Mount: dir, Root: "/", unlimited: version == 2, controllers: v2{}, fs: k, groups: map[string]*Cgroup{}}
	if version == 1 {
		h.controllers = &v1{}
	}
	cg := h.Cgroup(p)
	t.Cleanup(cg.Release)
	return cg
}

func TestHostBounds(t *testing.T) {
	for _, tc := range []struct{ asked, want int }{{0, 64}, {63, 64}, {65, 65}, {-1, 64}} {
		k, err := Host(tc.asked)
		if err != nil {
			t.Fatal(err)
		}
		if k.open.max != tc.want {
			t.Errorf("Host(%d) keeps %d files, want %d", tc.asked, k.open.max, tc.want)
		}
		k.host.close()
	}
}

func TestHostOwnNamespace(t *testing.T) {
	k := machine(t)
	link, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := parseNamespace([]byte(link)); k.OwnNamespace() != want {
		t.Errorf("OwnNamespace() = %d, want that of %s", k.OwnNamespace(), link)
	}
	if got, err := k.Snapshot().Namespace(os.Getpid()); got != k.OwnNamespace() || err != nil {
		t.Errorf("Namespace(self) = %d, %v, want %d", got, err, k.OwnNamespace())
	}
}

func TestHostValuesFromKeptFiles(t *testing.T) {
	k := machine(t)
	cg := dig(t, k, 2, "/sys/fs/cgroup", v2Everything, "/a/b")
	s := k.Snapshot()
	var v values
	v.read(t, s, cg)
	m, _ := cg.MemoryLimit(s)
	got := fmt.Sprint(m.Limit, m.Usage, v.time.User, v.time.System, v.set, v.devices)
	want := "800000 700000 70µs 29µs 0,2 [{{8 0} {1 3 0 0s} {2 4 0 0s} {5 6 0 0s} 0s}]"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got)\n%s", diff)
	}
}

func TestHostFiles(t *testing.T) {
	k := machine(t)
	s := k.Snapshot()
	now, err := s.Now()
	if err != nil || now <= 0 {
		t.Errorf("Now() = %v, %v", now, err)
	}
	online, err := s.Online(nil)
	if err != nil || online.Count() < 1 {
		t.Errorf("Online() = %v, %v, want a CPU", online, err)
	}
	for _, f := range []*HostFile{k.Meminfo, k.CPUInfo, k.Stat, k.Diskstats} {
		got, err := f.Shared(s)
		direct, err2 := os.ReadFile(f.Path())
		if err != nil || err2 != nil || !bytes.Equal(firstWord(got), firstWord(direct)) {
			t.Errorf("%s begins %q, %v, want %q, %v", f.Path(), firstWord(got), err, firstWord(direct), err2)
		}
		if n := bytes.Count(got, []byte{'\n'}); n != bytes.Count(direct, []byte{'\n'}) {
			t.Errorf("%s has %d lines, want %d", f.Path(), n, bytes.Count(direct, []byte{'\n'}))
		}
	}
}

func firstWord(b []byte) []byte { w, _ := Field(b); return w }

func TestGrowFDTable(t *testing.T) {
	size := func() (n int) {
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := bytes.Cut(status, []byte("FDSize:\t"))
		v, _, _ := ParseUint(rest)
		return int(v)
	}
	want := size() + 64
	GrowFDTable(want)
	if got := size(); got < want {
		t.Errorf("room for %d descriptors, want %d", got, want)
	}
	want = size() + 1
	GrowFDTable(want)
	if got := size(); got < want {
		t.Errorf("room for %d descriptors, want one more than before", got)
	}
	GrowFDTable(-5)
	GrowFDTable(1 << 30) // beyond the limit: nothing to be done
}

// TestSlowFileBecomesPatient: after a pass that took more than 2 ms its files are read with the processor
// given up, for a while. Time stands still but where the test lets it pass.
func TestSlowFileBecomesPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := machine(t).Snapshot()
		first, f := s.FS().Meminfo.File, s.FS().Uptime.File
		pass := func(took time.Duration) int32 {
			t.Helper()
			for _, f := range []*File{first, f} {
				if _, err := s.Read(f); err != nil {
					t.Fatal(err)
				}
				time.Sleep(took / 2)
			}
			s.Reset()
			time.Sleep(time.Second) // between passes: it counts for none
			return f.patience.Load()
		}
		for _, took := range []time.Duration{0, time.Millisecond, 2 * time.Millisecond} {
			if n := pass(took); n != 0 {
				t.Errorf("patience %d after a pass of %v, want 0", n, took)
			}
		}
		if n := pass(2*time.Millisecond + 2); n != 64 || first.patience.Load() != n {
			t.Errorf("patience %d and %d after a slow pass, want 64", n, first.patience.Load())
		}
		for i := range int32(64) {
			if n := pass(0); n != 63-i {
				t.Errorf("patience %d after %d quick passes, want %d", n, i+1, 63-i)
			}
		}
		if n := pass(0); n != 0 {
			t.Errorf("patience %d after many quick passes, want 0", n)
		}
	})
}

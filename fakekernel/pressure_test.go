package fakekernel

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPressureOfAQuota(t *testing.T) {
	k := boot(t, "unified kernel=6.1", "cgroup create /a/b\nlimit cpu /a 1\nspawn p in /a/b\nrun p user=4\ntick 10s")
	for file, want := range map[string]string{
		"/sys/fs/cgroup/a/b/cpu.pressure": "some avg10=47.39 avg60=11.49 avg300=2.52 total=7500000\nfull avg10=47.39 avg60=11.49 avg300=2.52 total=7500000\n",
		"/sys/fs/cgroup/a/b/io.pressure":  "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
	} {
		if got := read(t, k, file); got != want {
			t.Errorf("%s = %q, want %q", file, got, want)
		}
	}
	if got := read(t, k, "/proc/pressure/cpu"); !strings.HasSuffix(got, "\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n") {
		t.Errorf("a host is never wholly stalled on CPU: %q", got)
	}
	old := boot(t, "unified kernel=5.10", "cgroup create /a")
	if got := read(t, old, "/sys/fs/cgroup/a/cpu.pressure"); strings.Contains(got, "full") {
		t.Errorf("before 5.13: %q", got)
	}
}

func TestBlockedTasksStallOnIO(t *testing.T) {
	k := boot(t, "unified", "spawn p in /a\nrun p state=D\ntick 2s")
	if got := read(t, k, "/sys/fs/cgroup/a/io.pressure"); !strings.Contains(got, "total=2000000\nfull") || !strings.HasSuffix(got, "total=2000000\n") {
		t.Errorf("io.pressure %q", got)
	}
	if got := read(t, k, "/sys/fs/cgroup/a/cpu.pressure"); strings.Count(got, "total=0\n") != 2 {
		t.Errorf("cpu.pressure of who wants no CPU %q", got)
	}
}

// TestPressureWithoutQuota: one of two processes on one CPU waits at any time, and never do both.
func TestPressureWithoutQuota(t *testing.T) {
	k := boot(t, "unified cpus=1", "spawn p in /a\nspawn q in /a\nspawn d in /b\nrun p user=1\nrun q user=1\nrun d state=D")
	totals := func(file string) (n [2]int64) {
		for i, line := range strings.SplitN(strings.TrimSpace(read(t, k, file)), "\n", 2) {
			_, total, _ := strings.Cut(line, " total=")
			n[i] = number1(t, total)
		}
		return n
	}
	want := map[string][2]int64{ // how they grow: some, full
		"/sys/fs/cgroup/a/cpu.pressure": {5e6, 0},
		"/sys/fs/cgroup/a/io.pressure":  {0, 0},
		"/sys/fs/cgroup/b/io.pressure":  {10e6, 10e6},
		"/proc/pressure/cpu":            {5e6, 0},
		"/proc/pressure/io":             {10e6, 0},
	}
	got := map[string][2]int64{}
	for file := range want {
		got[file] = totals(file)
	}
	do(t, k, "tick 10s")
	for file, was := range got {
		n := totals(file)
		got[file] = [2]int64{n[0] - was[0], n[1] - was[1]}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stalls in us (-want +got)\n%s", diff)
	}
}

func TestTriggers(t *testing.T) {
	k := boot(t, "unified", "cgroup create /a/b")
	open := func() *file {
		f, err := k.OpenFile("/sys/fs/cgroup/a/memory.pressure", os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		return f.(*file)
	}
	for text, want := range map[string]error{
		"some 150000 1000000\x00": nil, "full 1 500000": nil, "some 10000000 10000000\n": nil,
		"some 150000 499999": syscall.EINVAL, "some 1 10000001": syscall.EINVAL, "some 600000 500000": syscall.EINVAL,
		"some 0 1000000": syscall.EINVAL, "any 1 1000000": syscall.EINVAL, "some": syscall.EINVAL, "": syscall.EINVAL, "some -1 1000000": syscall.EINVAL,
	} {
		f := open()
		if _, err := f.WriteString(text); !errors.Is(err, want) {
			t.Errorf("write(%q) = %v, want %v", text, err, want)
		}
		f.Close()
	}
	f := open()
	if f.Fired() != nil {
		t.Error("a file without a trigger can fire")
	}
	if _, err := f.WriteString("some 150000 1000000"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("some 150000 1000000"); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("a second trigger on one file: %v, want EBUSY", err)
	}
	fired := func() bool {
		select {
		case <-f.Fired():
			return true
		default:
			return false
		}
	}
	for _, c := range []struct {
		verb string
		want bool
	}{
		{"stall /a memory some=100ms", false},
		{"stall /a/b memory some=60ms", true}, // below counts too, within the window
		{"stall /a memory some=500ms", false}, // once per window
		{"tick 2s", false},
		{"stall /a memory some=150ms", true},
		{"stall /a cpu some=900ms", false},
	} {
		do(t, k, c.verb)
		if got := fired(); got != c.want {
			t.Errorf("%s: fired %v, want %v", c.verb, got, c.want)
		}
	}
	f.Close()
	if n := len(k.m.with("memory").root.children["a"].psi[psiMemory].triggers); n != 0 {
		t.Errorf("%d triggers left after close", n)
	}
	if _, err := k.OpenFile("/sys/fs/cgroup/a/memory.max", os.O_WRONLY, 0); !errors.Is(err, syscall.EACCES) {
		t.Errorf("a limit is written by a verb, not through a file: %v", err)
	}
}

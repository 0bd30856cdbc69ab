package kernelfs

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/afero"
)

func TestSnapshotIsOnePass(t *testing.T) {
	tr := plant(t, "-- proc/meminfo --\none\n-- proc/1/ns/pid -> pid:[1] --\n-- proc/2/stat ! ESRCH --\n")
	k := New(tr)
	s := k.Snapshot()
	f := k.File("/proc/meminfo")
	read := func() []string {
		var got []string
		kept, err := s.Read(f)
		got = append(got, string(kept), errText(err))
		byPath, err := s.ReadPath("/proc/meminfo")
		got = append(got, string(byPath), errText(err))
		link, err := s.Link("/proc/1/ns/pid")
		got = append(got, link, errText(err))
		_, err = s.ReadPath("/proc/2/stat")
		return append(got, errText(err))
	}
	first := read()
	tr.write(t, "/proc/meminfo", "two\n")
	tr.links["/proc/1/ns/pid"] = "pid:[2]"
	delete(tr.fails, "/proc/2/stat")
	if diff := cmp.Diff(first, read()); diff != "" {
		t.Errorf("a second look in the same pass differs (-first +second)\n%s", diff)
	}
	s.Reset()
	want := []string{"two\n", "", "two\n", "", "pid:[2]", "", ""}
	if diff := cmp.Diff(want, read()); diff != "" {
		t.Errorf("the next pass (-want +got)\n%s", diff)
	}
	if s.FS() != k {
		t.Error("FS() is another's")
	}
}

func TestSnapshotRemembersFailure(t *testing.T) {
	tr := plant(t, "-- proc/meminfo ! EIO --\n-- proc/1/ns/pid ! ESRCH --\n")
	k := New(tr)
	s := k.Snapshot()
	if _, err := s.Read(k.Meminfo.File); errText(err) != "read /proc/meminfo: input/output error" {
		t.Errorf("Read: %v", err)
	}
	if _, err := s.Link("/proc/1/ns/pid"); !Missing(err) {
		t.Errorf("Link: %v, want it missing", err)
	}
	clear(tr.fails)
	if got, err := k.Meminfo.Shared(s); err == nil {
		t.Errorf("Shared = %q after Read failed in the same pass", got)
	}
	if got, err := s.Link("/proc/1/ns/pid"); err == nil {
		t.Errorf("Link = %q after it failed in the same pass", got)
	}
}

func TestReadings(t *testing.T) {
	k := New(plant(t, `
-- proc/meminfo --
M
-- proc/stat --
S
-- proc/1/ns/pid -> pid:[7] --
-- proc/1/status --
x
-- proc/2/status ! EIO --
-- sys/devices/system/cpu/online --
0
`))
	s := k.Snapshot()
	s.Read(k.Meminfo.File)
	k.Stat.Shared(s)
	s.ReadPath("/proc/2/status")
	s.Link("/proc/1/ns/pid")
	s.Dir("/proc/1")
	s.Dir("/proc/1")
	s.Read(k.Meminfo.File)
	var got []string
	for _, r := range s.Readings() {
		got = append(got, strings.Join([]string{string('0' + byte(r.Kind)), r.Path, string(r.Data), errText(r.Err)}, " "))
	}
	want := []string{
		"0 /proc/meminfo M\n ",
		"0 /proc/stat S\n ",
		"0 /proc/2/status  read /proc/2/status: input/output error",
		"1 /proc/1/ns/pid pid:[7] ",
		"2 /proc/1 status\n ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what was read (-want +got)\n%s", diff)
	}
	s.Reset()
	if n := len(s.Readings()); n != 0 {
		t.Errorf("%d readings after Reset", n)
	}
}

func TestSnapshotForgetsBigHosts(t *testing.T) {
	tr := plant(t, "-- proc/meminfo --\nsmall\n")
	tr.write(t, "/proc/cpuinfo", strings.Repeat("processor\t: 0\n", 1<<16))
	k := New(tr)
	s := k.Snapshot()
	s.Read(k.Meminfo.File)
	small := cap(s.arena)
	s.Reset()
	if cap(s.arena) != small {
		t.Errorf("Reset keeps %d bytes of a small pass, want all %d", cap(s.arena), small)
	}
	s.Read(k.CPUInfo.File)
	s.Reset()
	if cap(s.arena) > 1<<18 {
		t.Errorf("Reset keeps %d bytes of a big pass", cap(s.arena))
	}
}

func TestReadsDoNotOverlap(t *testing.T) {
	k := New(plant(t, "-- a --\nfirst\n-- b --\nsecond\n"))
	s := k.Snapshot()
	a, _ := s.Read(k.File("/a"))
	b, _ := s.Read(k.File("/b"))
	if _ = append(a, "overwritten"...); string(b) != "second\n" {
		t.Errorf("appending to one file's bytes makes the next %q", b)
	}
}

func TestHostFileShared(t *testing.T) {
	tr := plant(t, "-- proc/stat --\nold\n-- proc/uptime --\n1.00 1.00\n")
	k := New(tr)
	k.Stat.ttl = time.Hour
	read := func(f *HostFile) string {
		t.Helper()
		got, err := f.Shared(k.Snapshot())
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	first := read(k.Stat) + read(k.Uptime)
	tr.write(t, "/proc/stat", "new\n")
	tr.write(t, "/proc/uptime", "2.00 2.00\n")
	if got := first + read(k.Stat) + read(k.Uptime); got != "old\n1.00 1.00\nold\n2.00 2.00\n" {
		t.Errorf("read %q: want the text shared where it may be old, and the time never", got)
	}
	if tr.opens["/proc/stat"] != 1 {
		t.Errorf("/proc/stat was opened %d times, want once", tr.opens["/proc/stat"])
	}
	k.Stat.text.Load().at = time.Now().Add(-2 * time.Hour)
	if got := read(k.Stat); got != "new\n" {
		t.Errorf("read %q when its time was over, want it anew", got)
	}
	tr.fails["/proc/stat"] = syscall.EIO
	k.Stat.text.Load().at = time.Now().Add(-2 * time.Hour)
	s := k.Snapshot()
	if got, err := k.Stat.Shared(s); err == nil {
		t.Errorf("Shared = %q, want the error: old text is not served for ever", got)
	}
	clear(tr.fails)
	if got, err := k.Stat.Shared(s); err == nil {
		t.Errorf("Shared = %q after it failed in the same pass", got)
	}
	if n := len(s.Readings()); n != 1 {
		t.Errorf("%d readings, want the failure remembered", n)
	}
}

func TestHostFileTTL(t *testing.T) {
	k := New(afero.NewMemMapFs())
	k.init(100 * time.Millisecond)
	got := map[string]time.Duration{}
	for _, f := range []*HostFile{k.Meminfo, k.Stat, k.Diskstats, k.OnlineCPUs, k.CPUInfo, k.Uptime} {
		got[f.Path()] = f.ttl
	}
	want := map[string]time.Duration{
		"/proc/meminfo": 100 * time.Millisecond, "/proc/stat": 100 * time.Millisecond, "/proc/diskstats": 100 * time.Millisecond,
		"/sys/devices/system/cpu/online": 100 * time.Millisecond, "/proc/cpuinfo": time.Second, "/proc/uptime": 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("how old a text may be (-want +got)\n%s", diff)
	}
	for _, f := range []*HostFile{New(afero.NewMemMapFs()).Meminfo, New(afero.NewMemMapFs()).CPUInfo} {
		if f.ttl != 0 {
			t.Errorf("%s of a fake kernel may be %v old, want it read anew: there the clock is a file", f.Path(), f.ttl)
		}
	}
}

func TestFSWithoutLinks(t *testing.T) {
	k := New(afero.NewMemMapFs())
	if _, err := k.Snapshot().Link("/proc/self/ns/pid"); err == nil {
		t.Error("Link on a file system without links gives no error")
	}
}

func TestReadOnly(t *testing.T) {
	k := New(afero.NewMemMapFs())
	if err := afero.WriteFile(k.fs, "/x", nil, 0o644); err == nil {
		t.Error("kernel files can be written")
	}
	if _, err := k.Snapshot().Dir("/nowhere"); !Missing(err) {
		t.Errorf("Dir of nothing: %v, want it missing", err)
	}
	f := k.File("/x")
	f.Close() // never opened
	var none *File
	none.Close()
}

// pattern reports whether path is one of Sources, or below a directory that is.
func pattern(path string) bool {
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	for _, src := range Sources {
		want, have := strings.Split(src.Path, "/"), strings.Split(path, "/")
		match := true
		for i, w := range want {
			if w == "*" {
				break
			}
			if i >= len(have) || have[i] != w && !(w == "PID" && digits(have[i])) {
				match = false
				break
			}
			if i == len(want)-1 && len(have) > len(want) {
				match = false
			}
		}
		if match {
			return true
		}
	}
	return false
}

func TestSourcesNameWhatIsRead(t *testing.T) {
	tr := plant(t, people+v2Everything)
	k := New(tr)
	if err := k.Detect(); err != nil {
		t.Fatal(err)
	}
	s := k.Snapshot()
	readEverything(t, s, "/a/b")
	for path := range tr.opens {
		if !pattern(path) {
			t.Errorf("%s is read, and no Source names it", path)
		}
	}
	if len(tr.opens) < 20 {
		t.Errorf("only %d paths were read", len(tr.opens))
	}
	if pattern("/etc/shadow") || pattern("/proc/meminfo/x") || pattern("/proc/x/stat") {
		t.Error("Sources match what they do not name")
	}
}

func TestWhole(t *testing.T) {
	var got []string
	for _, src := range Sources {
		if path := strings.NewReplacer("PID", "42", "*", "cpu").Replace(src.Path); whole(path) != src.Whole && path != "/proc" && !strings.HasPrefix(path, "/sys/fs") && !strings.HasSuffix(path, "ns/pid") {
			t.Errorf("whole(%s) = %v, Sources say %v", path, whole(path), src.Whole)
		}
	}
	for _, path := range []string{"/proc/cpuinfo", "/proc/diskstats", "/proc/slabinfo", "/proc/swaps", "/proc/self/mountinfo", "/sys/fs/cgroup/x/cgroup.procs", "/sys/fs/cgroup/x/cgroup.threads", "/sys/fs/cgroup/x/tasks", "/sys/fs/cgroup/x/memory.kmem.slabinfo", "/sys/fs/cgroup/x/memory.stat", "/proc/stat"} {
		if !whole(path) {
			got = append(got, path)
		}
	}
	want := []string{"/proc/cpuinfo", "/proc/diskstats", "/proc/slabinfo", "/proc/swaps", "/proc/self/mountinfo", "/sys/fs/cgroup/x/cgroup.procs", "/sys/fs/cgroup/x/cgroup.threads", "/sys/fs/cgroup/x/tasks", "/sys/fs/cgroup/x/memory.kmem.slabinfo"}
	if !slices.Equal(got, want) {
		t.Errorf("files of many records (-want +got)\n%s", cmp.Diff(want, got))
	}
}

// breaking is a tree whose files open and cannot be read.
type breaking struct{ *tree }

type brokenFile struct{ afero.File }

func (brokenFile) Read([]byte) (int, error) { return 0, syscall.EIO }

func (b breaking) Open(name string) (afero.File, error) {
	f, err := b.tree.Open(name)
	return brokenFile{f}, err
}

func TestReadBreaksOff(t *testing.T) {
	k := New(breaking{plant(t, "-- proc/stat --\ncpu 1\n")})
	s := k.Snapshot()
	for what, read := range map[string]func() ([]byte, error){
		"ReadPath": func() ([]byte, error) { return s.ReadPath("/proc/stat") },
		"Read":     func() ([]byte, error) { return s.Read(k.File("/proc/stat")) },
		"Shared":   func() ([]byte, error) { return k.Stat.Shared(k.Snapshot()) },
	} {
		if got, err := read(); errText(err) != "read /proc/stat: input/output error" || len(got) != 0 {
			t.Errorf("%s = %q, %v, want the error and nothing", what, got, err)
		}
	}
}

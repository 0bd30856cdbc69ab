package core_test

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lxcfs/core"
	"lxcfs/fakekernel"
	"lxcfs/kernelfs"
)

// boot returns a fake host after some verbs, and a core for it.
func boot(t *testing.T, o core.Options, host string, verbs ...string) (*fakekernel.Kernel, *core.Core) {
	t.Helper()
	k, err := fakekernel.Boot(strings.Fields(host)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range verbs {
		f := strings.Fields(v)
		if err := k.Do(f[0], f[1:]...); err != nil {
			t.Fatalf("%s: %v", v, err)
		}
	}
	c, err := core.New(kernelfs.New(k), o)
	if err != nil {
		t.Fatal(err)
	}
	return k, c
}

func caller(t *testing.T, k *fakekernel.Kernel, name string) core.Caller {
	t.Helper()
	pid, err := k.PID(name)
	if err != nil {
		t.Fatal(err)
	}
	return core.Caller{PID: pid}
}

func TestTrigger(t *testing.T) {
	k, c := boot(t, core.Options{PSIPoll: true}, "unified",
		"cgroup create /web", "spawn web in /web pidns=new", "spawn host in / pidns=host",
		"cgroup create /none", "spawn none in /none pidns=new", "fail /sys/fs/cgroup/none/cpu.pressure EOPNOTSUPP")
	web := caller(t, k, "web")
	for _, tt := range []struct {
		reason, path, text string
		who                core.Caller
		want               error
	}{
		{"as documented", "proc/pressure/cpu", "some 150000 1000000", web, nil},
		{"io is a resource like others (LXCFS: EIO on v2)", "proc/pressure/io", "full 150000 1000000\x00", web, nil},
		{"no trigger", "proc/pressure/cpu", "bogus", web, syscall.EINVAL},
		{"a file that takes none", "proc/meminfo", "some 150000 1000000", web, syscall.EINVAL},
		{"no such file", "proc/version", "some 150000 1000000", web, syscall.ENOENT},
		{"a host process has no container", "proc/pressure/cpu", "some 150000 1000000", caller(t, k, "host"), syscall.EIO},
		{"the kernel refuses", "proc/pressure/cpu", "some 150000 1000000", caller(t, k, "none"), syscall.EIO},
	} {
		trigger, err := c.Trigger(tt.who, tt.path, []byte(tt.text))
		if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: Trigger = %v, want %v", tt.reason, err, tt.want)
		}
		if trigger != nil {
			if err := trigger.Close(); err != nil {
				t.Errorf("%s: Close: %v", tt.reason, err)
			}
		}
	}
	c.Virtualize(false)
	if _, err := c.Trigger(web, "proc/pressure/cpu", []byte("some 150000 1000000")); !errors.Is(err, syscall.EIO) {
		t.Errorf("switched off: Trigger = %v, want EIO", err)
	}
	_, c = boot(t, core.Options{}, "unified")
	if _, err := c.Trigger(web, "proc/pressure/cpu", []byte("some 150000 1000000")); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("not asked for: Trigger = %v, want EINVAL", err)
	}
}

func TestStat(t *testing.T) {
	k, c := boot(t, core.Options{PSIPoll: true}, "unified cpus=4",
		"cgroup create /web", "limit cpuset /web 2", "spawn web in /web pidns=new")
	who := caller(t, k, "web")
	for _, tt := range []struct {
		path string
		want core.Entry
	}{
		{"", core.Entry{Name: ".", Mode: fs.ModeDir | 0o755, CPU: -1}},
		{"proc", core.Entry{Name: "proc", Path: "proc", Mode: fs.ModeDir | 0o555, CPU: -1}},
		{"proc/meminfo", core.Entry{Name: "meminfo", Path: "proc/meminfo", Mode: 0o444, CPU: -1}},
		{"proc/pressure/cpu", core.Entry{Name: "cpu", Path: "proc/pressure/cpu", Mode: 0o666, CPU: -1}},
		{"sys/devices/system/cpu", core.Entry{Name: "cpu", Path: "sys/devices/system/cpu", Mode: fs.ModeDir | 0o555, CPU: -1}},
		{"sys/devices/system/cpu/cpu2", core.Entry{Name: "cpu2", Path: "sys/devices/system/cpu/cpu2", Mode: fs.ModeDir | 0o555, CPU: 2}},
		{"sys/devices/system/cpu/online", core.Entry{Name: "online", Path: "sys/devices/system/cpu/online", Mode: 0o444, CPU: -1}},
		{"sys/devices/system/cpu/cpu2/crash_notes", core.Entry{Name: "crash_notes", Path: "sys/devices/system/cpu/cpu2/crash_notes", Mode: 0o400, CPU: 2}},
	} {
		got, err := c.Stat(who, tt.path)
		if err != nil {
			t.Errorf("Stat(%q): %v", tt.path, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("Stat(%q) (-want +got):\n%s", tt.path, diff)
		}
	}
	for _, f := range core.Files {
		want := fs.FileMode(0o444)
		if strings.HasPrefix(f.Path, "proc/pressure/") {
			want = 0o666 // as the kernel's, where triggers can be written
		}
		if e, err := c.Stat(who, f.Path); err != nil || e.Mode != want {
			t.Errorf("Stat(%q) = %v, %v, want mode %v", f.Path, e.Mode, err, want)
		}
	}
	for _, path := range []string{
		"proc/version", "etc", "sys/class", "sys/devices/system/cpux", "sys/devices/system/cpu/cpu0", "sys/devices/system/cpu/cpu0/topology",
		"sys/devices/system/cpu/../memory", "sys/devices/system/cpu//online", "sys/devices/system/cpu/nothing",
	} {
		if _, err := c.Stat(who, path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Stat(%q) = %v, want that it does not exist", path, err)
		}
	}
	if _, err := c.List(who, "proc/meminfo"); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("List of a file = %v, want ENOTDIR", err)
	}
	if got, err := c.Readlink(who, "sys/devices/system/cpu/cpu2/subsystem"); err != nil || !strings.HasSuffix(got, "bus/cpu") {
		t.Errorf("Readlink(cpu2/subsystem) = %q, %v", got, err)
	}
	if _, err := c.Readlink(who, "sys/devices/system/cpu/cpu0/subsystem"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Readlink of another container's CPU = %v", err)
	}
	if _, err := c.Readlink(who, "proc/meminfo"); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("Readlink of a file = %v, want EINVAL", err)
	}
}

func TestNamespace(t *testing.T) {
	k, c := boot(t, core.Options{}, "unified", "cgroup create /a", "spawn one in /a pidns=new", "spawn two in /a pidns=of:one", "spawn other in /a pidns=new")
	of := func(name string) uint64 { return c.Namespace(caller(t, k, name).PID) }
	if of("one") != of("two") || of("one") == of("other") || of("one") == 0 {
		t.Errorf("namespaces %d, %d and %d, want the first two alike", of("one"), of("two"), of("other"))
	}
	if a, b := c.Namespace(0), c.Namespace(1<<21); a != 0 || b != 0 {
		t.Errorf("namespaces of nobody are %d and %d, want 0", a, b)
	}
}

// TestLastReaderCloses: a container's cgroups are given up when it is forgotten, not before.
func TestLastReaderCloses(t *testing.T) {
	k, err := fakekernel.Boot("unified")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"cgroup create /web", "spawn web in /web pidns=new"} {
		if err := k.Do(strings.Fields(v)[0], strings.Fields(v)[1:]...); err != nil {
			t.Fatal(err)
		}
	}
	host := kernelfs.New(k)
	c, err := core.New(host, core.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := host.Hierarchy(kernelfs.Memory)
	group := func() *kernelfs.Cgroup { // the one that others hold, else a new one
		cg := h.Cgroup("/web")
		cg.Release()
		return cg
	}
	if first := group(); first == group() {
		t.Error("a cgroup that nobody holds is remembered")
	}
	for range 2 {
		if _, err := c.Read(caller(t, k, "web"), "proc/meminfo", nil); err != nil {
			t.Fatal(err)
		}
	}
	held := group()
	if group() != held {
		t.Error("the cgroup of a container that is known was given up")
	}
	if err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	if group() == held {
		t.Error("the cgroup of a container that was forgotten is still held")
	}
}

// TestWarns: a kernel file that does not look as documented is warned of once, not at every read.
func TestWarns(t *testing.T) {
	var log bytes.Buffer
	k, c := boot(t, core.Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, "unified",
		"cgroup create /web", "spawn web in /web pidns=new", "write /sys/fs/cgroup/web/memory.stat nonsense\\n")
	for range 3 {
		if _, err := c.Read(caller(t, k, "web"), "proc/meminfo", nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "memory.stat:1") {
		t.Errorf("3 reads of a bad memory.stat logged %d warnings, want 1 that names it:\n%s", n, log.String())
	}
}

// TestManyContainers: more containers than are remembered all get their own answers, and counters go
// on for those that were forgotten.
func TestManyContainers(t *testing.T) {
	const n = 60
	verbs := []string{}
	for i := range n {
		name := string(rune('a'+i/26)) + string(rune('a'+i%26))
		verbs = append(verbs, "cgroup create /"+name, "limit memory /"+name+" "+strconv.Itoa(i+1)+"M", "spawn "+name+" in /"+name+" pidns=new", "run "+name+" user=0.01")
	}
	k, c := boot(t, core.Options{MaxContainers: 7}, "unified cpus=2", verbs...)
	last := map[string]string{}
	for range 3 {
		if err := k.Do("tick", "5s"); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			name := string(rune('a'+i/26)) + string(rune('a'+i%26))
			text, err := c.Read(caller(t, k, name), "proc/meminfo", nil)
			if err != nil {
				t.Fatal(err)
			}
			total, _, _ := strings.Cut(string(text), " kB")
			if want := strconv.Itoa((i + 1) << 10); !strings.HasSuffix(total, " "+want) {
				t.Errorf("container %s: %q, want %s kB", name, total, want)
			}
			text, err = c.Read(caller(t, k, name), "proc/uptime", nil)
			if err != nil {
				t.Fatal(err)
			}
			if string(text) <= last[name] && len(text) <= len(last[name]) {
				t.Errorf("container %s: uptime went from %q to %q", name, last[name], text)
			}
			last[name] = string(text)
		}
		if err := c.Reload(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRestart: a core that takes over another's state goes on with its counters and averages.
func TestRestart(t *testing.T) {
	state := make([]byte, core.StateSize(16, 4))
	k, c := boot(t, core.Options{State: state}, "legacy cpus=4", "cgroup create /web", "limit cpuset /web 0-1", "spawn web in /web pidns=new", "run web user=1")
	who := caller(t, k, "web")
	read := func(file string) string {
		t.Helper()
		text, err := c.Read(who, file, nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	read("proc/loadavg")
	for range 12 {
		if err := k.Do("tick", "5s"); err != nil {
			t.Fatal(err)
		}
		c.Tick()
	}
	// The cpuset changes, so that what is shown is no longer what the kernel's files alone say.
	if err := k.Do("limit", "cpuset", "/web", "2-3"); err != nil {
		t.Fatal(err)
	}
	stat, load := read("proc/stat"), read("proc/loadavg")
	var err error
	if c, err = core.New(kernelfs.New(k), core.Options{State: state}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(stat, read("proc/stat")); diff != "" {
		t.Errorf("stat across a restart (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(load, read("proc/loadavg")); diff != "" || !strings.HasPrefix(load, "0.63 ") {
		t.Errorf("loadavg across a restart, want 0.63 and no change (-before +after):\n%s", diff)
	}
}

// TestZswappedBound: pages in zswap are swapped out, so there may be more of them than memory.
func TestZswappedBound(t *testing.T) {
	k, c := boot(t, core.Options{}, "unified memory=8G swap=1G zswap=on", "cgroup create /web", "limit memory /web 64M", "limit swap /web 256M",
		"spawn web in /web pidns=new")
	if err := k.Do("write", "/sys/fs/cgroup/web/memory.stat", `zswap 134217728\nzswapped 134217728\n`); err != nil {
		t.Fatal(err)
	}
	text, err := c.Read(caller(t, k, "web"), "proc/meminfo", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Zswap:             65536 kB\n", "Zswapped:         131072 kB\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestPossibleCPUs: where the list of possible CPUs is missing, those that are online count; where no list is to be
// had, one.
func TestPossibleCPUs(t *testing.T) {
	const cpus = "/sys/devices/system/cpu/"
	stat := func(fails ...string) string {
		t.Helper()
		k, err := fakekernel.Boot("unified", "cpus=4")
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range append([]string{"cgroup create /web", "limit cpuset /web 3", "spawn web in /web pidns=new", "run web user=1", "tick 100s"}, fails...) {
			if err := k.Do(strings.Fields(v)[0], strings.Fields(v)[1:]...); err != nil {
				t.Fatal(err)
			}
		}
		c, err := core.New(kernelfs.New(k), core.Options{})
		if err != nil {
			return "New: " + err.Error()
		}
		text, err := c.Read(caller(t, k, "web"), "proc/stat", nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	want := stat()
	if diff := cmp.Diff(want, stat("fail "+cpus+"possible ENOENT")); diff != "" {
		t.Errorf("stat without a list of possible CPUs (-with +without):\n%s", diff)
	}
	if got := stat("fail "+cpus+"possible ENOENT", "fail "+cpus+"online ENOENT"); !strings.HasPrefix(got, "cpu ") {
		t.Errorf("stat without any list of CPUs: %s", got)
	}
	if got := stat("fail "+cpus+"possible ENOENT", "fail "+cpus+"online EIO"); !strings.HasPrefix(got, "New: ") {
		t.Errorf("a list of CPUs that cannot be read: %s", got)
	}
}

// TestNewNamesWhatItCannotRead: a host whose CPUs cannot be told is no host to serve.
func TestNewNamesWhatItCannotRead(t *testing.T) {
	k, err := fakekernel.Boot("unified")
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Do("write", "/sys/devices/system/cpu/possible", "many\\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := core.New(kernelfs.New(k), core.Options{}); err == nil || !strings.HasPrefix(err.Error(), "possible:1: ") {
		t.Errorf("New: %v, want it to name possible", err)
	}
}

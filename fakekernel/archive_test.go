package fakekernel

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestArchiveRoundTrip(t *testing.T) {
	for _, layout := range layouts {
		k := boot(t, layout, "cgroup create /a/b\nspawn p in /a/b pidns=new\ncharge p anon=5M\ntick 3s\nfail /proc/swaps EIO")
		first := k.Archive()
		captured, err := Load(first)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(first), string(captured.Archive())); diff != "" {
			t.Errorf("%s: the archive of an archive differs\n%s", layout, diff)
		}
		if got := captured.Layout(); got != layout {
			t.Errorf("layout of the captured host = %q, want %q", got, layout)
		}
		if err := captured.Charge("/a", "anon=1M"); err == nil || !strings.Contains(err.Error(), "captured host") {
			t.Errorf("a captured host has no memory to charge: %v", err)
		}
		do(t, captured, "tick 7s\nwrite /proc/loadavg x")
		if got, want := read(t, captured, "/proc/uptime"), "1010.00 "; !strings.HasPrefix(got, want) {
			t.Errorf("uptime of the captured host %q", got)
		}
	}
}

func TestLoad(t *testing.T) {
	k, err := Load([]byte(`About.
-- proc/stat --
cpu  1 2 3 4
cpu0 1 2 3 4
cpu1 1 2 3 4
-- proc/uptime --
100.00 150.00
-- proc/42/ns/pid -> pid:[4026532201] --
-- sys/fs/cgroup/lxc/ --
-- sys/fs/cgroup/lxc/io.stat ! EACCES --
-- want/42/proc/stat --
cpu
`))
	if err != nil {
		t.Fatal(err)
	}
	if link, err := k.ReadlinkIfPossible("/proc/42/ns/pid"); err != nil || link != "pid:[4026532201]" {
		t.Errorf("link %q, %v", link, err)
	}
	if fi, err := k.Stat("/sys/fs/cgroup/lxc"); err != nil || !fi.IsDir() {
		t.Errorf("directory: %v", err)
	}
	if _, err := k.ReadFile("/sys/fs/cgroup/lxc/io.stat"); err == nil || errnoName(err) != "EACCES" {
		t.Errorf("error entry: %v", err)
	}
	if _, err := k.Stat("/want"); err == nil {
		t.Error("goldens are part of the host")
	}
	do(t, k, "tick 5s")
	if got := read(t, k, "/proc/uptime"); got != "105.00 160.00\n" {
		t.Errorf("two CPUs idle for 5 s: %q", got)
	}
	for _, bad := range []string{"-- /proc/x --\n", "-- proc/../x --\n", "-- a ! EODD --\n", "-- a -> b --\ntext\n", "-- boot --\ncpus=none\n", "-- boot --\nlegacy kernel=3\n"} {
		if _, err := Load([]byte(bad)); err == nil {
			t.Errorf("Load(%q) succeeded", bad)
		}
	}
}

// TestHosts boots every host of testdata/hosts that is a machine, and takes a CPU away from it.
func TestHosts(t *testing.T) {
	files, err := filepath.Glob("../testdata/hosts/*.txtar")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d hosts, %v", len(files), err)
	}
	blocks := map[string]int{"arm64": 4, "s390x": 4, "ppc64le": 8, "riscv64": 4, "big": 512}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		k, err := Load(b)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		want, ok := blocks[name]
		if !ok {
			continue
		}
		count := func() (n int) {
			for line := range strings.Lines(read(t, k, "/proc/cpuinfo")) {
				if strings.HasPrefix(line, "processor") {
					n++
				}
			}
			return n
		}
		if got := count(); got != want {
			t.Errorf("%s: %d processors, want %d", name, got, want)
		}
		do(t, k, "hotplug 2 off")
		if got := count(); got != want-1 {
			t.Errorf("%s: with one offline %d processors, want %d", name, got, want-1)
		}
		text := read(t, k, "/proc/cpuinfo")
		if name == "s390x" && (!strings.Contains(text, "# processors    : 3\n") || strings.Contains(text, "cpu number      : 2\n")) {
			t.Errorf("s390x counts processors and has blocks by number:\n%s", text)
		}
		if name == "ppc64le" && !strings.HasSuffix(text, "MMU\t\t: Radix\n") {
			t.Errorf("lines about the machine must stay:\n%s", text)
		}
	}
}

func TestBootOfAHostInAScript(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hosts.txtar")
	script := `boot inside
read /proc/uptime as 1
stdout '^7.00 '
! boot nowhere
stderr 'no archive'
-- inside.txtar --
>-- proc/uptime --
>7.00 8.00
`
	if err := os.WriteFile(file, []byte(strings.Replace(script, "boot inside", "unquote inside.txtar\nboot inside", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	Run(t, testscript.Params{Files: []string{file}}, newCat)
}

// bigWords is a host as large as they come.
func bigWords() []string {
	var disks []string
	for i := range 1000 {
		disks = append(disks, "dm-"+strconv.Itoa(i))
	}
	return []string{"unified", "cpus=512", "memory=1T", "disks=" + strings.Join(disks, ",")}
}

func bigHost(tb testing.TB) *Kernel {
	k, err := Boot(bigWords()...)
	if err != nil {
		tb.Fatal(err)
	}
	for i := range 1000 {
		n := strconv.Itoa(i)
		for _, verb := range []string{"cgroup create /lxc/c" + n, "limit memory /lxc/c" + n + " 1G", "spawn p" + n + " in /lxc/c" + n + " pidns=new", "run p" + n + " user=0.3"} {
			w := strings.Fields(verb)
			if err := k.Do(w[0], w[1:]...); err != nil {
				tb.Fatal(err)
			}
		}
	}
	return k
}

// TestReadCostDoesNotGrow: one cgroup's file costs the same however many others there are.
func TestReadCostDoesNotGrow(t *testing.T) {
	small := boot(t, "unified cpus=2", "cgroup create /lxc/c7\nspawn p7 in /lxc/c7")
	big := bigHost(t)
	pid, _ := big.PID("p7")
	for _, files := range [][2]string{
		{"/sys/fs/cgroup/lxc/c7/memory.current", "/sys/fs/cgroup/lxc/c7/memory.current"},
		{"/sys/fs/cgroup/lxc/c7/cpu.stat", "/sys/fs/cgroup/lxc/c7/cpu.stat"},
		{"/proc/1000/cgroup", "/proc/" + strconv.Itoa(pid) + "/cgroup"},
		{"/proc/meminfo", "/proc/meminfo"},
	} {
		cost := func(k *Kernel, file string) float64 {
			return testing.AllocsPerRun(20, func() {
				if _, err := k.ReadFile(file); err != nil {
					t.Fatal(err)
				}
			})
		}
		if a, b := cost(small, files[0]), cost(big, files[1]); b > 2*a+10 {
			t.Errorf("%s: %v allocations on a big host, %v on a small one", files[1], b, a)
		}
	}
}

func BenchmarkBootBig(b *testing.B) {
	for b.Loop() {
		bigHost(b)
	}
}

func BenchmarkTickBig(b *testing.B) {
	k := bigHost(b)
	for b.Loop() {
		if err := k.Tick(tickEvery); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	k := bigHost(b)
	for _, file := range []string{"/proc/meminfo", "/proc/stat", "/sys/fs/cgroup/lxc/c7/memory.stat", "/sys/fs/cgroup/lxc/c7/memory.current", "/proc/1000/cgroup"} {
		b.Run(strings.ReplaceAll(file, "/", "_"), func(b *testing.B) {
			for b.Loop() {
				if _, err := k.ReadFile(file); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

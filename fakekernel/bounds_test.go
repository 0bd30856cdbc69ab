package fakekernel

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/afero"
)

// TestRefusedOrNot has verbs right at the edge of what is allowed.
func TestRefusedOrNot(t *testing.T) {
	for _, c := range []struct {
		reason, words, script, verb string
		refused                     bool
	}{
		{"one thread is the least", "unified", "", "spawn p in /a threads=1", false},
		{"none is too few", "unified", "", "spawn p in /a threads=0", true},
		{"page cache is given back", "unified", "charge /a file=12K", "charge /a file=-12K", false},
		{"what tmpfs holds is no page cache to give back", "unified", "charge /a file=4K shmem=8K", "charge /a file=-8K", true},
		{"a thread's number is its process'", "unified", "spawn p in /a threads=2", "reuse 1001 as q in /a", true},
		{"a process' is its own", "unified", "spawn p in /a threads=2", "reuse 1000 as q in /a", false},
		{"the host's own processes stay", "unified", "", "reuse 437 as q in /a", true},
		{"swapping more in than is out", "unified", "charge /a anon=8K\nswap /a out=4K", "swap /a in=8K", true},
		{"swapping all in", "unified", "charge /a anon=8K\nswap /a out=4K", "swap /a in=4K", false},
		{"what cannot be reclaimed is not active", "unified", "charge /a anon=8K unevictable=4K", "charge /a active_anon=8K", true},
		{"what can may be", "unified", "charge /a anon=8K unevictable=4K", "charge /a active_anon=4K", false},
		{"the boot CPU stays", "unified cpus=2", "", "hotplug 0 off", true},
		{"the last CPU", "unified cpus=2", "", "hotplug 1 off", false},
		{"a CPU too many", "unified cpus=2", "", "hotplug 2 off", true},
		{"the shortest quota", "unified", "", "limit cpu /a 1000/1000", false},
		{"a shorter one", "unified", "", "limit cpu /a 999/1000", true},
		{"a shorter period", "unified", "", "limit cpu /a 1000/999", true},
		{"the longest period", "unified", "", "limit cpu /a 1000/1000000", false},
		{"a longer one", "unified", "", "limit cpu /a 1000/1000001", true},
		{"very many CPUs", "unified", "", "limit cpu /a 8192", false},
		{"too many", "unified", "", "limit cpu /a 8193", true},
		{"no number of CPUs", "unified", "", "limit cpu /a many", true},
		{"a part of a page is swapped out as one", "unified", "charge /a anon=8K", "swap /a out=1", false},
		{"nothing is swapped out", "unified", "charge /a anon=8K", "swap /a out=0", true},
		{"a quota that is no number", "unified", "", "limit cpu /a x/100000", true},
		{"a period that is no number", "unified", "", "limit cpu /a 100000/x", true},
		{"the least weight", "unified", "", "limit weight /a 1", false},
		{"none", "unified", "", "limit weight /a 0", true},
		{"the largest weight", "unified", "", "limit weight /a 10000", false},
		{"a larger one", "unified", "", "limit weight /a 10001", true},
		{"memory and swap right as much as is used", "legacy", "limit memory /a 8K\ncharge /a anon=8K", "limit memsw /a 8K", false},
		{"memory right as much as is used", "legacy", "charge /a anon=8K", "limit memory /a 8K", false},
		{"no PSI, no stall", "unified psi=off", "", "stall /a cpu some=1ms", true},
		{"a stall", "unified", "", "stall /a cpu some=1ms", false},
		{"state D burns nothing", "unified", "spawn p in /a", "run p state=D user=1", true},
		{"state R with as much of the one as of the other", "unified", "spawn p in /a", "run p state=R user=1 system=1", false},
		{"state R wants something", "unified", "spawn p in /a", "run p state=R", true},
	} {
		k := boot(t, c.words, "cgroup create /a\n"+c.script)
		w := strings.Fields(c.verb)
		if err := k.Do(w[0], w[1:]...); (err != nil) != c.refused {
			t.Errorf("%s: %s = %v, want it refused: %v", c.reason, c.verb, err, c.refused)
		}
		checkInvariants(t, k)
	}
}

// TestAWordTooMany has verbs say how they are used.
func TestAWordTooMany(t *testing.T) {
	k := boot(t, "unified", "cgroup create /a\nspawn p in /a")
	for _, verb := range []string{
		"cgroup create /b controllers=memory twice", "move p to /a /a", "kill p p", "hotplug 1 off on", "freeze /a /a", "thaw /a /a",
		"stall /a cpu some=1ms full=1ms some=1ms", "fail /proc/stat 0 0", "remove /proc/stat /proc/stat",
	} {
		w := strings.Fields(verb)
		if err := k.Do(w[0], w[1:]...); err == nil || err.Error() != "usage: "+verbs[w[0]].usage {
			t.Errorf("%s: %v, want its usage", verb, err)
		}
	}
}

// TestWhatJustFits is counted as no failure, and one page more is.
func TestWhatJustFits(t *testing.T) {
	const v1 = "/sys/fs/cgroup/memory/a/memory."
	for _, c := range []struct{ reason, script, failcnt, memsw string }{
		{"memory", "limit memory /a 8K\ncharge /a anon=8K", "0\n", "0\n"},
		{"memory and swap", "limit memory /a 8K\nlimit memsw /a 12K\ncharge /a anon=8K\nswap /a out=4K\ncharge /a anon=4K", "0\n", "0\n"},
		{"cache makes room", "limit memory /a 8K\ncharge /a file=8K\ncharge /a anon=4K", "1\n", "0\n"},
	} {
		k := boot(t, "legacy", "cgroup create /a\n"+c.script)
		if f, m := read(t, k, v1+"failcnt"), read(t, k, v1+"memsw.failcnt"); f != c.failcnt || m != c.memsw {
			t.Errorf("%s: failcnt %q and memsw.failcnt %q, want %q and %q", c.reason, f, m, c.failcnt, c.memsw)
		}
	}
	k := boot(t, "legacy", "cgroup create /a\nlimit memory /a 8K\nlimit memsw /a 8K\ncharge /a anon=8K")
	if err := k.Do("charge", "/a", "anon=4K"); !errors.Is(err, syscall.ENOMEM) {
		t.Errorf("a page too many: %v", err)
	}
}

func TestEveryLimitHasItsOwnFile(t *testing.T) {
	k := boot(t, "unified zswap=on kernel=6.12", `cgroup create /a
		limit min /a 4K
		limit low /a 8K
		limit high /a 12K
		limit memory /a 16K
		limit swap /a 20K
		limit zswap /a 24K
		limit pids /a 7
		limit cpu /a 1.23456
		limit weight /a 33`)
	got := map[string]string{}
	want := map[string]string{
		"memory.min": "4096\n", "memory.low": "8192\n", "memory.high": "12288\n", "memory.max": "16384\n", "memory.swap.max": "20480\n",
		"memory.zswap.max": "24576\n", "pids.max": "7\n", "cpu.weight": "33\n", "cpu.max": "123456 100000\n",
	}
	for name := range want {
		got[name] = read(t, k, "/sys/fs/cgroup/a/"+name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("limits (-want +got)\n%s", diff)
	}
	k = boot(t, "legacy", "cgroup create /a\nlimit soft /a 4K\nlimit cpu /a 2\nlimit cpu /a max")
	if got := read(t, k, "/sys/fs/cgroup/memory/a/memory.soft_limit_in_bytes"); got != "4096\n" {
		t.Errorf("memory.soft_limit_in_bytes %q", got)
	}
	if got := read(t, k, "/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us"); got != "-1\n" {
		t.Errorf("cpu.cfs_quota_us %q", got)
	}
}

// TestWhoIsWho: users and pids by the name of a process.
func TestWhoIsWho(t *testing.T) {
	k := boot(t, "unified", "spawn p in /a uid=1234")
	captured, err := Load([]byte("-- proc/uptime --\n1.00 1.00\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		k    *Kernel
		name string
		pid  int
		uid  uint32
	}{
		{k, "p", 1000, 1234}, {k, "1000", 1000, 1234}, {k, "init", 1, 0}, {k, "437", 437, 0}, {k, "0", 0, 0}, {k, "nobody", -1, 0}, {k, "-7", -1, 0},
		{captured, "42", 42, 0}, {captured, "init", -1, 0},
	} {
		pid, err := c.k.PID(c.name)
		if err != nil {
			pid = -1
		}
		if uid := c.k.UID(c.name); pid != c.pid || uid != c.uid {
			t.Errorf("%s: pid %d, %v, user %d, want %d and %d", c.name, pid, err, uid, c.pid, c.uid)
		}
	}
}

// TestFailingNames: a path that is not there is in no list; one that fails otherwise is.
func TestFailingNames(t *testing.T) {
	k := boot(t, "unified", `cgroup create /a
		fail /sys/fs/cgroup/a/io.stat EACCES
		fail /sys/fs/cgroup/a/io.max ENOENT
		remove /sys/fs/cgroup/a/io.weight
		write /sys/fs/cgroup/a/io.more 1`)
	list, err := afero.ReadDir(k, "/sys/fs/cgroup/a")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, fi := range list {
		if strings.HasPrefix(fi.Name(), "io.") {
			got = append(got, fi.Name())
		}
	}
	if diff := cmp.Diff([]string{"io.more", "io.pressure", "io.stat"}, got); diff != "" {
		t.Errorf("list (-want +got)\n%s", diff)
	}
	if fi, err := k.Stat("/sys/fs/cgroup/a/io.more"); err != nil || fi.Mode() != 0o444 {
		t.Errorf("a written file: %v, %v, want mode 0444", fi, err)
	}
}

// TestDiskstatsFields: each kind of request has its sectors and its milliseconds, and all of them are the device's.
func TestDiskstatsFields(t *testing.T) {
	k := boot(t, "unified disks=sda kernel=6.12", "cgroup create /a")
	fields := func() (n [18]int64) {
		for i, f := range strings.Fields(strings.Split(read(t, k, "/proc/diskstats"), "\n")[0])[3:] {
			n[i] = number1(t, f)
		}
		return n
	}
	before := fields()
	do(t, k, "io /a sda read=1M write=2M discard=3M reads=10 writes=200 discards=3000")
	got := fields()
	for i := range got {
		got[i] -= before[i]
	}
	want := [18]int64{10, 0, 2048, 14, 200, 0, 4096, 416, 0, 3430, 3430, 3000, 0, 6144, 3000}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields of /proc/diskstats from the fourth on (-want +got)\n%s", diff)
	}
}

// TestFailedChargeLeavesNothing: of what came in pieces, some of which were swapped out before the last did not fit.
func TestFailedChargeLeavesNothing(t *testing.T) {
	for _, what := range []string{"anon", "shmem"} {
		k := boot(t, "unified swap=4M", "cgroup create /a\nlimit memory /a 8M\ncharge /a file=1M")
		if err := k.Do("charge", "/a", what+"=16M"); !errors.Is(err, syscall.ENOMEM) {
			t.Errorf("%s beyond memory and swap: %v, want ENOMEM", what, err)
		}
		got := map[string]string{}
		for _, name := range []string{"memory.current", "memory.swap.current"} {
			got[name] = read(t, k, "/sys/fs/cgroup/a/"+name)
		}
		if diff := cmp.Diff(map[string]string{"memory.current": "0\n", "memory.swap.current": "0\n"}, got); diff != "" {
			t.Errorf("after a charge of %s that failed (-want +got)\n%s", what, diff)
		}
		checkInvariants(t, k)
	}
}

// TestFailedChargeLeavesTheOthers: only what the charge itself got is given back.
func TestFailedChargeLeavesTheOthers(t *testing.T) {
	k := boot(t, "unified swap=0", "cgroup create /a\nlimit memory /a 8M\ncharge /a anon=3M shmem=1M file=1M")
	for _, what := range []string{"anon", "shmem"} {
		if err := k.Do("charge", "/a", what+"=16M"); !errors.Is(err, syscall.ENOMEM) {
			t.Errorf("%s beyond memory: %v, want ENOMEM", what, err)
		}
		stat := read(t, k, "/sys/fs/cgroup/a/memory.stat")
		if anon, shmem := key(t, stat, "anon"), key(t, stat, "shmem"); anon != 3<<20 || shmem != 1<<20 {
			t.Errorf("after a charge of %s that failed: anon %d and shmem %d, want 3M and 1M", what, anon, shmem)
		}
		checkInvariants(t, k)
	}
}

// TestWhatIsKeptStays: neither a failed charge nor a reclaim takes what memory.min keeps.
func TestWhatIsKeptStays(t *testing.T) {
	for _, c := range []struct {
		script, verb string
		want         int64 // in /p/kept
	}{
		{"charge /p/kept file=1M\ncharge /p/other anon=39M", "charge /p/kept file=16M", 1 << 20},
		{"charge /p/kept file=30M", "charge /p/other anon=25M", 20 << 20},
	} {
		k := boot(t, "unified swap=0", "cgroup create /p/kept\ncgroup create /p/other\nlimit memory /p 40M\nlimit min /p/kept 20M\n"+c.script)
		w := strings.Fields(c.verb)
		if err := k.Do(w[0], w[1:]...); !errors.Is(err, syscall.ENOMEM) {
			t.Errorf("%s: %v, want ENOMEM", c.verb, err)
		}
		if got := usageOf(t, k, "/p/kept"); got != c.want {
			t.Errorf("after %s: %d kept, want %d", c.verb, got, c.want)
		}
		checkInvariants(t, k)
	}
}

// TestReclaimTakesNoMore than is wanted, from however many cgroups.
func TestReclaimTakesNoMore(t *testing.T) {
	k := boot(t, "unified swap=0", `cgroup create /p/a
		cgroup create /p/b
		charge /p/a file=4M
		charge /p/b file=6M
		limit memory /p 2M`)
	if got := usageOf(t, k, "/p"); got != 2<<20 {
		t.Errorf("usage = %d with 8M reclaimed of 10M in two cgroups, want the limit", got)
	}
}

// TestPagesThatGoOut are counted as scanned, taken and written.
func TestPagesThatGoOut(t *testing.T) {
	k := boot(t, "unified kernel=6.18", "cgroup create /a\ncharge /a anon=8M shmem=1M file=3M")
	counts := func() map[string]int64 {
		n := map[string]int64{}
		for _, name := range []string{"pgscan", "pgsteal", "pswpout", "pswpin"} {
			n[name] = key(t, read(t, k, "/sys/fs/cgroup/a/memory.stat"), name)
		}
		return n
	}
	for _, c := range []struct {
		verb string
		want map[string]int64
	}{
		{"swap /a out=4M", map[string]int64{"pgscan": 1024, "pgsteal": 1024, "pswpout": 1024, "pswpin": 0}},
		{"swap /a in=1M", map[string]int64{"pgscan": 1024, "pgsteal": 1024, "pswpout": 1024, "pswpin": 256}},
		{"limit high /a 8M", map[string]int64{"pgscan": 1280, "pgsteal": 1280, "pswpout": 1024, "pswpin": 256}},
	} {
		do(t, k, c.verb)
		if diff := cmp.Diff(c.want, counts()); diff != "" {
			t.Errorf("after %s (-want +got)\n%s", c.verb, diff)
		}
	}
}

// TestLoadOfTheThrottledAndTheFrozen: who is cut short counts with what it got, and who is frozen for nothing,
// however many there are beside.
func TestLoadOfTheThrottledAndTheFrozen(t *testing.T) {
	load := func(script string) string {
		k := boot(t, "unified cpus=8", script)
		k.m.load = [3]uint64{}
		do(t, k, "tick 5s")
		return read(t, k, "/proc/loadavg")
	}
	var frozen, free strings.Builder
	for _, name := range strings.Fields("a b c d e f") {
		frozen.WriteString("spawn f" + name + " in /f\nrun f" + name + " user=0.5\n")
		free.WriteString("spawn r" + name + " in /r\nrun r" + name + " user=0.5\n")
	}
	for _, c := range []struct{ reason, script, want string }{
		{"nobody", "", "0.00 0.00 0.00 1/"},
		{"one and a half CPUs of four", "spawn p in /a\nlimit cpu /a 1.5\nrun p user=4", "0.16 0.03 0.01 5/"},
		{"six who run and six who are frozen", frozen.String() + free.String() + "freeze /f", "0.48 0.10 0.03 7/"},
	} {
		if got := load(c.script); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: loadavg %q, want %q", c.reason, got, c.want)
		}
	}
}

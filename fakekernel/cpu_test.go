package fakekernel

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// usedNS reads the CPU time of a cgroup in any layout.
func usedNS(t *testing.T, k *Kernel, cg string) int64 {
	t.Helper()
	if k.Layout() == "unified" {
		return key(t, read(t, k, "/sys/fs/cgroup"+cg+"/cpu.stat"), "usage_usec") * 1000
	}
	return number1(t, read(t, k, "/sys/fs/cgroup/cpuacct"+cg+"/cpuacct.usage"))
}

func TestWhoGetsTheCPU(t *testing.T) {
	const second = int64(time.Second)
	for _, c := range []struct {
		reason, script string
		want           map[string]int64 // ns after 10 s
	}{
		{"as wanted", "spawn p in /a\nrun p user=0.5 system=0.25", map[string]int64{"/a": 7500 * second / 1000}},
		{"a quota is exact", "cgroup create /a\nlimit cpu /a 1.5\nspawn p in /a\nrun p user=4", map[string]int64{"/a": 15 * second}},
		{"a parent's quota binds, shared by wants", "cgroup create /a/b\ncgroup create /a/c\nlimit cpu /a 2\nspawn p in /a/b\nspawn q in /a/c\nrun p user=3\nrun q user=1",
			map[string]int64{"/a": 20 * second, "/a/b": 15 * second, "/a/c": 5 * second}},
		{"the least quota of a chain binds", "cgroup create /a/b\nlimit cpu /a 3\nlimit cpu /a/b 0.5\nspawn p in /a/b\nrun p user=4", map[string]int64{"/a": 5 * second}},
		{"no more than the cpuset has", "cgroup create /a\nlimit cpuset /a 1-2\nspawn p in /a\nrun p user=4", map[string]int64{"/a": 20 * second}},
		{"nor than the machine has", "spawn p in /a\nrun p user=9", map[string]int64{"/a": 40 * second}},
		{"equal wants, equal parts", "spawn p in /a\nspawn q in /b\nrun p user=4\nrun q user=4", map[string]int64{"/a": 20 * second, "/b": 20 * second}},
		{"three on two CPUs", "limit cpuset /a 0-1\nspawn p in /a/x\nspawn q in /a/y\nspawn r in /a/z\nrun p user=1\nrun q user=1\nrun r user=1",
			map[string]int64{"/a": 20 * second}},
		{"weights", "cgroup create /a\ncgroup create /b\nlimit weight /a 300\nlimit cpuset /a 3\nlimit cpuset /b 3\nspawn p in /a\nspawn q in /b\nrun p user=1\nrun q user=1",
			map[string]int64{"/a": 7500 * second / 1000, "/b": 2500 * second / 1000}},
		{"a light task is not crowded out", "limit cpuset /a 3\nlimit cpuset /b 3\nspawn p in /a\nspawn q in /b\nrun p user=0.2\nrun q user=1",
			map[string]int64{"/a": 2 * second * 5 / 6, "/b": 10*second - 2*second*5/6}},
		{"frozen stands still", "spawn p in /a\nrun p user=1\nfreeze /a", map[string]int64{"/a": 0}},
		{"offline CPUs run nobody", "hotplug 1 off\nhotplug 2 off\nhotplug 3 off\nspawn p in /a\nrun p user=4", map[string]int64{"/a": 10 * second}},
	} {
		for _, layout := range layouts {
			k := boot(t, layout+" cpus=4", "cgroup create /a\ncgroup create /b\n"+c.script+"\ntick 10s")
			for cg, want := range c.want {
				got := usedNS(t, k, cg)
				if d := got - want; d > 10*int64(time.Millisecond) || d < -10*int64(time.Millisecond) {
					t.Errorf("%s: %s: %s used %d ns, want %d", layout, c.reason, cg, got, want)
				}
			}
			checkInvariants(t, k)
		}
	}
}

func TestCPUAccountingAgrees(t *testing.T) {
	for _, layout := range layouts {
		k := boot(t, layout+" cpus=4", "spawn p in /a\nspawn q in /a/b\nspawn n in /c")
		before := k.m.cpus
		total := func() (user, nice, system int64) {
			for i := range k.m.cpus {
				user, nice, system = user+k.m.cpus[i].user, nice+k.m.cpus[i].nice, system+k.m.cpus[i].system
			}
			return user, nice, system
		}
		u0, n0, s0 := total()
		do(t, k, "run p user=1.2 system=0.3\nrun q user=0.7\nrun n user=0.5 nice=5\ntick 7s")
		free := k.m.names["p"].utime + k.m.names["q"].utime
		do(t, k, "limit cpu /a 1\ntick 13s")
		u1, n1, s1 := total()
		if got, want := u1-u0+n1-n0+s1-s0, usedNS(t, k, "/a")+usedNS(t, k, "/c"); got/1000 != want/1000 {
			t.Errorf("%s: CPUs were busy %d ns longer, cgroups used %d", layout, got, want)
		}
		if n1-n0 != int64(10*time.Second) {
			t.Errorf("%s: nice time %d, want 10 s", layout, n1-n0)
		}
		var procs int64
		for _, name := range []string{"p", "q", "n"} {
			procs += k.m.names[name].utime + k.m.names[name].stime
		}
		if procs != u1-u0+n1-n0+s1-s0 {
			t.Errorf("%s: processes used %d, CPUs %d", layout, procs, u1-u0+n1-n0+s1-s0)
		}
		_ = before
		if layout == "unified" {
			continue
		}
		var sum int64
		for _, f := range strings.Fields(read(t, k, "/sys/fs/cgroup/cpuacct/a/cpuacct.usage_percpu")) {
			sum += number1(t, f)
		}
		if got := usedNS(t, k, "/a"); sum != got {
			t.Errorf("%s: usage_percpu sums up to %d, usage is %d", layout, sum, got)
		}
		stat := read(t, k, "/sys/fs/cgroup/cpuacct/a/cpuacct.stat")
		user := key(t, stat, "user") * nsPerTick
		if cut := usedNS(t, k, "/a") - user - key(t, stat, "system")*nsPerTick; cut < 0 || cut > 2*nsPerTick {
			t.Errorf("%s: cpuacct.stat sums up to %d ns less than usage", layout, cut)
		}
		// Ticks find all of what ran freely and a fifth of what was throttled.
		found := number1(t, read(t, k, "/sys/fs/cgroup/cpuacct/a/cpuacct.usage_user"))
		if want := free + (user-free)/5; (found-want)/nsPerTick != 0 {
			t.Errorf("%s: usage_user %d, want %d", layout, found, want)
		}
	}
}

func TestThrottling(t *testing.T) {
	for layout, unit := range map[string]int64{"unified": 1000, "legacy": 1, "hybrid": 1} {
		k := boot(t, layout, "cgroup create /a\nlimit cpu /a 0.5\nspawn p in /a\nrun p user=1\ntick 10s")
		file, name := "/sys/fs/cgroup/a/cpu.stat", "throttled_usec"
		if layout != "unified" {
			file, name = "/sys/fs/cgroup/cpu/a/cpu.stat", "throttled_time"
		}
		s := read(t, k, file)
		if p, n, ns := key(t, s, "nr_periods"), key(t, s, "nr_throttled"), key(t, s, name)*unit; p != 100 || n != 100 || ns != int64(5*time.Second) {
			t.Errorf("%s: periods %d throttled %d for %d ns, want 100 100 5 s", layout, p, n, ns)
		}
		do(t, k, "run p user=0.4\ntick 1s")
		if s := read(t, k, file); key(t, s, "nr_periods") != 110 || key(t, s, "nr_throttled") != 100 {
			t.Errorf("%s: below the quota periods go on and throttling stops:\n%s", layout, s)
		}
	}
}

func TestUptimeAndStat(t *testing.T) {
	k := boot(t, "unified cpus=2 uptime=100s", "spawn p in /a\nspawn d in /a threads=2\nrun p user=1\nrun d state=D\ntick 10s")
	var up, idle float64
	if _, err := fmt.Sscan(read(t, k, "/proc/uptime"), &up, &idle); err != nil {
		t.Fatal(err)
	}
	var sum int64
	for i := range k.m.cpus {
		sum += k.m.cpus[i].idle
	}
	if up != 110 || int64(idle*100+0.5) != sum/nsPerTick {
		t.Errorf("uptime %v idle %v, want 110 and the CPUs' idle time %d", up, idle, sum/nsPerTick)
	}
	stat := read(t, k, "/proc/stat")
	if key(t, stat, "procs_running") != 2 || key(t, stat, "procs_blocked") != 2 {
		t.Errorf("one runs beside the reader and two threads are blocked:\n%s", stat)
	}
	if got := k.m.cpus[1].iowait; got < int64(10*time.Second) {
		t.Errorf("a CPU somebody waits for I/O on counts iowait, got %d ns", got)
	}
}

// TestLoadavg has the vectors of two runnable tasks from zero, of 5 s samples in 21.11 fixed point.
func TestLoadavg(t *testing.T) {
	k := boot(t, "unified uptime=1000s", "spawn p in /a threads=2")
	k.m.load = [3]uint64{}
	do(t, k, "run p user=2")
	for _, c := range []struct {
		samples int
		want    [3]uint64
		printed string
	}{
		{1, [3]uint64{328, 68, 22}, "0.16 0.03 0.01 "},
		{2, [3]uint64{630, 135, 44}, "0.31 0.07 0.02 "},
		{6, [3]uint64{1615, 393, 132}, "0.79 0.19 0.06 "},
		{12, [3]uint64{2595, 750, 261}, "1.27 0.37 0.13 "},
	} {
		for k.m.now < time.Duration(1000+5*c.samples)*time.Second {
			do(t, k, "tick 2500ms")
		}
		if k.m.load != c.want || !strings.HasPrefix(read(t, k, "/proc/loadavg"), c.printed+"3/") {
			t.Errorf("after %d samples: %v %q, want %v %q", c.samples, k.m.load, read(t, k, "/proc/loadavg"), c.want, c.printed)
		}
	}
}

func TestTickInPiecesIsTheSame(t *testing.T) {
	script := "cgroup create /a\nlimit cpu /a 1.5\nspawn p in /a\nrun p user=2 system=1\n"
	whole := boot(t, "unified", script+"tick 20s")
	pieces := boot(t, "unified", script+strings.Repeat("tick 400ms\n", 50))
	for _, file := range []string{"/sys/fs/cgroup/a/cpu.stat", "/proc/uptime", "/proc/loadavg", "/sys/fs/cgroup/a/cpu.pressure"} {
		if diff := cmp.Diff(read(t, whole, file), read(t, pieces, file)); diff != "" {
			t.Errorf("%s (-whole +pieces)\n%s", file, diff)
		}
	}
}

func TestCPUSets(t *testing.T) {
	const own, eff = "/sys/fs/cgroup/a/b/cpuset.cpus", "/sys/fs/cgroup/a/b/cpuset.cpus.effective"
	const own1, eff1 = "/sys/fs/cgroup/cpuset/a/b/cpuset.cpus", "/sys/fs/cgroup/cpuset/a/b/cpuset.effective_cpus"
	for _, c := range []struct {
		reason, layout, script, verb string
		errno                        error
		own, effective               string
	}{
		{"v2: empty is the parent's", "unified", "limit cpuset /a 2-5", "tick 1s", nil, "", "2-5"},
		{"v2: own within the parent's", "unified", "limit cpuset /a 2-5", "limit cpuset /a/b 0-3", nil, "0-3", "2-3"},
		{"v2: nothing in common is the parent's", "unified", "limit cpuset /a 2-5", "limit cpuset /a/b 6-7", nil, "6-7", "2-5"},
		{"v2: offline CPUs are kept in cpus", "unified", "limit cpuset /a/b 1-2", "hotplug 2 off", nil, "1-2", "1"},
		{"v2: and come back", "unified", "limit cpuset /a/b 1-2\nhotplug 2 off", "hotplug 2 on", nil, "1-2", "1-2"},
		{"v2: no such CPU", "unified", "", "limit cpuset /a/b 0-8", syscall.EINVAL, "", "0-7"},
		{"v1: born with the parent's", "legacy", "", "tick 1s", nil, "0-7", "0-7"},
		{"v1: must be within the parent's", "legacy", "limit cpuset /a/b 2\nlimit cpuset /a 2-5", "limit cpuset /a/b 0-3", syscall.EACCES, "2", "2"},
		{"v1: a parent may not lose a child's", "hybrid", "limit cpuset /a/b 2", "limit cpuset /a 4-5", syscall.EBUSY, "2", "2"},
		{"v1: offline CPUs are lost", "legacy", "limit cpuset /a/b 1-2", "hotplug 2 off", nil, "1", "1"},
		{"v1: for good", "legacy", "limit cpuset /a/b 1-2\nhotplug 2 off", "hotplug 2 on", nil, "1", "1"},
	} {
		k := boot(t, c.layout+" cpus=8", "cgroup create /a/b\n"+c.script)
		w := strings.Fields(c.verb)
		if err := k.Do(w[0], w[1:]...); !errors.Is(err, c.errno) {
			t.Errorf("%s: %s = %v, want %v", c.reason, c.verb, err, c.errno)
		}
		a, b := own, eff
		if c.layout != "unified" {
			a, b = own1, eff1
		}
		if diff := cmp.Diff([]string{c.own + "\n", c.effective + "\n"}, []string{read(t, k, a), read(t, k, b)}); diff != "" {
			t.Errorf("%s: cpus, effective (-want +got)\n%s", c.reason, diff)
		}
	}
}

func TestEmptiedCPUSetMovesItsTasksUp(t *testing.T) {
	k := boot(t, "legacy cpus=4", "cgroup create /a\nlimit cpuset /a 3\nspawn p in /a\nhotplug 3 off")
	if got := read(t, k, "/proc/1000/cgroup"); !strings.Contains(got, "cpuset:/\n") || !strings.Contains(got, "memory:/a\n") {
		t.Errorf("/proc/PID/cgroup\n%s", got)
	}
	if err := k.Move("p", "/a"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("moving into a cpuset without CPUs: %v, want ENOSPC", err)
	}
}

package core_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lxcfs/core"
)

// TestExplain: an explanation is of what is read, and names kernel file, key and formula.
func TestExplain(t *testing.T) {
	k, c := boot(t, core.Options{CFS: true}, "unified memory=16G swap=0 cpus=4",
		"cgroup create /lxc", "cgroup create /lxc/web", "limit memory /lxc/web 64M", "limit cpu /lxc 1.5",
		"spawn web in /lxc/web pidns=new", "charge /lxc/web file=4M", "write /sys/fs/cgroup/lxc/web/memory.current 10485760\\n", "tick 5s")
	who := caller(t, k, "web")
	want := map[string][][2]string{
		"proc/meminfo": {
			{"MemTotal", "65536 kB = limit 65536 kB (/lxc/web memory.max)"},
			{"MemFree", "55296 kB = limit 65536 kB (/lxc/web memory.max) - usage 10240 kB (/lxc/web memory.current)"},
			{"Cached", "4096 kB = file 4096 kB (/lxc/web memory.stat)"},
			{"Buffers", "0 kB = 0: block device pages are part of a cgroup's file pages"},
			{"SwapTotal", "0 kB = 0 kB, the host has no swap"},
			{"Hugetlb", " HugePages_Total x Hugepagesize"},
			{"DirectMap1G", "65536 kB = the host's "},
		},
		"sys/devices/system/cpu/online": {
			{"", "effective cpuset 0-3 (/lxc/web cpuset.cpus.effective), its first 2 (quota 150ms in 100ms, /lxc cpu.max)"},
		},
		"proc/cpuinfo":  {{"processor", "its first 2 (quota 150ms in 100ms, /lxc cpu.max); the rest is the host's /proc/cpuinfo"}},
		"proc/slabinfo": {{"", "header only: the kernel does not list the caches of /lxc/web"}},
		"proc/loadavg": {
			{"averages", "threads in state R or D of /lxc/web and below, sampled every 5s"}, {"running/total", "threads of /lxc/web and below"},
			{"last", "their highest thread id"},
		},
		"sys/devices/system/cpu/possible": {{"", "0 to the highest CPU of effective cpuset 0-3"}},
		"sys/devices/system/cpu/offline":  {{"", "the possible CPUs that are not visible: effective cpuset 0-3"}},
		"proc/pressure/cpu":               {{"", "/lxc/web cpu.pressure"}},
		"proc/pressure/io":                {{"", "/lxc/web io.pressure"}},
		"proc/pressure/memory":            {{"", "/lxc/web memory.pressure"}},
		"proc/uptime":                     {{"uptime", "(/proc/uptime) - start "}, {"idle", "sum of the idle column"}},
		"proc/stat":                       {{"cpu", "sum of the cpuN lines, in 1/100 s"}, {"btime", "the host's /proc/stat"}, {"cpuN", "/lxc/web cpu.stat"}, {"procs_running", "state R of /lxc/web and below"}, {"procs_blocked", "state D of /lxc/web and below"}},
	}
	for i := range core.Files {
		path := core.Files[i].Path
		e, err := c.Explain(who, path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := c.Read(who, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(text), e.Text); diff != "" {
			t.Errorf("%s: what is read and what is explained (-read +explained):\n%s", path, diff)
		}
		if len(e.Readings) == 0 {
			t.Errorf("%s: no kernel file is said to have been read", path)
		}
		for _, w := range want[path] {
			found := ""
			for _, r := range e.Why {
				if r.Item == w[0] {
					found = r.From
				}
			}
			if !strings.Contains(found, w[1]) {
				t.Errorf("%s: %q is explained as %q, want it to say %q", path, w[0], found, w[1])
			}
		}
	}
	// Every line of meminfo is explained, the host's as well.
	e, err := c.Explain(who, "proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(e.Text, "\n"); len(e.Why) != lines {
		t.Errorf("meminfo has %d lines, %d are explained", lines, len(e.Why))
	}
}

// Where the kernel counts user and system time apart by samples, it is said which file.
func TestExplainDivision(t *testing.T) {
	for layout, want := range map[string]bool{"legacy": true, "unified": false} {
		k, c := boot(t, core.Options{}, layout, "cgroup create /web", "spawn web in /web pidns=new", "run web user=1", "tick 5s")
		e, err := c.Explain(caller(t, k, "web"), "proc/stat")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range e.Why {
			if r.Item == "cpuN" && strings.Contains(r.From, "user and system by cpuacct.usage_all") != want {
				t.Errorf("%s: cpuN is explained as %q, want a word on its division: %v", layout, r.From, want)
			}
		}
	}
}

// TestExplainSwap: limit and usage come from different files, and v1's differ from v2's.
func TestExplainSwap(t *testing.T) {
	for _, tt := range []struct{ host, limit, size, used string }{
		{"unified", "limit swap /web 64M", "65536 kB, limit (/web memory.swap.max)", "8192 kB (/web memory.swap.current)"},
		{"legacy", "limit memsw /web 96M", "98304 kB, limit (/web memory.stat)", "8192 kB (/web memory.memsw.usage_in_bytes)"},
	} {
		k, c := boot(t, core.Options{}, tt.host+" memory=8G swap=1G", "cgroup create /web", "limit memory /web 64M",
			tt.limit, "spawn web in /web pidns=new", "charge /web anon=32M", "swap /web out=8M")
		e, err := c.Explain(caller(t, k, "web"), "proc/swaps")
		if err != nil {
			t.Fatal(err)
		}
		want := []core.Reason{{Item: "Size", From: tt.size}, {Item: "Used", From: tt.used}}
		if diff := cmp.Diff(want, e.Why); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.host, diff)
		}
	}
}

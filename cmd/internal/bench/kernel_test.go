package bench

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestHierarchies(t *testing.T) {
	const (
		v1 = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
34 31 0:31 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
35 31 0:32 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
`
		again = "36 31 0:31 / /mnt/memory rw,relatime - cgroup cgroup rw,memory\n"
		v2    = "30 23 0:27 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
	)
	unified := hierarchy{"/sys/fs/cgroup", true, []string{"cpuset", "cpu", "io", "memory", "pids"}}
	legacy := []hierarchy{
		{"/sys/fs/cgroup/cpu,cpuacct", false, []string{"cpu", "cpuacct"}},
		{"/sys/fs/cgroup/memory", false, []string{"memory"}},
	}
	for _, c := range []struct {
		mountinfo, offered string
		want               []hierarchy
		reason             string
	}{
		{v1, "", legacy, "v1: the named hierarchy has no controller"},
		{v1 + again, "", legacy, "a hierarchy mounted twice is one"},
		{v2, "cpuset cpu io memory hugetlb pids rdma misc", []hierarchy{unified}, "v2: those we want"},
		{v1 + v2, "hugetlb", legacy, "hybrid: nothing we want is on v2"},
	} {
		got, err := hierarchies(strings.NewReader(c.mountinfo), func(string) []string { return strings.Fields(c.offered) })
		if err != nil {
			t.Errorf("%s: %v", c.reason, err)
		}
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(hierarchy{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.reason, diff)
		}
	}
	if got, err := hierarchies(strings.NewReader(""), nil); err == nil {
		t.Errorf("without a cgroup mount: %v, want an error", got)
	}
}

func TestParseStat(t *testing.T) {
	const line = "4711 (lx) (cfs) S 1 4711 4711 0 -1 4194560 222 333 2 3 55 66 77 88 20 0 11 0 9000 123456789 700 18446744073709551615 1 1"
	got, err := parseStat(line)
	if err != nil {
		t.Fatal(err)
	}
	want := procStat{
		user: 550 * time.Millisecond, system: 660 * time.Millisecond, children: 1650 * time.Millisecond,
		childFaults: 336, threads: 11, rss: 700 * int64(os.Getpagesize()),
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(procStat{})); diff != "" {
		t.Errorf("parseStat (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"", "1 (a) S 1", strings.Replace(line, " 55 ", " x ", 1)} {
		if _, err := parseStat(bad); err == nil {
			t.Errorf("parseStat(%q): no error", bad)
		}
	}
}

func TestUsageOfThisProcess(t *testing.T) {
	u, err := usage([]int{os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	if u.CPU <= 0 || u.RSS <= 0 || u.Threads < 1 || u.FDs < 1 || u.Processes < 1 {
		t.Errorf("usage = %+v: something is not there", u)
	}
}

func TestMisled(t *testing.T) {
	for content, bad := range map[string]bool{
		"MemTotal:         262144 kB\nMemFree: 1 kB\n": false,
		"MemTotal:       24684084 kB\nMemFree: 1 kB\n": true,
		"12.3 4.5\n": false,
		"":           false,
	} {
		if got := misled(content); (got != "") != bad {
			t.Errorf("misled(%q) = %q", content, got)
		}
	}
}

func TestPick(t *testing.T) {
	good := options{suites: []string{"cost", "rss"}, only: "meminfo", rounds: 1, round: 1, soak: 1, scale: 1}
	got, err := good.pick(Suites())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || len(got[0].Rows) != 1 || got[0].Rows[0].Name != "meminfo" {
		t.Errorf("pick = %v, want the row meminfo of cost alone", got)
	}
	scaled := options{suites: []string{"rss", "soak"}, rounds: 1, round: 1, soak: 3 * time.Second, scale: 200}
	if got, err = scaled.pick(Suites()); err != nil {
		t.Fatal(err)
	}
	if r := got[0].Rows; r[0].Containers != 1 || r[2].Containers != 25 {
		t.Errorf("rss scaled by 200: %d and %d containers, want 1 and 25", r[0].Containers, r[2].Containers)
	}
	if r := got[1].Rows[0]; r.Round != 3*time.Second {
		t.Errorf("--soak 3s: rounds of %v", r.Round)
	}
	counted := options{suites: []string{"soak"}, only: "reads", rounds: 1, round: 1, soak: 1, soakReads: 10_000_000, scale: 1}
	if got, err = counted.pick(Suites()); err != nil {
		t.Fatal(err)
	}
	if r := got[0].Rows[0]; r.Rounds*r.Count != 10_000_000 {
		t.Errorf("--soak-reads 10000000: %d rounds of %d reads", r.Rounds, r.Count)
	}
	for _, bad := range []options{
		{suites: []string{"nosuch"}, rounds: 1, round: 1, soak: 1, scale: 1},
		{suites: []string{"cost"}, only: "nosuch", rounds: 1, round: 1, soak: 1, scale: 1},
		{suites: []string{"cost"}, rounds: 0, round: 1, soak: 1, scale: 1},
	} {
		if _, err := bad.pick(Suites()); err == nil {
			t.Errorf("pick(%+v): no error", bad)
		}
	}
}

func TestLaunches(t *testing.T) {
	o := options{ours: "bin/lxcfs --debug", peer: "/var/lib/lxcfs@42", host: true}
	got, err := o.launches()
	if err != nil {
		t.Fatal(err)
	}
	want := []Launch{
		{Name: Ours, Command: []string{"bin/lxcfs", "--debug", "-f"}},
		{Name: Peer, Root: "/var/lib/lxcfs", PID: 42},
		{Name: Host},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("launches (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"/mnt@x", "mnt@4", "/mnt@0"} {
		if _, err := (&options{null: bad}).launches(); err == nil {
			t.Errorf("--null %s: no error", bad)
		}
	}
}

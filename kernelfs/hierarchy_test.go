package kernelfs

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shown is what of a Hierarchy a mountinfo line decides.
type shown struct {
	Version     int
	Mount, Root string
	Controllers string
}

func show(h *Hierarchy) *shown {
	if h == nil {
		return nil
	}
	return &shown{h.Version, h.Mount, h.Root, strings.Join(h.Controllers, ",")}
}

func TestParseMount(t *testing.T) {
	for _, tc := range []struct {
		reason string
		line   string
		want   *shown
		err    error
	}{
		{
			"unified: systemd's mount",
			"35 25 0:32 / /sys/fs/cgroup rw,nosuid,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot",
			&shown{2, "/sys/fs/cgroup", "/", ""}, nil,
		},
		{
			"legacy: one controller",
			"36 31 0:34 / /sys/fs/cgroup/memory rw,relatime - cgroup memory rw,memory",
			&shown{1, "/sys/fs/cgroup/memory", "/", "memory"}, nil,
		},
		{
			"legacy: two mounted together, two optional fields",
			"33 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw shared:1 master:2 - cgroup cgroup rw,cpu,cpuacct",
			&shown{1, "/sys/fs/cgroup/cpu,cpuacct", "/", "cpu,cpuacct"}, nil,
		},
		{
			"options that are no controllers",
			"32 31 0:30 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cpuset rw,cpuset,clone_children,xattr",
			&shown{1, "/sys/fs/cgroup/cpuset", "/", "cpuset"}, nil,
		},
		{
			"a named hierarchy only names processes",
			"45 31 0:43 / /sys/fs/cgroup/systemd rw,relatime - cgroup systemd rw,xattr,name=systemd",
			nil, nil,
		},
		{
			"a named hierarchy that is called like a controller has none",
			"45 31 0:43 / /sys/fs/cgroup/x rw,relatime - cgroup x rw,name=memory",
			nil, nil,
		},
		{
			"controllers no served file needs",
			"42 31 0:41 / /sys/fs/cgroup/pids rw,relatime - cgroup pids rw,pids",
			nil, nil,
		},
		{
			"blkio by its v1 name",
			"35 31 0:33 / /sys/fs/cgroup/blkio rw - cgroup blkio rw,blkio",
			&shown{1, "/sys/fs/cgroup/blkio", "/", "blkio"}, nil,
		},
		{
			"part of a tree, in a container",
			"700 690 0:34 /docker/4f5a /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory",
			&shown{1, "/sys/fs/cgroup/memory", "/docker/4f5a", "memory"}, nil,
		},
		{
			"blanks, tabs, newlines and backslashes are octal",
			`36 31 0:34 /a\040b /mnt/c\011d\012e\134f rw - cgroup2 none rw`,
			&shown{2, "/mnt/c\td\ne\\f", "/a b", ""}, nil,
		},
		{
			"an escaped backslash does not begin another escape",
			`36 31 0:34 / /mnt/\134040 rw - cgroup2 none rw`,
			&shown{2, `/mnt/\040`, "/", ""}, nil,
		},
		{
			"other file systems",
			"25 1 0:23 / /proc rw,nosuid - proc proc rw",
			nil, nil,
		},
		{"a blank line", "", nil, nil},
		{"no separator", "35 25 0:32 / /sys/fs/cgroup rw cgroup2 cgroup2 rw", nil, errFormat},
		{"too short on the left", "35 25 0:32 / /sys/fs/cgroup - cgroup2 cgroup2 rw", nil, errFormat},
		{"too short on the right", "35 25 0:32 / /sys/fs/cgroup rw - cgroup2", nil, errFormat},
	} {
		h, err := parseMount(tc.line)
		if diff := cmp.Diff(tc.want, show(h)); diff != "" {
			t.Errorf("%s: parseMount(%q) (-want +got)\n%s", tc.reason, tc.line, diff)
		}
		if !errors.Is(err, tc.err) {
			t.Errorf("%s: parseMount(%q): %v, want %v", tc.reason, tc.line, err, tc.err)
		}
	}
}

func TestDetect(t *testing.T) {
	for _, tc := range []struct {
		reason  string
		archive string
		layout  string
		has     map[Controller]string // VERSION MOUNT
	}{
		{
			"legacy",
			legacy,
			"legacy",
			map[Controller]string{
				CPU: "1 /sys/fs/cgroup/cpu,cpuacct", CPUAcct: "1 /sys/fs/cgroup/cpu,cpuacct", CPUSet: "1 /sys/fs/cgroup/cpuset",
				Memory: "1 /sys/fs/cgroup/memory", IO: "1 /sys/fs/cgroup/blkio", HugeTLB: "1 /sys/fs/cgroup/hugetlb",
			},
		},
		{
			"unified; cpu.stat and the pressure files need no controller",
			unified,
			"unified",
			map[Controller]string{
				CPU: "2 /sys/fs/cgroup", CPUAcct: "2 /sys/fs/cgroup", CPUSet: "2 /sys/fs/cgroup", Memory: "2 /sys/fs/cgroup",
				IO: "2 /sys/fs/cgroup", HugeTLB: "2 /sys/fs/cgroup", PSI: "2 /sys/fs/cgroup",
			},
		},
		{
			"unified without all controllers: a kernel built without hugetlb",
			`
-- proc/self/mountinfo --
35 25 0:32 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
-- sys/fs/cgroup/cgroup.controllers --
cpuset cpu memory
`,
			"unified",
			map[Controller]string{CPU: "2 /sys/fs/cgroup", CPUAcct: "2 /sys/fs/cgroup", CPUSet: "2 /sys/fs/cgroup", Memory: "2 /sys/fs/cgroup", PSI: "2 /sys/fs/cgroup"},
		},
		{
			"hybrid: each controller where it is, v1 first",
			`
-- proc/self/mountinfo --
30 21 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
31 21 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
32 21 0:31 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct
-- sys/fs/cgroup/unified/cgroup.controllers --
cpu io memory
`,
			"hybrid",
			map[Controller]string{
				CPU: "2 /sys/fs/cgroup/unified", CPUAcct: "1 /sys/fs/cgroup/cpuacct", Memory: "1 /sys/fs/cgroup/memory",
				IO: "2 /sys/fs/cgroup/unified", PSI: "2 /sys/fs/cgroup/unified",
			},
		},
		{
			"the first of several mounts of one tree",
			`
-- proc/self/mountinfo --
31 21 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
32 21 0:30 / /var/lib/x/memory rw - cgroup cgroup rw,memory
33 21 0:33 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
34 21 0:33 / /var/lib/x/unified rw - cgroup2 cgroup2 rw
-- sys/fs/cgroup/unified/cgroup.controllers --
-- var/lib/x/unified/cgroup.controllers --
cpu
`,
			"hybrid",
			map[Controller]string{Memory: "1 /sys/fs/cgroup/memory", CPUAcct: "2 /sys/fs/cgroup/unified", PSI: "2 /sys/fs/cgroup/unified"},
		},
		{
			"a v2 mount that a later mount hides is passed over",
			`
-- proc/self/mountinfo --
30 21 0:29 / /hidden rw - cgroup2 cgroup2 rw
33 21 0:33 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
-- sys/fs/cgroup/cgroup.controllers --
io
`,
			"unified",
			map[Controller]string{IO: "2 /sys/fs/cgroup", CPUAcct: "2 /sys/fs/cgroup", PSI: "2 /sys/fs/cgroup"},
		},
	} {
		s := snapshot(t, tc.archive)
		if got := s.FS().Layout(); got != tc.layout {
			t.Errorf("%s: Layout() = %s, want %s", tc.reason, got, tc.layout)
		}
		got := map[Controller]string{}
		for c := range nControllers {
			if h := s.FS().Hierarchy(c); h != nil {
				got[c] = string(rune('0'+h.Version)) + " " + h.Mount
			}
		}
		if diff := cmp.Diff(tc.has, got); diff != "" {
			t.Errorf("%s: hierarchies (-want +got)\n%s", tc.reason, diff)
		}
	}
}

func TestDetectErrors(t *testing.T) {
	for _, tc := range []struct{ reason, archive, want string }{
		{
			"no cgroup file system: say what to do",
			"-- proc/self/mountinfo --\n25 1 0:23 / /proc rw - proc proc rw\n",
			"/proc/self/mountinfo: no cgroup file system is mounted: mount one at /sys/fs/cgroup",
		},
		{
			"a line that is none, by its number",
			"-- proc/self/mountinfo --\n25 1 0:23 / /proc rw - proc proc rw\n35 25 0:32\n",
			"/proc/self/mountinfo:2: not the documented format",
		},
		{"no /proc", "", "read /proc/self/mountinfo: file does not exist"},
	} {
		if got := errText(New(plant(t, tc.archive)).Detect()); got != tc.want {
			t.Errorf("%s: Detect() = %q, want %q", tc.reason, got, tc.want)
		}
	}
}

func TestDetectAgain(t *testing.T) {
	tr := plant(t, unified)
	k := New(tr)
	if err := k.Detect(); err != nil {
		t.Fatal(err)
	}
	tr.write(t, "/sys/fs/cgroup/cgroup.controllers", "memory\n")
	if err := k.Detect(); err != nil {
		t.Fatal(err)
	}
	if h := k.Hierarchy(IO); h != nil {
		t.Errorf("Hierarchy(IO) = %+v, want none once the controller has left", show(h))
	}
	k.Hierarchies()[0] = nil
	if k.Hierarchies()[0] == nil {
		t.Error("Hierarchies() hands out its own list")
	}
}

func TestControllerString(t *testing.T) {
	want := map[Controller]string{CPU: "cpu", CPUAcct: "cpuacct", CPUSet: "cpuset", Memory: "memory", IO: "blkio", HugeTLB: "hugetlb", PSI: "pressure"}
	got := map[Controller]string{}
	for c := range nControllers {
		got[c] = c.String()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got)\n%s", diff)
	}
}

func TestFind(t *testing.T) {
	all := `13:name=systemd:/system.slice/a.service
6:memory:/mem/container
3:cpu,cpuacct:/cpu/container
2:blkio:/blk/container:with:colons
0::/uni/container
`
	for _, tc := range []struct {
		reason string
		h      *Hierarchy
		text   string
		want   string
		ok     bool
	}{
		{"v2 is the line without names", &Hierarchy{Version: 2, Root: "/"}, all, "/uni/container", true},
		{"v1 by its controller", &Hierarchy{Version: 1, Root: "/", Controllers: []string{"memory"}}, all, "/mem/container", true},
		{"mounted together, by the first", &Hierarchy{Version: 1, Root: "/", Controllers: []string{"cpu", "cpuacct"}}, all, "/cpu/container", true},
		{"mounted together, by the second", &Hierarchy{Version: 1, Root: "/", Controllers: []string{"cpuacct"}}, all, "/cpu/container", true},
		{"a path may hold colons", &Hierarchy{Version: 1, Root: "/", Controllers: []string{"blkio"}}, all, "/blk/container:with:colons", true},
		{"not on this host", &Hierarchy{Version: 1, Root: "/", Controllers: []string{"hugetlb"}}, all, "", false},
		{"a name that only begins like it", &Hierarchy{Version: 1, Root: "/", Controllers: []string{"mem"}}, all, "", false},
		{"a named hierarchy is not the controller", &Hierarchy{Version: 1, Root: "/", Controllers: []string{"systemd"}}, all, "", false},
		{"no v2 on a legacy host", &Hierarchy{Version: 2, Root: "/"}, "6:memory:/x\n", "", false},
		{"a process that ended", &Hierarchy{Version: 2, Root: "/"}, "", "", false},
		{"lines that are none", &Hierarchy{Version: 2, Root: "/"}, "0\n0:\n0::/x\n", "/x", true},
		{"the root", &Hierarchy{Version: 2, Root: "/"}, "0::/\n", "/", true},
		{"a removed cgroup: its path is all that is left", &Hierarchy{Version: 2, Root: "/"}, "0::/lxc/c1 (deleted)\n", "/lxc/c1", true},
		{"systemd's own leaf is pruned", &Hierarchy{Version: 2, Root: "/"}, "0::/lxc/c1/init.scope\n", "/lxc/c1", true},
		{"once", &Hierarchy{Version: 2, Root: "/"}, "0::/lxc/c1/init.scope/init.scope\n", "/lxc/c1/init.scope", true},
		{"of the host's init", &Hierarchy{Version: 2, Root: "/"}, "0::/init.scope\n", "/", true},
		{"of a removed cgroup", &Hierarchy{Version: 2, Root: "/"}, "0::/lxc/c1/init.scope (deleted)\n", "/lxc/c1", true},
		{"only a whole name is pruned", &Hierarchy{Version: 2, Root: "/"}, "0::/lxc/my-init.scope\n", "/lxc/my-init.scope", true},
		{"only the last name is pruned", &Hierarchy{Version: 2, Root: "/"}, "0::/init.scope/x\n", "/init.scope/x", true},
		{"nothing else is pruned", &Hierarchy{Version: 2, Root: "/"}, "0::/x/init\n", "/x/init", true},

		{"outside of the daemon's cgroup namespace", &Hierarchy{Version: 2, Root: "/"}, "0::/../other\n", "", false},
		{"far outside", &Hierarchy{Version: 2, Root: "/"}, "0::/../../a/b\n", "", false},
		{"just outside", &Hierarchy{Version: 2, Root: "/"}, "0::/..\n", "", false},
		{"a name may begin with two dots", &Hierarchy{Version: 2, Root: "/"}, "0::/..data/x\n", "/..data/x", true},
		{"no path at all", &Hierarchy{Version: 2, Root: "/"}, "0::relative\n", "", false},

		{"a part of the tree is mounted", &Hierarchy{Version: 2, Root: "/docker/4f"}, "0::/docker/4f/app\n", "/app", true},
		{"its top", &Hierarchy{Version: 2, Root: "/docker/4f"}, "0::/docker/4f\n", "/", true},
		{"a neighbour whose name begins the same is seen from inside", &Hierarchy{Version: 2, Root: "/docker/4f"}, "0::/docker/4f5a\n", "/docker/4f5a", true},
		{"in a cgroup namespace paths do not begin with the root", &Hierarchy{Version: 2, Root: "/docker/4f"}, "0::/app\n", "/app", true},
		{"and the namespace's own root", &Hierarchy{Version: 2, Root: "/docker/4f"}, "0::/\n", "/", true},
		{"outside of the mounted part", &Hierarchy{Version: 2, Root: "/docker/4f"}, "0::/../other\n", "", false},
		{"mounted from above the namespace: its own words", &Hierarchy{Version: 2, Root: "/.."}, "0::/../other\n", "/other", true},
		{"mounted from above, the mount's root", &Hierarchy{Version: 2, Root: "/.."}, "0::/..\n", "/", true},
		{"outside even of that", &Hierarchy{Version: 2, Root: "/.."}, "0::/../../other\n", "", false},
	} {
		got, ok := tc.h.Find([]byte(tc.text))
		if got != tc.want || ok != tc.ok {
			t.Errorf("%s: Find(%q) = %q, %v, want %q, %v", tc.reason, tc.text, got, ok, tc.want, tc.ok)
		}
	}
}

package kernelfs

import (
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCgroupShared(t *testing.T) {
	s := snapshot(t, unified)
	h := s.FS().Hierarchy(Memory)
	a, b := h.Cgroup("/lxc/c1"), h.Cgroup("/lxc/c2")
	again := h.Cgroup("/lxc/c1")
	if a != again {
		t.Error("the same cgroup asked for twice is two")
	}
	if a.parent != b.parent || a.parent.Path != "/lxc" || a.parent.parent.Path != "/" {
		t.Errorf("parents %q and %q, want one /lxc below /", a.parent.Path, b.parent.Path)
	}
	known := func() []string {
		var paths []string
		for p := range h.groups {
			paths = append(paths, p)
		}
		slices.Sort(paths)
		return paths
	}
	for _, step := range []struct {
		reason string
		cg     *Cgroup
		want   []string
	}{
		{"one of two holders", again, []string{"/", "/lxc", "/lxc/c1", "/lxc/c2"}},
		{"the last holder; the parent serves a neighbour", a, []string{"/", "/lxc", "/lxc/c2"}},
		{"nobody is left", b, nil},
	} {
		step.cg.Release()
		if diff := cmp.Diff(step.want, known()); diff != "" {
			t.Errorf("after releasing %s: kept (-want +got)\n%s", step.reason, diff)
		}
	}
	var none *Cgroup
	none.Release()
}

func TestCgroupDir(t *testing.T) {
	for _, tc := range []struct {
		layout string
		set    Controller
		path   string
		want   string
		root   bool
	}{
		{unified, Memory, "/", "/sys/fs/cgroup", true},
		{unified, Memory, "/a/b", "/sys/fs/cgroup/a/b", false},
		{legacy, CPUAcct, "/a", "/sys/fs/cgroup/cpu,cpuacct/a", false},
		{legacy, IO, "/", "/sys/fs/cgroup/blkio", true},
	} {
		cg := groupOf(t, snapshot(t, tc.layout), tc.set, tc.path)
		if got := cg.Dir(); got != tc.want || cg.Root() != tc.root {
			t.Errorf("%v %s: Dir() = %s, Root() = %v, want %s, %v", tc.set, tc.path, got, cg.Root(), tc.want, tc.root)
		}
	}
}

func TestFileNames(t *testing.T) {
	for n := range nNames {
		if fileNames[n][1] == "" && fileNames[n][2] == "" {
			t.Errorf("file %d has no name on either version", n)
		}
	}
	if got := (At{}).File(); got != "" {
		t.Errorf("At{}.File() = %q, want nowhere", got)
	}
}

func TestCgroupFileOnce(t *testing.T) {
	cg := groupOf(t, snapshot(t, unified), Memory, "/x")
	var wg sync.WaitGroup
	files := make([]*File, 8)
	for i := range files {
		wg.Go(func() { files[i] = cg.file(memLimit) })
	}
	wg.Wait()
	for _, f := range files {
		if f != files[0] {
			t.Error("a file of a cgroup has two handles")
		}
	}
	if got, want := files[0].Path(), "/sys/fs/cgroup/x/memory.max"; got != want {
		t.Errorf("Path() = %s, want %s", got, want)
	}
}

func TestThreads(t *testing.T) {
	v2 := unified + `
-- sys/fs/cgroup/x/cgroup.threads --
10
11
0
-- sys/fs/cgroup/x/a/cgroup.threads --
20
-- sys/fs/cgroup/x/a/deep/cgroup.threads --
30
-- sys/fs/cgroup/x/b/cgroup.threads --
40
odd
2147483648
-- sys/fs/cgroup/y/cgroup.threads --
99
`
	for tid, state := range map[string]byte{"10": 'R', "11": 'D', "20": 'S', "30": 'D', "40": 'D', "99": 'R'} {
		v2 += "-- proc/" + tid + "/task/" + tid + "/status --\nState:\t" + string(state) + "\n"
	}
	all := Threads{Total: 5, Running: 1, Blocked: 3, Last: 40}
	for _, tc := range []struct {
		reason         string
		archive        string
		groups, states int
		want           Threads
	}{
		{"with what is below; threads of other hosts are 0", v2, 4, 5, all},
		{"more cgroups than allowed", v2, 2, 5, Threads{Total: 3, Running: 1, Blocked: 2, Last: 40}},
		{"more threads than may be asked one by one", v2, 4, 1, Threads{Total: 5, Running: 1, Last: 40}},
		{"by one", v2, 4, 4, Threads{Total: 5, Running: 1, Blocked: 2, Last: 40}},
		{"v1: tasks; one has ended", legacy + `
-- sys/fs/cgroup/cpu,cpuacct/x/tasks --
5
-- sys/fs/cgroup/cpu,cpuacct/x/a/tasks --
1
-- sys/fs/cgroup/cpu,cpuacct/x/cgroup.threads --
7
-- proc/1/task/1/status --
State:	R (running)
`, 4, 5, Threads{Total: 2, Running: 1, Last: 5}},
		{"removed", unified, 4, 5, Threads{}},
		{"a child that is just being removed", v2 + "-- sys/fs/cgroup/x/c/cgroup.threads ! ENODEV --\n", 5, 5, all},
	} {
		s := snapshot(t, tc.archive)
		if got := groupOf(t, s, CPU, "/x").Threads(s, tc.groups, tc.states); got != tc.want {
			t.Errorf("%s: Threads = %+v, want %+v", tc.reason, got, tc.want)
		}
	}
}

func TestThreadsWithoutListing(t *testing.T) {
	tr := plant(t, unified+"-- sys/fs/cgroup/x/cgroup.threads --\n10\n")
	tr.fails["/sys/fs/cgroup/x"] = errnoOf(t, "EIO")
	k := New(tr)
	if err := k.Detect(); err != nil {
		t.Fatal(err)
	}
	s := k.Snapshot()
	if got, want := groupOf(t, s, CPU, "/x").Threads(s, 4, 5), (Threads{Total: 1, Last: 10}); got != want {
		t.Errorf("Threads = %+v, want %+v", got, want)
	}
}

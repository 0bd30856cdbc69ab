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
	const v2 = unified + `
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
	for _, tc := range []struct {
		reason  string
		archive string
		set     Controller
		limit   int
		want    []int
		all     bool
	}{
		{"with what is below; threads of other hosts are 0", v2, CPU, 4, []int{10, 11, 20, 30, 40}, true},
		{"more cgroups than allowed", v2, CPU, 2, []int{10, 11, 40}, false},
		{"v1: tasks", legacy + "-- sys/fs/cgroup/cpu,cpuacct/x/tasks --\n5\n-- sys/fs/cgroup/cpu,cpuacct/x/a/tasks --\n6\n-- sys/fs/cgroup/cpu,cpuacct/x/cgroup.threads --\n7\n", CPU, 4, []int{5, 6}, true},
		{"removed", unified, CPU, 4, nil, true},
		{"a child that is just being removed", v2 + "-- sys/fs/cgroup/x/c/cgroup.threads ! ENODEV --\n", CPU, 5, []int{10, 11, 20, 30, 40}, true},
	} {
		s := snapshot(t, tc.archive)
		var got []int
		all := groupOf(t, s, tc.set, "/x").Threads(s, tc.limit, func(tid int) { got = append(got, tid) })
		slices.Sort(got)
		if diff := cmp.Diff(tc.want, got); diff != "" || all != tc.all {
			t.Errorf("%s: Threads, all = %v, want %v (-want +got)\n%s", tc.reason, all, tc.all, diff)
		}
	}
}

func TestThreadsWithoutListing(t *testing.T) {
	var got []int
	tr := plant(t, unified+"-- sys/fs/cgroup/x/cgroup.threads --\n10\n")
	tr.fails["/sys/fs/cgroup/x"] = errnoOf(t, "EIO")
	k := New(tr)
	if err := k.Detect(); err != nil {
		t.Fatal(err)
	}
	s := k.Snapshot()
	if !groupOf(t, s, CPU, "/x").Threads(s, 4, func(tid int) { got = append(got, tid) }) {
		t.Error("Threads reports that more cgroups were there than allowed")
	}
	if diff := cmp.Diff([]int{10}, got); diff != "" {
		t.Errorf("threads (-want +got)\n%s", diff)
	}
}

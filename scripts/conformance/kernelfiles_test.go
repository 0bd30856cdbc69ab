//go:build integration

package conformance

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/afero"

	"lxcfs/fakekernel"
)

// exceptions are known differences of kernel files, by path below the hierarchy.
var exceptions = []struct{ file, why string }{
	{`cgroup\.clone_children`, "set by whoever mounts the cpuset hierarchy"},
	{`cpuset\.(cpus|mems)`, "v1: filled by who makes the cgroup, not by the kernel"},
	{`cpuset\.(effective_)?mems(\.effective)?`, "a machine with several memory nodes"},
	{`cpu\.rt_(period|runtime)_us`, "CONFIG_RT_GROUP_SCHED, which distributions leave out"},
	{`blkio\.(bfq|weight).*|io\.bfq\.weight`, "the BFQ scheduler is a module, loaded or not"},
	{`io\.(cost\..*|weight|latency|prio\.class)`, "CONFIG_BLK_CGROUP_IOCOST and IOLATENCY differ between distributions"},
	{`memory\.kmem\.slabinfo`, "until 6.1 read(2) fails with EIO for a cgroup without slab"},
	{`hugetlb\..*`, "page sizes of the processor"},
	{`cgroup\.controllers|cgroup\.subtree_control`, "hybrid: what v1 hierarchies have not taken stays with v2's"},
	{`misc\..*|rdma\..*|net_.*|devices\.list`, "devices of the machine"},
	{`release_agent`, "root only, set by systemd"},
	{`memory\.shown_ram_in_bytes`, "a vendor's patch; no released kernel has it"},
}

func excepted(file string) bool {
	for _, e := range exceptions {
		if regexp.MustCompile(`^(` + e.file + `)$`).MatchString(file) {
			return true
		}
	}
	return false
}

// buildKeys are lines that depend on how the kernel was built: CONFIG_NUMA_BALANCING, CONFIG_MEMORY_FAILURE,
// CONFIG_UNACCEPTED_MEMORY, CONFIG_CMA, and controllers in cgroup.stat; or on the processor: pages of 1 GiB.
var buildKeys = regexp.MustCompile(`(?m)^(numa_.*|pgdemote_.*|pgpromote_.*|hugetlb.*|HardwareCorrupted:|Unaccepted:|DirectMap1G:|Cma.*|nr_(dying_)?subsys_.*) .*\n`)

// TestKernelFiles compares the files of hierarchies' roots and of a new cgroup: their names, the shape of their text (keys
// and their order, numbers as N) and the defaults of those that can be written.
func TestKernelFiles(t *testing.T) {
	k, err := fakekernel.Boot(host.boot(uptime())...)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.CgroupCreate("/new"); err != nil {
		t.Fatal(err)
	}
	r := &real{m: host, arena: stage, named: map[string]*task{}}
	defer func() {
		if err := r.close(); err != nil {
			t.Error(err)
		}
	}()
	if err := r.cgroup([]string{"create", "/new"}); err != nil {
		t.Fatal(err)
	}
	for i := range host.trees {
		tree := &host.trees[i]
		fakeDir := tree.mount
		if len(tree.controllers) == 1 && !tree.v2 {
			fakeDir = "/sys/fs/cgroup/" + strings.TrimPrefix(tree.controllers[0], "name=")
		}
		if _, err := k.Stat(fakeDir); err != nil {
			t.Logf("%s: the fake does not mount it so", tree.mount)
			continue
		}
		for _, c := range []struct{ fake, kernel, what string }{
			{fakeDir, tree.mount, "root"}, {fakeDir + "/new", place{tree, "/new"}.dir(), "new"},
		} {
			t.Run(filepath.Base(tree.mount)+"/"+c.what, func(t *testing.T) { compareDirs(t, k, tree, c.fake, c.kernel, c.what == "new") })
		}
	}
	for _, file := range []string{"/proc/meminfo", "/proc/stat", "/proc/swaps", "/proc/uptime", "/proc/loadavg", "/proc/pressure/cpu", "/proc/pressure/memory"} {
		t.Run(file, func(t *testing.T) { compareShape(t, k, file, file, file) })
	}
}

func compareDirs(t *testing.T, k *fakekernel.Kernel, tree *tree, fake, kernel string, defaults bool) {
	inFake, modes := filesIn(t, k, fake, tree)
	inKernel, _ := filesIn(t, afero.NewOsFs(), kernel, tree)
	if diff := cmp.Diff(inKernel, inFake); diff != "" {
		t.Errorf("%s: names of files (-real kernel +fake):\n%s", kernel, diff)
	}
	for _, name := range inFake {
		if !slices.Contains(inKernel, name) || modes[name]&0o444 == 0 || excepted(name) {
			continue
		}
		compareShape(t, k, name, fake+"/"+name, kernel+"/"+name)
		if defaults && modes[name]&0o200 != 0 && !strings.Contains(name, "pressure") && !strings.Contains(name, "subtree") {
			compareText(t, k, fake+"/"+name, kernel+"/"+name, func(s string) string { return s })
		}
	}
}

// filesIn lists the files of a cgroup that are the core's or of one of the tree's controllers: a fake's hierarchy may have
// more, since it mounts cpu and cpuacct together.
func filesIn(t *testing.T, on afero.Fs, dir string, tree *tree) (names []string, modes map[string]fs.FileMode) {
	infos, err := afero.ReadDir(on, dir)
	if err != nil {
		t.Fatal(err)
	}
	modes = map[string]fs.FileMode{}
	for _, fi := range infos {
		name := fi.Name()
		owner, _, dotted := strings.Cut(name, ".")
		foreign := dotted && owner != "cgroup" && !tree.v2 && !tree.has(owner)
		if fi.IsDir() || excepted(name) || foreign {
			continue
		}
		names, modes[name] = append(names, name), fi.Mode()
	}
	slices.Sort(names)
	return names, modes
}

var number = regexp.MustCompile(` *-?\d+(\.\d+)?`)

// compareShape compares a file with every number taken for any other.
func compareShape(t *testing.T, k *fakekernel.Kernel, name, fake, kernel string) {
	compareText(t, k, fake, kernel, func(s string) string {
		switch name {
		case "cgroup.procs", "tasks", "cgroup.threads", "io.stat", "cpuacct.usage_percpu", "cpuset.cpus.effective", "cpuset.effective_cpus":
			return "" // as many as there are
		case "/proc/stat":
			s = regexp.MustCompile(`(?m)^(intr|softirq) .*$`).ReplaceAllString(s, "$1")
		case "/proc/swaps":
			s, _, _ = strings.Cut(s, "\n")
		}
		if strings.HasPrefix(name, "blkio.throttle") {
			return "" // a line for each disk in use
		}
		s = buildKeys.ReplaceAllString(s, "")
		return number.ReplaceAllString(s, " N")
	})
}

func compareText(t *testing.T, k *fakekernel.Kernel, fake, kernel string, shape func(string) string) {
	t.Helper()
	a, err1 := k.ReadFile(fake)
	b, err2 := os.ReadFile(kernel)
	if (err1 == nil) != (err2 == nil) {
		t.Errorf("%s: on the fake %v, on the real kernel %v", kernel, err1, err2)
		return
	}
	want, got := shape(string(b)), shape(string(a))
	results.files++
	if want != got {
		t.Errorf("%s (-real kernel +fake):\n%s", kernel, cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")))
		results.differ = append(results.differ, fmt.Sprintf("%s: %q on the fake, %q on the real kernel", kernel, firstDifference(got, want), firstDifference(want, got)))
	}
}

// firstDifference is the first line of a that b has not.
func firstDifference(a, b string) string {
	lines := strings.Split(b, "\n")
	for line := range strings.SplitSeq(a, "\n") {
		if !slices.Contains(lines, line) {
			return line
		}
	}
	return ""
}

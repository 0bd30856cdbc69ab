package fakekernel

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/spf13/afero"
)

var (
	numbers = regexp.MustCompile(`-?\d+(\.\d+)?`)
	padded  = regexp.MustCompile(` +\d+`)
)

// TestShapesAreThoseOfRealKernels compares directory listings, keys and their order with what was captured from guests. The
// captured kernels have no zswap.
func TestShapesAreThoseOfRealKernels(t *testing.T) {
	b, err := os.ReadFile("testdata/shapes.txtar")
	if err != nil {
		t.Fatal(err)
	}
	kernels := map[string]*Kernel{}
	for _, f := range txtar.Parse(b).Files {
		release, rest, _ := strings.Cut(f.Name, " ")
		layout, file, _ := strings.Cut(rest, " ")
		k := kernels[release+layout]
		if k == nil {
			k = boot(t, layout+" zswap=off memory=1G swap=200M disks=vda kernel="+release, `cgroup create /limited
				limit memory /limited 64M
				limit swap /limited 32M
				limit cpu /limited 0.5
				limit cpuset /limited 0
				limit pids /limited 100
				spawn a in /limited threads=2
				charge a anon=10M file=40M
				run a user=1.5 system=0.3
				tick 10s
				io a vda write=8M`)
			kernels[release+layout] = k
		}
		if diff := cmp.Diff(string(f.Data), shapeOf(t, k, file)); diff != "" {
			t.Errorf("%s (-real +fake)\n%s", f.Name, diff)
		}
	}
	if len(kernels) != 8 {
		t.Errorf("%d releases and layouts compared, want 8", len(kernels))
	}
}

func shapeOf(t *testing.T, k *Kernel, file string) string {
	t.Helper()
	if dir, ok := strings.CutSuffix(file, "/"); ok {
		infos, err := afero.ReadDir(k, dir)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, fi := range infos {
			names = append(names, fi.Name()+"\n")
		}
		return strings.Join(names, "")
	}
	text := read(t, k, file)
	switch file {
	case "/proc/meminfo":
		return padded.ReplaceAllString(text, " N")
	case "/proc/cpuinfo":
		var labels []string
		for line := range strings.Lines(text) {
			if label, _, ok := strings.Cut(line, ":"); ok {
				labels = append(labels, label+":\n")
			}
		}
		slices.Sort(labels)
		return strings.Join(slices.Compact(labels), "")
	}
	return numbers.ReplaceAllString(text, "N")
}

// TestWidths has lines of real kernels whose columns a reader may count.
func TestWidths(t *testing.T) {
	k := boot(t, "unified kernel=6.18 memory=1T swap=20G disks=vda,zram1,nvme0n1", "")
	for file, want := range map[string][]string{
		"/proc/meminfo":      {"MemTotal:       1073741824 kB\n", "SwapFree:       20971520 kB\n", "Inactive(file):    ", "HardwareCorrupted:     0 kB\n", "HugePages_Total:       0\n", "VmallocTotal:   34359738367 kB\n"},
		"/proc/swaps":        {"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/zram0                              partition\t20971520\t0\t\t-2\n"},
		"/proc/diskstats":    {" 254       0 vda ", " 259       0 nvme0n1 "},
		"/proc/slabinfo":     {"slabinfo - version: 2.1\n# name            <active_objs>"},
		"/proc/stat":         {"cpu  ", "\ncpu0 "},
		"/proc/pressure/cpu": {"some avg10=0.00 avg60=0.00 avg300=0.00 total="},
	} {
		text := read(t, k, file)
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s lacks %q:\n%.600s", file, w, text)
			}
		}
	}
}

func TestReleasesDiffer(t *testing.T) {
	for _, c := range []struct {
		reason, words, file string
		there               bool
	}{
		{"CFQ's files before 5.0", "legacy kernel=4.19", "/sys/fs/cgroup/blkio/a/blkio.io_service_time_recursive", true},
		{"and not after", "legacy kernel=5.10", "/sys/fs/cgroup/blkio/a/blkio.io_service_time_recursive", false},
		{"PSI came with 4.20", "unified kernel=4.19", "/proc/pressure/cpu", false},
		{"and can be off", "unified psi=off", "/sys/fs/cgroup/a/cpu.pressure", false},
		{"memory.peak on 7.3", "unified kernel=7.3", "/sys/fs/cgroup/a/memory.peak", true},
		{"zswap's limit", "unified kernel=6.12", "/sys/fs/cgroup/a/memory.zswap.max", true},
		{"not without zswap", "unified kernel=6.12 zswap=off", "/sys/fs/cgroup/a/memory.zswap.max", false},
		{"a v2 root has no usage", "unified", "/sys/fs/cgroup/memory.current", false},
		{"hybrid's v2 tree has no controllers", "hybrid", "/sys/fs/cgroup/unified/a/memory.current", false},
		{"v1 has no pressure files", "legacy", "/sys/fs/cgroup/cpu/a/cpu.pressure", false},
	} {
		k := boot(t, c.words, "cgroup create /a")
		if _, err := k.ReadFile(c.file); (err == nil) != c.there {
			t.Errorf("%s: %s: %v, want it there: %v", c.reason, c.file, err, c.there)
		}
	}
}

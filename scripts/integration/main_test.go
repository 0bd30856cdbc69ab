//go:build integration

// Package integration holds a mounted lxcfs against real containers on this machine's
// kernel: what programs show inside them, and how the numbers move under load. It needs
// root, /dev/fuse and what scripts/testbed/setup.sh installs, and fails without.
//
//	go test -tags integration ./scripts/integration
//
// LXCFS_BIN names the binary to test (default: ./cmd/lxcfs, built). LXCFS_REFERENCE=1 says
// that it is the C LXCFS 5.0.3: the questions it is known to answer wrongly must then be
// answered wrongly, which shows that the tests can fail.
package integration

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"lxcfs/scripts/testbed"
)

var (
	lx        *testbed.LXCFS
	reference = os.Getenv("LXCFS_REFERENCE") != ""
	runtimes  = flag.String("runtimes", "all", "comma-separated runtimes to start containers with")
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(testbed.Scratch(func() int { return run(m) }))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "lxcfs-test-bin-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	bin, err := testbed.Binary(dir)
	if err != nil {
		return fail(err)
	}
	if lx, err = testbed.Mount(bin, "--enable-cfs", "--enable-loadavg"); err != nil {
		return fail(err)
	}
	status := m.Run()
	if status != 0 {
		fmt.Printf("%s wrote: %s\n", bin, lx.Log())
	}
	if err := lx.Close(); err != nil {
		return fail(err)
	}
	return status
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "integration:", err)
	return 1
}

// start is testbed.Start for a test.
func start(t *testing.T, r testbed.Runtime, l testbed.Limits, more ...string) *testbed.Container {
	t.Helper()
	c, err := testbed.Start(r, l, lx.Dir, more...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// ask runs a script in the container.
func ask(t *testing.T, c *testbed.Container, script string) string {
	t.Helper()
	out, err := c.Sh(script)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// host is what the machine itself has.
var host = struct {
	memory, swap int64 // kB
	cpus         []int // online
}{meminfo("MemTotal"), meminfo("SwapTotal"), cpuList("/sys/devices/system/cpu/online")}

func meminfo(label string) int64 {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		panic(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); f[0] == label+":" {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n
		}
	}
	return 0
}

func cpuList(file string) []int {
	b, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	var cpus []int
	for part := range strings.SplitSeq(strings.TrimSpace(string(b)), ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, _ := strconv.Atoi(from)
		last, _ := strconv.Atoi(to)
		for n := first; n <= last; n++ {
			cpus = append(cpus, n)
		}
	}
	return cpus
}

// chosen are the runtimes of the -runtimes flag.
func chosen(t *testing.T) []testbed.Runtime {
	t.Helper()
	if *runtimes == "all" {
		return testbed.Runtimes
	}
	var rs []testbed.Runtime
	for name := range strings.SplitSeq(*runtimes, ",") {
		i := slices.IndexFunc(testbed.Runtimes, func(r testbed.Runtime) bool { return r.Name == name })
		if i < 0 {
			t.Fatalf("-runtimes: no runtime %q", name)
		}
		rs = append(rs, testbed.Runtimes[i])
	}
	return rs
}

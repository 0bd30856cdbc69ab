package fakekernel

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/afero"
)

const cpuDir = "/sys/devices/system/cpu/"

func TestCPUDirectory(t *testing.T) {
	k := boot(t, "unified cpus=8 threads=2 package=4", "hotplug 5 off")
	for file, want := range map[string]string{
		"online": "0-4,6-7\n", "offline": "5\n", "present": "0-7\n", "possible": "0-7\n", "isolated": "\n", "kernel_max": "8191\n",
		"cpu5/online": "0\n", "cpu6/online": "1\n",
		"cpu6/topology/physical_package_id": "1\n", "cpu6/topology/core_id": "1\n", "cpu3/topology/core_id": "1\n",
		"cpu6/topology/thread_siblings": "c0\n", "cpu6/topology/thread_siblings_list": "6-7\n",
		"cpu4/topology/thread_siblings_list": "4\n", "cpu4/topology/core_siblings": "d0\n", "cpu4/topology/package_cpus_list": "4,6-7\n",
		"cpu0/cache/index0/type": "Data\n", "cpu0/cache/index1/type": "Instruction\n", "cpu1/cache/index2/shared_cpu_list": "0-1\n", "cpu1/cache/index3/shared_cpu_map": "0f\n",
		"cpu1/cache/index3/level": "3\n",
	} {
		if got := read(t, k, cpuDir+file); got != want {
			t.Errorf("%s = %q, want %q", file, got, want)
		}
	}
	for _, file := range []string{"cpu0/online", "cpu5/topology", "cpu5/cache", "cpu8", "cpu01"} {
		if _, err := k.Stat(cpuDir + file); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v, want it not there", file, err)
		}
	}
	if fi, err := k.Stat(cpuDir + "cpu3/crash_notes"); err != nil || fi.Mode() != 0o400 {
		t.Errorf("crash_notes %v %v", fi, err)
	}
	if link, err := k.ReadlinkIfPossible(cpuDir + "cpu3/subsystem"); err != nil || link != "../../../../bus/cpu" {
		t.Errorf("subsystem -> %q, %v", link, err)
	}
	if got := strings.Count(read(t, k, "/proc/cpuinfo"), "processor\t:"); got != 7 {
		t.Errorf("cpuinfo has %d processors, want the 7 online", got)
	}
	if got := strings.Count(read(t, k, "/proc/stat"), "\ncpu"); got != 7 {
		t.Errorf("stat has %d CPUs, want the 7 online", got)
	}
	names, err := afero.ReadDir(k, cpuDir+"cpu5")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range names {
		got = append(got, n.Name())
	}
	if diff := cmp.Diff([]string{"crash_notes", "crash_notes_size", "node0", "online", "subsystem", "uevent"}, got); diff != "" {
		t.Errorf("an offline CPU's directory (-want +got)\n%s", diff)
	}
}

func TestMasks(t *testing.T) {
	for _, c := range []struct {
		list string
		n    int
		hex  string
	}{
		{"0", 1, "1"}, {"0-3", 4, "f"}, {"5", 6, "20"}, {"0-7", 10, "0ff"}, {"31", 32, "80000000"}, {"32", 33, "1,00000000"},
		{"0,63", 64, "80000000,00000001"}, {"60-70,95", 96, "8000007f,f0000000,00000000"},
	} {
		m, err := parseMask(c.list, c.n)
		if err != nil || m.String() != c.list || m.hex(c.n) != c.hex {
			t.Errorf("parseMask(%s, %d) = %s %s, %v, want %s", c.list, c.n, m, m.hex(c.n), err, c.hex)
		}
	}
	for _, bad := range []string{"a", "1-", "-1", "3-2", "8", "0,,1"} {
		if m, err := parseMask(bad, 8); err == nil {
			t.Errorf("parseMask(%s) = %s", bad, m)
		}
	}
}

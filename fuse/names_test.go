package fuse

import (
	"fmt"
	"slices"
	"testing"

	"lxcfs/core"
)

// The ids are an ABI: a kernel that has them keeps using them across an upgrade.
func TestNodeIDsNeverChange(t *testing.T) {
	for path, want := range map[string]uint64{
		"":                              1,
		"proc":                          0x9b0e35373913,
		"proc/meminfo":                  0x5b5a0139f6d5,
		"proc/pressure/cpu":             0x4fbfdc715a99,
		"sys/devices/system/cpu/online": 0x4890f3508e7c,
		"sys/devices/system/cpu/cpu0":   0x19ce48422e8d7,
		"sys/devices/system/cpu/cpu17/topology/core_id": 0x120e1d938ee945,
	} {
		if got := idOf(path); got != want {
			t.Errorf("idOf(%q) = %#x, want %#x", path, got, want)
		}
	}
}

func TestCPUOf(t *testing.T) {
	for _, test := range []struct {
		path string
		cpu  int
		rest string
	}{
		{"sys/devices/system/cpu/cpu12", 12, ""},
		{"sys/devices/system/cpu/cpu12/cache/index0", 12, "cache/index0"},
		{"sys/devices/system/cpu/cpufreq/policy0", -1, "sys/devices/system/cpu/cpufreq/policy0"},
		{"sys/devices/system/cpu/cpu01", -1, "sys/devices/system/cpu/cpu01"},
		{"sys/devices/system/cpu/cpu", -1, "sys/devices/system/cpu/cpu"},
		{"proc/cpuinfo", -1, "proc/cpuinfo"},
	} {
		if cpu, rest := cpuOf(test.path); cpu != test.cpu || rest != test.rest {
			t.Errorf("cpuOf(%q) = %d, %q, want %d, %q", test.path, cpu, rest, test.cpu, test.rest)
		}
	}
}

func TestNodesOfCPUsDiffer(t *testing.T) {
	seen := map[uint64]string{}
	for cpu := range 1024 {
		for _, rest := range []string{"", "/online", "/topology/core_id"} {
			path := fmt.Sprintf("%s/cpu%d%s", cpuDir, cpu, rest)
			if other, ok := seen[idOf(path)]; ok {
				t.Fatalf("%s and %s have one id", path, other)
			}
			seen[idOf(path)] = path
			if got := cpuOfID(idOf(path)); got != cpu {
				t.Fatalf("cpuOfID(idOf(%s)) = %d", path, got)
			}
		}
	}
}

func TestUnknownIDIsFoundByWalking(t *testing.T) {
	for _, f := range testFiles {
		tr := testTree(t)
		nd, no := tr.node(idOf(f.path))
		if no != 0 || nd.path != f.path {
			t.Errorf("node(%s) = %v, %v", f.path, nd, no)
		}
	}
}

// Walks for ids that are nowhere are rare, whoever asks.
func TestWalksAreLimited(t *testing.T) {
	tr := testTree(t)
	walks := 0
	list := tr.src.list
	tr.src.list = func(who core.Caller, dir string) ([]core.Entry, error) {
		if dir == "" {
			walks++
		}
		return list(who, dir)
	}
	for i := range uint64(100) {
		tr.node(1000 + i)
	}
	if walks != 1 {
		t.Errorf("%d walks for 100 unknown ids, want 1", walks)
	}
}

func TestNamesSurvive(t *testing.T) {
	state := testState(t)
	first := newNames(state)
	first.add("proc/meminfo", 0o444)
	first.add(cpuDir+"/cpu3/online", 0o444)
	second := newNames(state)
	for _, path := range []string{"proc/meminfo", cpuDir + "/cpu3/online"} {
		if nd := second.get(idOf(path)); nd == nil || nd.path != path {
			t.Errorf("successor knows %v for %s", nd, path)
		}
	}
}

func TestNamesAreBounded(t *testing.T) {
	n := newNames(testState(t))
	n.add("proc/stat", 0o444)
	for i := range 3 * maxNames {
		n.add(fmt.Sprintf("%s/cpu%d/x%d", cpuDir, i%1000, i), 0o444)
	}
	if len(n.byID) > maxNames {
		t.Errorf("%d names remembered, want at most %d", len(n.byID), maxNames)
	}
	if n.get(idOf("proc/stat")) == nil {
		t.Error("a name outside CPUs' directories was dropped")
	}
}

func TestNamesThatAreGoneAreForgotten(t *testing.T) {
	tr := testTree(t)
	tr.names.add("proc/stat", 0o444)
	tr.names.add("proc/gone", 0o444)
	tr.names.add("gone", 0o444)
	var dropped []string
	tr.forget(tr.names.state, func(parent uint64, name string) error {
		dropped = append(dropped, fmt.Sprintf("%x %s", parent, name))
		return nil
	})
	want := []string{fmt.Sprintf("%x gone", idOf("proc")), "1 gone"}
	if !slices.Equal(dropped, want) {
		t.Errorf("forgotten: %q, want %q", dropped, want)
	}
}

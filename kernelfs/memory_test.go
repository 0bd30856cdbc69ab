package kernelfs

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// counters returns what m knows.
func counters(m *MemoryStat) map[MemKey]Bytes {
	got := map[MemKey]Bytes{}
	for k := range NMemKeys {
		if m.Known(k) {
			got[k] = m.Bytes[k]
		}
	}
	return got
}

func TestMemoryStat(t *testing.T) {
	var m MemoryStat
	for _, tc := range []struct {
		reason  string
		version int
		text    string
		want    map[MemKey]Bytes
		err     string
	}{
		{
			"v2: every counter, and others between them",
			2,
			"anon 101\nfile 102\nkernel 900\nkernel_stack 103\npagetables 104\nsec_pagetables 105\npercpu 106\nsock 901\nvmalloc 107\n" +
				"shmem 108\nzswap 109\nzswapped 110\nfile_mapped 111\nfile_dirty 112\nfile_writeback 113\nswapcached 114\nanon_thp 115\n" +
				"file_thp 116\nshmem_thp 117\ninactive_anon 118\nactive_anon 119\ninactive_file 120\nactive_file 121\nunevictable 122\n" +
				"slab_reclaimable 123\nslab_unreclaimable 124\nslab 125\nworkingset_refault_anon 902\npgfault 903\n",
			map[MemKey]Bytes{
				Anon: 101, FileCache: 102, KernelStack: 103, PageTables: 104, SecPageTables: 105, Percpu: 106, Vmalloc: 107,
				Shmem: 108, Zswap: 109, Zswapped: 110, FileMapped: 111, FileDirty: 112, FileWriteback: 113, SwapCached: 114, AnonTHP: 115,
				FileTHP: 116, ShmemTHP: 117, InactiveAnon: 118, ActiveAnon: 119, InactiveFile: 120, ActiveFile: 121, Unevictable: 122,
				SlabReclaimable: 123, SlabUnreclaimable: 124, Slab: 125,
			},
			"",
		},
		{
			"v1: the counters that include child cgroups",
			1,
			"cache 901\nrss 902\nrss_huge 903\nshmem 904\nmapped_file 905\ndirty 906\nwriteback 907\nswap 908\ninactive_anon 909\nactive_anon 910\n" +
				"inactive_file 911\nactive_file 912\nunevictable 913\nhierarchical_memory_limit 201\nhierarchical_memsw_limit 202\n" +
				"total_cache 203\ntotal_rss 204\ntotal_rss_huge 205\ntotal_shmem 206\ntotal_mapped_file 207\ntotal_dirty 208\ntotal_writeback 209\n" +
				"total_swap 914\ntotal_swapcached 210\ntotal_pgfault 915\ntotal_inactive_anon 211\ntotal_active_anon 212\ntotal_inactive_file 213\n" +
				"total_active_file 214\ntotal_unevictable 215\n",
			map[MemKey]Bytes{
				hierarchicalLimit: 201, hierarchicalMemsw: 202, FileCache: 203, Anon: 204, AnonTHP: 205, Shmem: 206, FileMapped: 207,
				FileDirty: 208, FileWriteback: 209, SwapCached: 210, InactiveAnon: 211, ActiveAnon: 212, InactiveFile: 213, ActiveFile: 214,
				Unevictable: 215,
			},
			"",
		},
		{"v1's words mean nothing on v2", 2, "total_rss 1\nhierarchical_memory_limit 2\n", map[MemKey]Bytes{}, ""},
		{"the same names in another order, and of another version", 1, "hierarchical_memory_limit 3\ntotal_rss 4\n", map[MemKey]Bytes{hierarchicalLimit: 3, Anon: 4}, ""},
		{"a name that begins as the one before it here", 1, "hierarchical_memory_limits 3\ntotal_rss 5\n", map[MemKey]Bytes{Anon: 5}, ""},
		{"a counter of 0 is known", 2, "anon 0\n", map[MemKey]Bytes{Anon: 0}, ""},
		{"no newline at the end", 2, "anon 7", map[MemKey]Bytes{Anon: 7}, ""},
		{"an empty file", 2, "", map[MemKey]Bytes{}, ""},
		{"the largest number", 2, "anon 18446744073709551615\n", map[MemKey]Bytes{Anon: NoLimit}, ""},
		{"a name alone", 2, "anon 1\nfile\n", nil, "/f:2: not the documented format"},
		{"a name alone before another line does not swallow it", 2, "anon 1\nfile\nshmem 3\n", nil, "/f:2: not the documented format"},
		{"a blank line does not swallow the next", 2, "anon 1\n\nshmem 3\n", nil, "/f:2: not the documented format"},
		{"no number", 2, "anon 1\nfile x\n", nil, "/f:2: not a number"},
		{"a negative number", 2, "anon -1\n", nil, "/f:1: not a number"},
		{"a number with a unit", 2, "anon 1kB\n", nil, "/f:1: not a number"},
		{"two numbers", 2, "anon 1 2\n", nil, "/f:1: not a number"},
		{"a number beyond 64 bits", 2, "x 1\ny 2\nanon 18446744073709551616\n", nil, "/f:3: not a number"},
	} {
		m.known = ^uint64(0) // m is as the case before left it
		err := m.parse("/f", []byte(tc.text), tc.version)
		if errText(err) != tc.err {
			t.Errorf("%s: error %q, want %q", tc.reason, errText(err), tc.err)
		}
		if err != nil {
			continue
		}
		if diff := cmp.Diff(tc.want, counters(&m)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tc.reason, diff)
		}
	}
}

// limits is a tree of three levels below a root; usage differs everywhere, the neighbour's too.
const v2Limits = unified + `
-- sys/fs/cgroup/memory.stat --
anon 1
-- sys/fs/cgroup/a/memory.max --
%A%
-- sys/fs/cgroup/a/memory.current --
5000
-- sys/fs/cgroup/a/memory.swap.max --
%A%
-- sys/fs/cgroup/a/memory.swap.current --
500
-- sys/fs/cgroup/a/neighbour/memory.max --
10
-- sys/fs/cgroup/a/neighbour/memory.current --
9
-- sys/fs/cgroup/a/b/memory.max --
%B%
-- sys/fs/cgroup/a/b/memory.current --
4000
-- sys/fs/cgroup/a/b/memory.swap.max --
%B%
-- sys/fs/cgroup/a/b/memory.swap.current --
400
-- sys/fs/cgroup/a/b/c/memory.max --
%C%
-- sys/fs/cgroup/a/b/c/memory.current --
3000
-- sys/fs/cgroup/a/b/c/memory.swap.max --
%C%
-- sys/fs/cgroup/a/b/c/memory.swap.current --
300
`

// found is a value and the cgroup it is from.
type found struct {
	Value Bytes
	At    string
}

func where(v Bytes, a At) found {
	if a.Cgroup == nil {
		return found{v, ""}
	}
	return found{v, a.Cgroup.Path + " " + a.File()}
}

func TestV2LimitUpTheTree(t *testing.T) {
	for _, tc := range []struct {
		reason               string
		a, b, c              string
		limit, usage         found
		swapLimit, swapUsage found
	}{
		{
			"its own limit", "9000", "8000", "7000",
			found{7000, "/a/b/c memory.max"}, found{3000, "/a/b/c memory.current"},
			found{7000, "/a/b/c memory.swap.max"}, found{300, "/a/b/c memory.swap.current"},
		},
		{
			"the parent's: what its children use counts too", "9000", "6000", "max",
			found{6000, "/a/b memory.max"}, found{4000, "/a/b memory.current"},
			found{6000, "/a/b memory.swap.max"}, found{400, "/a/b memory.swap.current"},
		},
		{
			"the grandparent's, lower than the own", "5500", "max", "7000",
			found{5500, "/a memory.max"}, found{5000, "/a memory.current"},
			found{5500, "/a memory.swap.max"}, found{500, "/a memory.swap.current"},
		},
		{
			"equal limits: the nearest", "7000", "7000", "7000",
			found{7000, "/a/b/c memory.max"}, found{3000, "/a/b/c memory.current"},
			found{7000, "/a/b/c memory.swap.max"}, found{300, "/a/b/c memory.swap.current"},
		},
		{
			"none", "max", "max", "max",
			found{NoLimit, ""}, found{3000, "/a/b/c memory.current"},
			found{NoLimit, ""}, found{300, "/a/b/c memory.swap.current"},
		},
		{
			"nothing allowed", "max", "max", "0",
			found{0, "/a/b/c memory.max"}, found{3000, "/a/b/c memory.current"},
			found{0, "/a/b/c memory.swap.max"}, found{300, "/a/b/c memory.swap.current"},
		},
	} {
		s := snapshot(t, fill(v2Limits, tc.a, tc.b, tc.c))
		cg := groupOf(t, s, Memory, "/a/b/c")
		m, err := cg.MemoryLimit(s)
		if err != nil {
			t.Errorf("%s: %v", tc.reason, err)
		}
		w, err := cg.Swap(s)
		if err != nil {
			t.Errorf("%s: %v", tc.reason, err)
		}
		got := []found{where(m.Limit, m.LimitAt), where(m.Usage, m.UsageAt), where(w.Limit, w.LimitAt), where(w.Usage, w.UsageAt)}
		if diff := cmp.Diff([]found{tc.limit, tc.usage, tc.swapLimit, tc.swapUsage}, got); diff != "" {
			t.Errorf("%s: limit, usage, swap limit, swap usage (-want +got)\n%s", tc.reason, diff)
		}
		if !w.Accounted || w.Swappiness != 60 {
			t.Errorf("%s: Swap: accounted %v, swappiness %d, want true, 60", tc.reason, w.Accounted, w.Swappiness)
		}
	}
}

func TestV2LimitErrors(t *testing.T) {
	for _, tc := range []struct {
		reason  string
		cgroup  string
		archive string
		want    string
	}{
		{"no memory controller here: there is no value", "/x", "-- sys/fs/cgroup/x/cpu.stat --\n", "read /sys/fs/cgroup/x/memory.max: file does not exist"},
		{"the root has no limit", "/", "", "read /sys/fs/cgroup/memory.max: file does not exist"},
		{"a limit that is none", "/x", "-- sys/fs/cgroup/x/memory.max --\nlots\n", "/sys/fs/cgroup/x/memory.max:1: not a number"},
		{"a level above that cannot be read is an error", "/x/y", "-- sys/fs/cgroup/x/memory.max ! EIO --\n-- sys/fs/cgroup/x/y/memory.max --\n5\n", "read /sys/fs/cgroup/x/memory.max: input/output error"},
		{"a limit without usage", "/x", "-- sys/fs/cgroup/x/memory.max --\n5\n", "read /sys/fs/cgroup/x/memory.current: file does not exist"},
	} {
		s := snapshot(t, unified+tc.archive)
		if _, err := groupOf(t, s, Memory, tc.cgroup).MemoryLimit(s); errText(err) != tc.want {
			t.Errorf("%s: MemoryLimit: %q, want %q", tc.reason, errText(err), tc.want)
		}
	}
}

func TestV2LimitSkipsLevelsWithoutController(t *testing.T) {
	s := snapshot(t, unified+`
-- sys/fs/cgroup/a/memory.max --
800
-- sys/fs/cgroup/a/memory.current --
70
-- sys/fs/cgroup/a/b/cgroup.type --
domain
-- sys/fs/cgroup/a/b/c/memory.max --
900
`)
	m, err := groupOf(t, s, Memory, "/a/b/c").MemoryLimit(s)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]found{{800, "/a memory.max"}, {70, "/a memory.current"}}, []found{where(m.Limit, m.LimitAt), where(m.Usage, m.UsageAt)}); diff != "" {
		t.Errorf("limit and usage (-want +got)\n%s", diff)
	}
}

func TestV2LimitOfTheMountsRoot(t *testing.T) {
	const below = unified + `
-- sys/fs/cgroup/memory.max --
700
-- sys/fs/cgroup/memory.current --
60
-- sys/fs/cgroup/a/memory.max --
900
-- sys/fs/cgroup/a/memory.current --
50
`
	for _, tc := range []struct {
		reason, archive string
		limit, usage    found
	}{
		{"the daemon runs in a container: what it sees as the root is limited", below + "-- sys/fs/cgroup/cgroup.type --\ndomain\n", found{700, "/ memory.max"}, found{60, "/ memory.current"}},
		{"the kernel's root has no type, and is not asked", below, found{900, "/a memory.max"}, found{50, "/a memory.current"}},
	} {
		s := snapshot(t, tc.archive)
		m, err := groupOf(t, s, Memory, "/a").MemoryLimit(s)
		if err != nil {
			t.Errorf("%s: %v", tc.reason, err)
		}
		if diff := cmp.Diff([]found{tc.limit, tc.usage}, []found{where(m.Limit, m.LimitAt), where(m.Usage, m.UsageAt)}); diff != "" {
			t.Errorf("%s: limit, usage (-want +got)\n%s", tc.reason, diff)
		}
	}
}

func TestV2SwapWithoutAccounting(t *testing.T) {
	for _, tc := range []struct{ reason, archive, err string }{
		{"a kernel built without swap", "-- sys/fs/cgroup/x/memory.max --\n5\n", ""},
		{"a limit but no usage", "-- sys/fs/cgroup/x/memory.swap.max --\n5\n", "read /sys/fs/cgroup/x/memory.swap.current: file does not exist"},
		{"a limit that cannot be read", "-- sys/fs/cgroup/x/memory.swap.max ! EIO --\n", "read /sys/fs/cgroup/x/memory.swap.max: input/output error"},
	} {
		s := snapshot(t, unified+tc.archive)
		w, err := groupOf(t, s, Memory, "/x").Swap(s)
		if errText(err) != tc.err || w.Accounted {
			t.Errorf("%s: Swap: accounted %v, %q, want false, %q", tc.reason, w.Accounted, errText(err), tc.err)
		}
	}
}

func TestMemoryStatOnce(t *testing.T) {
	tr := plant(t, unified+"-- sys/fs/cgroup/x/memory.stat --\nanon 1\n-- sys/fs/cgroup/y/memory.stat --\nanon 2\n-- sys/fs/cgroup/z/memory.stat --\nanon\n")
	k := New(tr)
	if err := k.Detect(); err != nil {
		t.Fatal(err)
	}
	s := k.Snapshot()
	x, y, z := groupOf(t, s, Memory, "/x"), groupOf(t, s, Memory, "/y"), groupOf(t, s, Memory, "/z")
	for _, tc := range []struct {
		cg   *Cgroup
		want Bytes
	}{{x, 1}, {x, 1}, {y, 2}, {x, 1}} {
		m, err := tc.cg.MemoryStat(s)
		if err != nil || m.Bytes[Anon] != tc.want {
			t.Errorf("MemoryStat of %s: anon %d, %v, want %d", tc.cg.Path, m.Bytes[Anon], err, tc.want)
		}
	}
	if _, err := z.MemoryStat(s); errText(err) != "/sys/fs/cgroup/z/memory.stat:1: not the documented format" {
		t.Errorf("MemoryStat of /z: %v, want a ParseError", err)
	}
	tr.write(t, "/sys/fs/cgroup/x/memory.stat", "anon 10\n")
	if m, err := x.MemoryStat(s); err != nil || m.Bytes[Anon] != 1 {
		t.Errorf("anon = %d, %v within one pass, want what was read first, 1", m.Bytes[Anon], err)
	}
	s.Reset()
	if m, err := x.MemoryStat(s); err != nil || m.Bytes[Anon] != 10 {
		t.Errorf("anon = %d, %v in the next pass, want 10", m.Bytes[Anon], err)
	}
}

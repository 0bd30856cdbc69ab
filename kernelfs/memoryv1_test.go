package kernelfs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fill puts values for the three levels of a tree into an archive.
func fill(archive, a, b, c string) string {
	return strings.NewReplacer("%A%", a, "%B%", b, "%C%", c).Replace(archive)
}

// unlimited is PAGE_COUNTER_MAX in bytes, with pages of 4 KiB.
const unlimited = "9223372036854771712"

const v1Limits = legacy + `
-- sys/fs/cgroup/memory/memory.limit_in_bytes --
9223372036854771712
-- sys/fs/cgroup/memory/memory.usage_in_bytes --
60000
-- sys/fs/cgroup/memory/a/memory.limit_in_bytes --
%A%
-- sys/fs/cgroup/memory/a/memory.usage_in_bytes --
5000
-- sys/fs/cgroup/memory/a/neighbour/memory.limit_in_bytes --
10
-- sys/fs/cgroup/memory/a/b/memory.limit_in_bytes --
%B%
-- sys/fs/cgroup/memory/a/b/memory.usage_in_bytes --
4000
-- sys/fs/cgroup/memory/a/b/memory.stat --
hierarchical_memory_limit %C%
hierarchical_memsw_limit 12000
-- sys/fs/cgroup/memory/a/b/memory.memsw.usage_in_bytes --
4600
-- sys/fs/cgroup/memory/a/b/memory.swappiness --
35
`

func TestV1LimitUpTheTree(t *testing.T) {
	for _, tc := range []struct {
		reason       string
		a, b, stat   string
		limit, usage found
	}{
		{"its own limit", "9000", "7000", "7000", found{7000, "/a/b memory.limit_in_bytes"}, found{4000, "/a/b memory.usage_in_bytes"}},
		{"the parent's: its usage counts", "6000", "7000", "6000", found{6000, "/a memory.limit_in_bytes"}, found{5000, "/a memory.usage_in_bytes"}},
		{"none", unlimited, unlimited, unlimited, found{NoLimit, ""}, found{4000, "/a/b memory.usage_in_bytes"}},
		{"none, with pages of 64 KiB", unlimited, unlimited, "9223372036854710272", found{NoLimit, ""}, found{4000, "/a/b memory.usage_in_bytes"}},
		{"the largest limit that is one", "9223372036854710271", unlimited, "9223372036854710271", found{9223372036854710271, "/a memory.limit_in_bytes"}, found{5000, "/a memory.usage_in_bytes"}},
		{
			"memory.use_hierarchy=0 at the parent: its limit does not bind the child",
			"6000", "7000", "7000", found{7000, "/a/b memory.limit_in_bytes"}, found{4000, "/a/b memory.usage_in_bytes"},
		},
		{
			"a limit changed between the reads: memory.stat is believed",
			"9000", "8000", "6500", found{6500, "/a/b memory.stat"}, found{4000, "/a/b memory.usage_in_bytes"},
		},
	} {
		s := snapshot(t, fill(v1Limits, tc.a, tc.b, tc.stat))
		m, err := groupOf(t, s, Memory, "/a/b").MemoryLimit(s)
		if err != nil {
			t.Errorf("%s: %v", tc.reason, err)
			continue
		}
		if diff := cmp.Diff([]found{tc.limit, tc.usage}, []found{where(m.Limit, m.LimitAt), where(m.Usage, m.UsageAt)}); diff != "" {
			t.Errorf("%s: limit, usage (-want +got)\n%s", tc.reason, diff)
		}
	}
}

func TestV1LimitErrors(t *testing.T) {
	const stat = "-- sys/fs/cgroup/memory/x/memory.stat --\nhierarchical_memory_limit 5\n"
	for _, tc := range []struct{ reason, archive, want string }{
		{"a removed cgroup", "", "read /sys/fs/cgroup/memory/x/memory.stat: file does not exist"},
		{"memory.stat without the limit", "-- sys/fs/cgroup/memory/x/memory.stat --\ntotal_rss 5\n", "/sys/fs/cgroup/memory/x/memory.stat: ends early"},
		{"no limit file", stat, "read /sys/fs/cgroup/memory/x/memory.limit_in_bytes: file does not exist"},
		{"no usage file", stat + "-- sys/fs/cgroup/memory/x/memory.limit_in_bytes --\n5\n", "read /sys/fs/cgroup/memory/x/memory.usage_in_bytes: file does not exist"},
	} {
		s := snapshot(t, legacy+tc.archive)
		if _, err := groupOf(t, s, Memory, "/x").MemoryLimit(s); errText(err) != tc.want {
			t.Errorf("%s: MemoryLimit: %q, want %q", tc.reason, errText(err), tc.want)
		}
	}
}

func TestV1Swap(t *testing.T) {
	const dir = "sys/fs/cgroup/memory/x/memory."
	all := map[string]string{
		dir + "memsw.usage_in_bytes": "4600\n",
		dir + "usage_in_bytes":       "4000\n",
		dir + "swappiness":           "35\n",
		dir + "stat":                 "hierarchical_memory_limit 7000\nhierarchical_memsw_limit 12000\n",
	}
	for _, tc := range []struct {
		reason  string
		file    string // that differs
		content string // "-" for no such file
		want    Swap
		err     string
	}{
		{"usage is what both use but memory does not", "", "", Swap{Accounted: true, Limit: 12000, Usage: 600, Swappiness: 35}, ""},
		{"read at different times, memory may be the larger: no wrap", "usage_in_bytes", "4700\n", Swap{Accounted: true, Limit: 12000, Usage: 0, Swappiness: 35}, ""},
		{"no limit", "stat", "hierarchical_memsw_limit " + unlimited + "\n", Swap{Accounted: true, Limit: NoLimit, Usage: 600, Swappiness: 35}, ""},
		{"never swap", "swappiness", "0\n", Swap{Accounted: true, Limit: 12000, Usage: 600}, ""},
		{"swap rather than drop the page cache, since Linux 5.8", "swappiness", "200\n", Swap{Accounted: true, Limit: 12000, Usage: 600, Swappiness: 200}, ""},
		{"more than there is", "swappiness", "4294967296\n", Swap{Accounted: true, Limit: 12000, Usage: 600, Swappiness: 200}, ""},
		{"swapaccount=0", "memsw.usage_in_bytes", "-", Swap{}, ""},
		{"memory+swap unreadable", "memsw.usage_in_bytes", "x\n", Swap{}, "/sys/fs/cgroup/memory/x/memory.memsw.usage_in_bytes:1: not a number"},
		{"no memory usage", "usage_in_bytes", "-", Swap{}, "read /sys/fs/cgroup/memory/x/memory.usage_in_bytes: file does not exist"},
		{"no limit known", "stat", "-", Swap{}, "read /sys/fs/cgroup/memory/x/memory.stat: file does not exist"},
		{"memory.stat without it", "stat", "total_rss 1\n", Swap{}, "/sys/fs/cgroup/memory/x/memory.stat: ends early"},
		{"no swappiness", "swappiness", "-", Swap{}, "read /sys/fs/cgroup/memory/x/memory.swappiness: file does not exist"},
	} {
		archive := legacy
		for name, text := range all {
			if name == dir+tc.file {
				text = tc.content
			}
			if text != "-" {
				archive += "-- " + name + " --\n" + text
			}
		}
		s := snapshot(t, archive)
		w, err := groupOf(t, s, Memory, "/x").Swap(s)
		if errText(err) != tc.err {
			t.Errorf("%s: Swap: %q, want %q", tc.reason, errText(err), tc.err)
		}
		if err != nil {
			continue
		}
		if w.Accounted {
			if diff := cmp.Diff([]string{"/x memory.stat", "/x memory.memsw.usage_in_bytes"}, []string{where(0, w.LimitAt).At, where(0, w.UsageAt).At}); diff != "" {
				t.Errorf("%s: where from (-want +got)\n%s", tc.reason, diff)
			}
		}
		w.LimitAt, w.UsageAt = At{}, At{}
		if diff := cmp.Diff(tc.want, w, cmp.AllowUnexported(At{})); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tc.reason, diff)
		}
	}
}

func TestSlabinfo(t *testing.T) {
	s := snapshot(t, legacy+"-- sys/fs/cgroup/memory/x/memory.kmem.slabinfo --\nslabinfo - version: 2.1\n")
	if got, err := groupOf(t, s, Memory, "/x").Slabinfo(s); string(got) != "slabinfo - version: 2.1\n" || err != nil {
		t.Errorf("Slabinfo() = %q, %v", got, err)
	}
	s = snapshot(t, unified)
	if got, err := groupOf(t, s, Memory, "/x").Slabinfo(s); !Missing(err) {
		t.Errorf("Slabinfo() on v2, which has none = %q, %v, want it missing", got, err)
	}
}

func TestHugePages(t *testing.T) {
	const v2x, v1x = "-- sys/fs/cgroup/x/hugetlb.", "-- sys/fs/cgroup/hugetlb/x/hugetlb."
	for _, tc := range []struct {
		reason  string
		archive string
		cgroup  string
		want    HugePages
		err     string
	}{
		{"v2", unified + v2x + "2MB.max --\n30\n" + v2x + "2MB.current --\n20\n" + v2x + "2MB.rsvd.current --\n10\n" + v2x + "1GB.max --\n7\n", "/x", HugePages{30, 20, 10}, ""},
		{"v1", legacy + v1x + "2MB.limit_in_bytes --\n31\n" + v1x + "2MB.usage_in_bytes --\n21\n" + v1x + "2MB.rsvd.usage_in_bytes --\n11\n", "/x", HugePages{31, 21, 11}, ""},
		{"no limit on v1", legacy + v1x + "2MB.limit_in_bytes --\n9223372036852678656\n" + v1x + "2MB.usage_in_bytes --\n24\n", "/x", HugePages{NoLimit, 24, 0}, ""},
		{"no limit on v2 of Linux 6.18", unified + v2x + "2MB.max --\n9223372036854771712\n" + v2x + "2MB.current --\n25\n", "/x", HugePages{NoLimit, 25, 0}, ""},
		{"no reservations before Linux 5.7", unified + v2x + "2MB.max --\nmax\n" + v2x + "2MB.current --\n22\n", "/x", HugePages{NoLimit, 22, 0}, ""},
		{
			"the smallest limit up the tree, the own usage",
			unified + v2x + "2MB.max --\n33\n" + v2x + "2MB.current --\n29\n" + v2x + "y/hugetlb.2MB.max --\n" +
				"-- sys/fs/cgroup/x/y/hugetlb.2MB.max --\n44\n-- sys/fs/cgroup/x/y/hugetlb.2MB.current --\n23\n-- sys/fs/cgroup/x/y/hugetlb.2MB.rsvd.current --\n13\n",
			"/x/y", HugePages{33, 23, 13}, "",
		},
		{"a size this host has not", unified, "/x", HugePages{}, "read /sys/fs/cgroup/x/hugetlb.2MB.max: file does not exist"},
		{"a limit that is none", unified + v2x + "2MB.max --\nx\n", "/x", HugePages{}, "/sys/fs/cgroup/x/hugetlb.2MB.max:1: not a number"},
		{"a limit above that cannot be read", unified + v2x + "2MB.max ! EIO --\n-- sys/fs/cgroup/x/y/hugetlb.2MB.max --\n44\n", "/x/y", HugePages{}, "read /sys/fs/cgroup/x/hugetlb.2MB.max: input/output error"},
		{"no usage", unified + v2x + "2MB.max --\n1\n", "/x", HugePages{}, "read /sys/fs/cgroup/x/hugetlb.2MB.current: file does not exist"},
		{"odd reservations", unified + v2x + "2MB.max --\n1\n" + v2x + "2MB.current --\n1\n" + v2x + "2MB.rsvd.current --\nx\n", "/x", HugePages{}, "/sys/fs/cgroup/x/hugetlb.2MB.rsvd.current:1: not a number"},
	} {
		s := snapshot(t, tc.archive)
		got, err := groupOf(t, s, HugeTLB, tc.cgroup).HugePages(s, "2MB")
		if errText(err) != tc.err {
			t.Errorf("%s: HugePages: %q, want %q", tc.reason, errText(err), tc.err)
		}
		if err == nil && got != tc.want {
			t.Errorf("%s: HugePages = %+v, want %+v", tc.reason, got, tc.want)
		}
	}
}

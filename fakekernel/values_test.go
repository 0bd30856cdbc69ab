package fakekernel

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// everyKey charges a different amount under every name, in pages, so that a field shown for another is seen.
const everyKey = `cgroup create /a
	charge /a anon=400K file=800K shmem=80K slab_reclaimable=44K slab_unreclaimable=52K kernel_stack=16K pagetables=20K sec_pagetables=24K percpu=28K vmalloc=32K
	charge /a swap=36K active_anon=60K active_file=120K unevictable=12K file_mapped=140K file_dirty=160K file_writeback=180K
	charge /a swapcached=4K anon_thp=200K file_thp=220K shmem_thp=40K`

// inKiB reads the keys of a stat file in KiB; those that are missing are left out.
func inKiB(text string, shift int, keys ...string) map[string]int64 {
	got := map[string]int64{}
	for line := range strings.Lines(text) {
		var name string
		var n int64
		if _, err := fmt.Sscan(line, &name, &n); err == nil {
			got[strings.TrimSuffix(name, ":")] = n >> shift
		}
	}
	out := map[string]int64{}
	for _, key := range keys {
		if n, ok := got[key]; ok {
			out[key] = n
		}
	}
	return out
}

func TestEveryAmountHasItsOwnName(t *testing.T) {
	host := map[string]int64{ // what changes in /proc/meminfo
		"Cached": 880, "SwapCached": 4, "Active": 180, "Active(anon)": 60, "Active(file)": 120, "Inactive(anon)": 408, "Inactive(file)": 680,
		"Unevictable": 12, "SwapFree": -36, "Dirty": 160, "Writeback": 180, "AnonPages": 400, "Mapped": 140, "Shmem": 80, "KReclaimable": 44,
		"Slab": 96, "SReclaimable": 44, "SUnreclaim": 52, "KernelStack": 16, "PageTables": 20, "SecPageTables": 24, "VmallocUsed": 32, "Percpu": 28,
		"AnonHugePages": 200, "ShmemHugePages": 40, "FileHugePages": 220, "MemFree": -1496,
	}
	v1 := map[string]int64{
		"cache": 880, "rss": 400, "rss_huge": 200, "shmem": 80, "mapped_file": 140, "dirty": 160, "writeback": 180, "swap": 36,
		"inactive_anon": 408, "active_anon": 60, "inactive_file": 680, "active_file": 120, "unevictable": 12,
	}
	v2 := map[string]int64{
		"anon": 400, "file": 880, "kernel": 216, "kernel_stack": 16, "pagetables": 20, "sec_pagetables": 24, "percpu": 28, "sock": 0, "vmalloc": 32, "shmem": 80,
		"file_mapped": 140, "file_dirty": 160, "file_writeback": 180, "swapcached": 4, "anon_thp": 200, "file_thp": 220, "shmem_thp": 40,
		"inactive_anon": 408, "active_anon": 60, "inactive_file": 680, "active_file": 120, "unevictable": 12,
		"slab_reclaimable": 44, "slab_unreclaimable": 52, "slab": 96,
	}
	for _, layout := range layouts {
		k := boot(t, layout+" kernel=6.1", "")
		before := inKiB(read(t, k, "/proc/meminfo"), 0, sortedKeys(host)...)
		do(t, k, everyKey)
		after := inKiB(read(t, k, "/proc/meminfo"), 0, sortedKeys(host)...)
		for label := range after {
			after[label] -= before[label]
		}
		if diff := cmp.Diff(host, after); diff != "" {
			t.Errorf("%s: /proc/meminfo in kB (-want +got)\n%s", layout, diff)
		}
		want, file := v1, "/sys/fs/cgroup/memory/a/memory.stat"
		if layout == "unified" {
			want, file = v2, "/sys/fs/cgroup/a/memory.stat"
		}
		stat := read(t, k, file)
		if diff := cmp.Diff(want, inKiB(stat, 10, sortedKeys(want)...)); diff != "" {
			t.Errorf("%s: memory.stat in KiB (-want +got)\n%s", layout, diff)
		}
		if layout != "unified" {
			for name, n := range want {
				if got := key(t, stat, "total_"+name); got != n<<10 {
					t.Errorf("%s: total_%s %d, want %d", layout, name, got, n<<10)
				}
			}
			if got := number1(t, read(t, k, "/sys/fs/cgroup/memory/a/memory.kmem.usage_in_bytes")); got != 216<<10 {
				t.Errorf("%s: memory.kmem.usage_in_bytes %d", layout, got)
			}
		}
	}
}

func TestReclaimTakesSlabAndCountsPages(t *testing.T) {
	k := boot(t, "unified kernel=6.18", `cgroup create /a
		limit memory /a 8M
		charge /a slab_reclaimable=3M file=2M anon=3M
		charge /a anon=4M
		swap /a out=1M`)
	s := read(t, k, "/sys/fs/cgroup/a/memory.stat")
	if f, slab, out := key(t, s, "file"), key(t, s, "slab_reclaimable"), key(t, s, "pswpout"); f != 0 || slab >= 3<<20 || slab == 0 || out != 256 {
		t.Errorf("file %d, slab_reclaimable %d, pswpout %d: want none, some and 256 pages", f, slab, out)
	}
}

func TestTimesHaveTheirOwnFields(t *testing.T) {
	k := boot(t, "unified cpus=1 uptime=10000s", "")
	want := "cpu0 21100 1300 9700 962300 3100 500 1700 300 0 0\n"
	if got := read(t, k, "/proc/stat"); !strings.Contains(got, want) {
		t.Errorf("/proc/stat lacks %q:\n%s", want, got)
	}
	for _, layout := range layouts {
		k := boot(t, layout+" cpus=4", "cgroup create /a\nlimit weight /a 50\nspawn p in /a\nrun p user=1.5 system=0.25\ntick 8s")
		if f := strings.Fields(read(t, k, "/proc/1000/stat")); f[13] != "1200" || f[14] != "200" {
			t.Errorf("%s: utime %s stime %s, want 1200 200", layout, f[13], f[14])
		}
		if layout == "unified" {
			if s := read(t, k, "/sys/fs/cgroup/a/cpu.stat"); key(t, s, "user_usec") != 12000000 || key(t, s, "system_usec") != 2000000 {
				t.Errorf("cpu.stat\n%s", s)
			}
			if got := read(t, k, "/sys/fs/cgroup/a/cpu.weight"); got != "50\n" {
				t.Errorf("cpu.weight %q", got)
			}
			continue
		}
		for file, want := range map[string]string{
			"cpuacct/a/cpuacct.usage_user": "12000000000\n", "cpuacct/a/cpuacct.usage_sys": "2000000000\n", "cpuacct/a/cpuacct.stat": "user 1200\nsystem 200\n",
			"cpu/a/cpu.shares": "512\n",
		} {
			if got := read(t, k, "/sys/fs/cgroup/"+file); got != want {
				t.Errorf("%s: %s = %q, want %q", layout, file, got, want)
			}
		}
	}
}

func TestNamespaceNumbersComeBackLowestFirst(t *testing.T) {
	k := boot(t, "unified", "spawn a in /a pidns=new\nspawn b in /b pidns=new\nspawn c in /c pidns=new")
	a, b := nsOf(t, k, "a"), nsOf(t, k, "b")
	do(t, k, "kill b\nkill a\nspawn d in /d pidns=new\nspawn e in /e pidns=new\nspawn f in /f pidns=new")
	if d, e, f := nsOf(t, k, "d"), nsOf(t, k, "e"), nsOf(t, k, "f"); d != a || e != b || f == nsOf(t, k, "c") {
		t.Errorf("freed %s and %s, given out %s %s %s", a, b, d, e, f)
	}
}

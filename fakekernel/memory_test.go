package fakekernel

import (
	"errors"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// boot makes a machine and runs verbs, one a line.
func boot(t *testing.T, words, script string) *Kernel {
	t.Helper()
	k, err := Boot(strings.Fields(words)...)
	if err != nil {
		t.Fatal(err)
	}
	do(t, k, script)
	return k
}

func do(t *testing.T, k *Kernel, script string) {
	t.Helper()
	for line := range strings.Lines(script) {
		w := strings.Fields(line)
		if len(w) == 0 {
			continue
		}
		if err := k.Do(w[0], w[1:]...); err != nil {
			t.Fatalf("%s: %v", strings.TrimSpace(line), err)
		}
	}
}

func read(t *testing.T, k *Kernel, file string) string {
	t.Helper()
	b, err := k.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// key returns the number behind key in a file of lines "key N" or "key: N kB".
func key(t *testing.T, text, key string) int64 {
	t.Helper()
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) >= 2 && strings.TrimSuffix(f[0], ":") == key {
			n, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no key %s in\n%s", key, text)
	return 0
}

func number1(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// usageOf reads a cgroup's memory usage in any layout.
func usageOf(t *testing.T, k *Kernel, cg string) int64 {
	t.Helper()
	if k.Layout() == "unified" {
		return number1(t, read(t, k, "/sys/fs/cgroup"+cg+"/memory.current"))
	}
	return number1(t, read(t, k, "/sys/fs/cgroup/memory"+cg+"/memory.usage_in_bytes"))
}

func TestChargeCountsInAncestorsAndHost(t *testing.T) {
	const mib = 1 << 20
	for _, layout := range layouts {
		k := boot(t, layout, "cgroup create /a/b")
		before := read(t, k, "/proc/meminfo")
		do(t, k, `charge /a/b anon=10M file=20M shmem=3M slab_reclaimable=1M kernel_stack=64K percpu=8K
			charge /a anon=5M
			charge /a/b anon=-2M`)
		const lower = 8*mib + 20*mib + 3*mib + mib + 64<<10 + 8<<10
		if got := usageOf(t, k, "/a/b"); got != lower {
			t.Errorf("%s: usage of /a/b = %d, want %d", layout, got, lower)
		}
		if got := usageOf(t, k, "/a"); got != lower+5*mib {
			t.Errorf("%s: usage of /a = %d, want %d", layout, got, lower+5*mib)
		}
		after := read(t, k, "/proc/meminfo")
		for label, want := range map[string]int64{
			"MemFree": -(lower + 5*mib), "Cached": 23 * mib, "AnonPages": 13 * mib, "Shmem": 3 * mib, "SReclaimable": mib, "Slab": mib,
			"KernelStack": 64 << 10, "Active": 0, "MemTotal": 0, "Buffers": 0, "SwapFree": 0,
		} {
			if got := (key(t, after, label) - key(t, before, label)) << 10; got != want {
				t.Errorf("%s: %s changed by %d, want %d", layout, label, got, want)
			}
		}
	}
}

func TestMemoryStatPartsSumUp(t *testing.T) {
	k := boot(t, "unified kernel=6.18", `cgroup create /a
		charge /a anon=7M file=11M shmem=2M slab_reclaimable=300000 slab_unreclaimable=100000 kernel_stack=48K pagetables=32K sec_pagetables=4K percpu=192 sock=4K vmalloc=8K zswapped=3M
		charge /a active_anon=1M active_file=5M unevictable=512K file_mapped=2M file_dirty=4K anon_thp=2M`)
	s := read(t, k, "/sys/fs/cgroup/a/memory.stat")
	get := func(name string) int64 { return key(t, s, name) }
	for _, c := range []struct {
		reason    string
		got, want int64
	}{
		{"memory.current counts each page once", usageOf(t, k, "/a"), get("anon") + get("file") + get("kernel") + get("sock")},
		{"kernel is the sum of its kinds", get("kernel"), get("kernel_stack") + get("pagetables") + get("sec_pagetables") + get("percpu") + get("vmalloc") + get("slab") + get("zswap")},
		{"slab is both slabs", get("slab"), 400000},
		{"every page is on one LRU list", get("inactive_anon") + get("active_anon") + get("inactive_file") + get("active_file") + get("unevictable"), get("anon") + get("file")},
		{"tmpfs is on the anon lists", get("inactive_anon"), 7<<20 + 2<<20 - 1<<20 - 512<<10},
		{"zswap holds a third", get("zswap"), 1 << 20},
		{"and the whole size is zswapped", get("zswapped"), 3 << 20},
		{"and swapped", number1(t, read(t, k, "/sys/fs/cgroup/a/memory.swap.current")), 3 << 20},
		{"and the pool has its file", number1(t, read(t, k, "/sys/fs/cgroup/a/memory.zswap.current")), 1 << 20},
		{"a description allocates nothing", get("anon"), 7 << 20},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %d, want %d", c.reason, c.got, c.want)
		}
	}
}

func TestReclaimBeforeOOM(t *testing.T) {
	for _, layout := range layouts {
		k := boot(t, layout, `cgroup create /a/b
			limit memory /a 64M
			limit swap /a 16M
			charge /a/b anon=20M file=30M
			charge /a/b file=40M`)
		stat := func(name, v1 string) int64 {
			if layout == "unified" {
				return key(t, read(t, k, "/sys/fs/cgroup/a/memory.stat"), name)
			}
			return key(t, read(t, k, "/sys/fs/cgroup/memory/a/memory.stat"), "total_"+v1)
		}
		swapped := func() int64 {
			if layout == "unified" {
				return number1(t, read(t, k, "/sys/fs/cgroup/a/memory.swap.current"))
			}
			return stat("", "swap")
		}
		if a, f, s := stat("anon", "rss"), stat("file", "cache"), swapped(); a != 20<<20 || f > 44<<20 || f < 42<<20 || s != 0 {
			t.Errorf("%s: page cache makes room for page cache: anon %d file %d swap %d", layout, a, f, s)
		}
		do(t, k, "charge /a/b anon=55M")
		if a, f, s := stat("anon", "rss"), stat("file", "cache"), swapped(); a+s != 75<<20 || f != 0 || s == 0 || s > 16<<20 {
			t.Errorf("%s: then swap takes what is over: anon %d file %d swap %d", layout, a, f, s)
		}
		err := k.Charge("/a/b", "anon=10M")
		if !errors.Is(err, syscall.ENOMEM) {
			t.Errorf("%s: Charge = %v, want ENOMEM", layout, err)
		}
		if a, s := stat("anon", "rss"), swapped(); a+s != 75<<20 {
			t.Errorf("%s: the failed charge left something: anon %d swap %d", layout, a, s)
		}
		if layout == "unified" {
			e := read(t, k, "/sys/fs/cgroup/a/memory.events")
			if key(t, e, "oom") != 1 || key(t, e, "oom_kill") != 0 || key(t, e, "max") == 0 {
				t.Errorf("memory.events after one failed charge:\n%s", e)
			}
			if e := read(t, k, "/sys/fs/cgroup/a/b/memory.events"); key(t, e, "oom") != 0 {
				t.Errorf("the event belongs to the level that is full, not below it:\n%s", e)
			}
		}
	}
}

func TestOOMKillTakesTheBiggest(t *testing.T) {
	for _, layout := range layouts {
		k := boot(t, layout+" swap=0", `cgroup create /a
			limit memory /a 64M
			spawn small in /a
			spawn big in /a
			charge small anon=10M
			charge big anon=40M
			charge small anon=30M oom=kill`)
		if k.m.names["small"].dead || !k.m.names["big"].dead {
			t.Errorf("%s: small dead %v, big dead %v", layout, k.m.names["small"].dead, k.m.names["big"].dead)
		}
		if got := usageOf(t, k, "/a"); got != 40<<20 {
			t.Errorf("%s: usage %d, want what small has", layout, got)
		}
		file := "/sys/fs/cgroup/a/memory.events"
		if layout != "unified" {
			file = "/sys/fs/cgroup/memory/a/memory.oom_control"
		}
		if got := key(t, read(t, k, file), "oom_kill"); got != 1 {
			t.Errorf("%s: oom_kill %d, want 1", layout, got)
		}
	}
}

func TestMemoryLimits(t *testing.T) {
	const v1, v2 = "/sys/fs/cgroup/memory/a/", "/sys/fs/cgroup/a/"
	for _, c := range []struct {
		reason, words, script, verb string
		errno                       error
		file, want                  string
	}{
		{"v1: no limit is the page counter's maximum", "legacy", "", "cgroup create /a", nil, v1 + "memory.limit_in_bytes", "9223372036854771712\n"},
		{"v2: no limit is a word", "unified", "", "cgroup create /a", nil, v2 + "memory.max", "max\n"},
		{"v1: swap's limit is memory's and its own", "legacy", "cgroup create /a\nlimit memory /a 64M", "limit swap /a 32M", nil, v1 + "memory.memsw.limit_in_bytes", "100663296\n"},
		{"v1: swap without memory cannot be said", "legacy", "cgroup create /a", "limit swap /a 32M", syscall.EINVAL, v1 + "memory.memsw.limit_in_bytes", "9223372036854771712\n"},
		{"v1: memory above memsw is refused", "hybrid", "cgroup create /a\nlimit memory /a 64M\nlimit swap /a 0", "limit memory /a 128M", syscall.EINVAL, v1 + "memory.limit_in_bytes", "67108864\n"},
		{"v1: a limit below what stays is EBUSY and changes nothing", "legacy swap=0", "cgroup create /a\nlimit memory /a 64M\ncharge /a anon=32M", "limit memory /a 16M", syscall.EBUSY, v1 + "memory.limit_in_bytes", "67108864\n"},
		{"v2: it stands", "unified swap=0", "cgroup create /a\nlimit memory /a 64M\ncharge /a anon=32M", "limit memory /a 16M", nil, v2 + "memory.max", "16777216\n"},
		{"v2: limits are whole pages", "unified", "cgroup create /a", "limit memory /a 4097", nil, v2 + "memory.max", "4096\n"},
		{"v2: own swap limit", "unified", "cgroup create /a", "limit swap /a 32M", nil, v2 + "memory.swap.max", "33554432\n"},
		{"v2: no memsw", "unified", "cgroup create /a", "limit memsw /a 32M", syscall.ENOENT, v2 + "memory.swap.max", "max\n"},
		{"v1: swappiness", "legacy", "cgroup create /a", "limit swappiness /a 0", nil, v1 + "memory.swappiness", "0\n"},
		{"v2: high reclaims and does not refuse", "unified swap=0", "cgroup create /a\nlimit high /a 8M", "charge /a anon=16M", nil, v2 + "memory.current", "16777216\n"},
		{"v2: a controller that is off has no limit", "unified", "cgroup create /a controllers=cpu", "limit memory /a 1M", syscall.ENOENT, v2 + "cgroup.controllers", "cpu\n"},
		{"hugetlb", "unified hugepages=8", "cgroup create /a\nlimit hugetlb /a 4M\ncharge /a hugetlb=4M", "charge /a hugetlb=2M", syscall.ENOMEM, v2 + "hugetlb.2MB.current", "4194304\n"},
	} {
		k := boot(t, c.words, c.script)
		w := strings.Fields(c.verb)
		if err := k.Do(w[0], w[1:]...); !errors.Is(err, c.errno) {
			t.Errorf("%s: %s = %v, want %v", c.reason, c.verb, err, c.errno)
		}
		if diff := cmp.Diff(c.want, read(t, k, c.file)); diff != "" {
			t.Errorf("%s: %s (-want +got)\n%s", c.reason, c.file, diff)
		}
	}
}

func TestProtectionIsKept(t *testing.T) {
	k := boot(t, "unified swap=0", `cgroup create /a/kept
		cgroup create /a/other
		limit memory /a 64M
		limit low /a/kept 20M
		charge /a/kept file=30M
		charge /a/other file=30M
		charge /a anon=20M`)
	if got := usageOf(t, k, "/a/kept"); got < 20<<20 {
		t.Errorf("usage of the protected cgroup = %d, want 20M at least", got)
	}
	if got := usageOf(t, k, "/a"); got > 64<<20 {
		t.Errorf("usage = %d, above the limit", got)
	}
}

func TestSwapVerbAndSwaps(t *testing.T) {
	for _, layout := range layouts {
		k := boot(t, layout+" swap=64M", `cgroup create /a
			charge /a anon=50M
			swap /a out=30M`)
		if got := usageOf(t, k, "/a"); got != 20<<20 {
			t.Errorf("%s: usage after swapping 30M of 50M out = %d", layout, got)
		}
		if got := read(t, k, "/proc/swaps"); !strings.Contains(got, "partition\t65536\t\t30720\t\t-2\n") {
			t.Errorf("%s: /proc/swaps\n%s", layout, got)
		}
		do(t, k, "swap /a in=10M")
		if got := key(t, read(t, k, "/proc/meminfo"), "SwapFree"); got != (64-20)<<10 {
			t.Errorf("%s: SwapFree %d", layout, got)
		}
		if err := k.Swap("/a", "out=60M"); !errors.Is(err, syscall.ENOMEM) {
			t.Errorf("%s: swapping out more than there is room for: %v", layout, err)
		}
	}
}

func TestHierarchicalLimitsOfV1(t *testing.T) {
	k := boot(t, "legacy", `cgroup create /a/b/c
		limit memory /a 512M
		limit swap /a 64M
		limit memory /a/b/c 1G`)
	s := read(t, k, "/sys/fs/cgroup/memory/a/b/c/memory.stat")
	if got := key(t, s, "hierarchical_memory_limit"); got != 512<<20 {
		t.Errorf("hierarchical_memory_limit %d", got)
	}
	if got := key(t, s, "hierarchical_memsw_limit"); got != 576<<20 {
		t.Errorf("hierarchical_memsw_limit %d", got)
	}
}

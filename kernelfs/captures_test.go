package kernelfs

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// TestRealKernels parses what real kernels showed of a limited, loaded cgroup, whose process is 42
// here, on each layout.
func TestRealKernels(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(archives) < 8 {
		t.Fatalf("%d archives, want one for each kernel and layout", len(archives))
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			last := archive.Files[len(archive.Files)-1]
			if last.Name != "want" {
				t.Fatalf("%s ends in %s, want the entry want", name, last.Name)
			}
			s := snapshot(t, string(txtar.Format(archive)))
			if diff := cmp.Diff(string(last.Data), tell(t, s, 42)); diff != "" {
				t.Errorf("values (-want +got)\n%s", diff)
			}
		})
	}
}

// limit prints an amount as v2 prints limits.
func limit(b Bytes) string {
	if b == NoLimit {
		return "max"
	}
	return fmt.Sprint(uint64(b))
}

// tell prints every value of pid's cgroups, one a line.
func tell(t *testing.T, s *Snapshot, pid int) string {
	t.Helper()
	var out strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	k := s.FS()
	text, err := s.Process(pid).Cgroups(s)
	must(err)
	in := func(c Controller) *Cgroup {
		t.Helper()
		path, ok := k.Hierarchy(c).Find(text)
		if !ok || path != "/limited" {
			t.Fatalf("Find for %v = %q, %v, want /limited", c, path, ok)
		}
		return groupOf(t, s, c, path)
	}
	say("layout %s", k.Layout())
	say("cgroup %s", in(Memory).Path)
	tellMemory(s, in(Memory), say, must)

	q, err := in(CPU).Quota(s)
	must(err)
	say("quota %d/%d ns", q.Quota, q.Period)
	var used CPUTime
	must(in(CPUAcct).CPUTime(s, &used))
	say("time user %d nice %d system %d ns", used.User, used.Nice, used.System)
	for cpu, u := range used.PerCPU {
		say("time of cpu%d user %d system %d ns", cpu, u.User, u.System)
	}
	set, _, err := in(CPUSet).CPUSet(s, nil)
	must(err)
	say("cpuset %v", set)
	devices, _, err := in(IO).IO(s, nil)
	must(err)
	for _, d := range devices {
		say("io %d:%d bytes %d %d %d ops %d %d %d", d.Major, d.Minor, d.Reads.Bytes, d.Writes.Bytes, d.Discards.Bytes, d.Reads.Ops, d.Writes.Ops, d.Discards.Ops)
	}
	h, err := in(HugeTLB).HugePages(s, "2MB")
	must(err)
	say("hugepages %s %d %d", limit(h.Limit), h.Usage, h.Reserved)
	if k.Hierarchy(PSI) != nil {
		for _, name := range []Controller{CPU, IO, Memory} {
			text, err := in(PSI).Pressure(s, name)
			must(err)
			if !bytes.HasPrefix(text, []byte("some avg10=")) {
				t.Errorf("pressure of %v begins %.20q", name, text)
			}
			say("pressure %s %d bytes", [...]string{CPU: "cpu", IO: "io", Memory: "memory"}[name], len(text))
		}
	}
	online, err := s.Online(nil)
	must(err)
	say("online %v", online)
	now, err := s.Now()
	must(err)
	say("now %d ms", now/time.Millisecond)
	started, err := s.startTime(pid)
	must(err)
	say("started at tick %d", started)
	return out.String()
}

func tellMemory(s *Snapshot, cg *Cgroup, say func(string, ...any), must func(error)) {
	m, err := cg.MemoryLimit(s)
	must(err)
	say("memory.max %s at %s, %d used at %s", limit(m.Limit), m.LimitAt.File(), m.Usage, m.UsageAt.File())
	w, err := cg.Swap(s)
	must(err)
	say("swap %s at %s, %d used, swappiness %d", limit(w.Limit), w.LimitAt.File(), w.Usage, w.Swappiness)
	stat, err := cg.MemoryStat(s)
	must(err)
	for _, k := range []MemKey{
		Anon, FileCache, Shmem, FileMapped, FileDirty, FileWriteback, SwapCached, AnonTHP, FileTHP, ShmemTHP, KernelStack, PageTables, SecPageTables,
		Percpu, Vmalloc, InactiveAnon, ActiveAnon, InactiveFile, ActiveFile, Unevictable, SlabReclaimable, SlabUnreclaimable, Slab, Zswap, Zswapped,
	} {
		if stat.Known(k) {
			say("memory.stat %s %d", k.Name(cg.Hierarchy.Version), stat.Bytes[k])
		}
	}
}

package kernelfs

import (
	"bytes"
	"strings"
	"testing"
)

// v1Everything is a legacy host as v2Everything is a unified one; each controller is dug apart.
const v1Everything = `
-- m/memory.limit_in_bytes --
9223372036854771712
-- m/a/memory.limit_in_bytes --
900000
-- m/a/b/memory.limit_in_bytes --
800000
-- m/a/b/memory.usage_in_bytes --
700000
-- m/a/b/memory.memsw.usage_in_bytes --
705000
-- m/a/b/memory.swappiness --
35
-- m/a/b/memory.stat --
total_rss 400
total_cache 300
hierarchical_memory_limit 800000
hierarchical_memsw_limit 860000
-- m/a/cpu.cfs_quota_us --
-1
-- m/a/b/cpu.cfs_quota_us --
150000
-- m/a/b/cpu.cfs_period_us --
100000
-- m/a/b/cpuacct.usage_all --
cpu user system
0 11 22
1 33 44
-- m/a/b/cpuacct.usage_percpu --
55 66
-- m/a/b/cpuset.effective_cpus --
0,2
-- m/a/b/blkio.throttle.io_service_bytes_recursive --
8:0 Read 101
8:0 Write 102
8:0 Sync 900
8:0 Async 901
8:0 Discard 103
8:0 Total 902
Total 903
-- m/a/b/blkio.throttle.io_serviced_recursive --
8:0 Read 201
8:0 Write 202
8:0 Discard 203
8:0 Total 904
Total 905
`

// warm are the values whose read from kept files must not allocate.
var warm = []struct {
	name string
	read func(s *Snapshot, cg *Cgroup, v *values) error
}{
	{"MemoryLimit", func(s *Snapshot, cg *Cgroup, _ *values) error { _, err := cg.MemoryLimit(s); return err }},
	{"MemoryStat", func(s *Snapshot, cg *Cgroup, _ *values) error { _, err := cg.MemoryStat(s); return err }},
	{"Swap", func(s *Snapshot, cg *Cgroup, _ *values) error { _, err := cg.Swap(s); return err }},
	{"Quota", func(s *Snapshot, cg *Cgroup, _ *values) error { _, err := cg.Quota(s); return err }},
	{"CPUTime", func(s *Snapshot, cg *Cgroup, v *values) error { return cg.CPUTime(s, &v.time) }},
	{"CPUSet", func(s *Snapshot, cg *Cgroup, v *values) (err error) { v.set, _, err = cg.CPUSet(s, v.set); return err }},
	{"IO", func(s *Snapshot, cg *Cgroup, v *values) (err error) {
		v.devices, _, err = cg.IO(s, v.devices)
		return err
	}},
	{"Now", func(s *Snapshot, _ *Cgroup, _ *values) error { _, err := s.Now(); return err }},
	{"Online", func(s *Snapshot, _ *Cgroup, v *values) (err error) { v.set, err = s.Online(v.set); return err }},
	{"Stat", func(s *Snapshot, _ *Cgroup, _ *values) error { _, err := s.FS().Stat.Shared(s); return err }},
	{"Cgroups", func(s *Snapshot, _ *Cgroup, v *values) error { _, err := v.self.Cgroups(s); return err }},
	{"Namespace", func(s *Snapshot, _ *Cgroup, v *values) error { _, err := s.Namespace(v.self.PID); return err }},
}

// dug returns the two versions' cgroup on the machine's own files.
func dug(t testing.TB, k *FS) map[string]*Cgroup {
	return map[string]*Cgroup{"v1": dig(t, k, 1, "/m", v1Everything, "/a/b"), "v2": dig(t, k, 2, "/sys/fs/cgroup", v2Everything, "/a/b")}
}

func TestWarmReadsDoNotAllocate(t *testing.T) {
	k := machine(t)
	for version, cg := range dug(t, k) {
		for _, w := range warm {
			s := k.Snapshot()
			v := &values{self: s.Process(pid)}
			read := func() {
				s.Reset()
				if err := w.read(s, cg, v); err != nil {
					t.Errorf("%s %s: %v", version, w.name, err)
				}
			}
			read()
			if n := testing.AllocsPerRun(100, read); n != 0 {
				t.Errorf("%s: a warm read of %s allocates %v times, want 0", version, w.name, n)
			}
			v.self.Close()
		}
	}
}

func TestWarmPassReadsEachFileOnce(t *testing.T) {
	k := machine(t)
	for version, cg := range dug(t, k) {
		s := k.Snapshot()
		v := &values{self: s.Process(pid)}
		for pass := range 3 {
			if pass == 1 {
				s.Reset() // the first learns what the kernel has
			}
			for _, w := range warm {
				if err := w.read(s, cg, v); err != nil {
					t.Errorf("%s %s: %v", version, w.name, err)
				}
			}
		}
		seen := map[string]bool{}
		for _, r := range s.Readings() {
			if seen[r.Path] {
				t.Errorf("%s: %s was read twice in one pass", version, r.Path)
			}
			if seen[r.Path] = true; r.Err != nil {
				t.Errorf("%s: a read that cannot succeed is made in every pass: %v", version, r.Err)
			}
		}
		v.self.Close()
	}
}

// Benchmarks of one value each from kept files, warm: what a container's file costs is their sum.
func BenchmarkValue(b *testing.B) {
	k := machine(b)
	for version, cg := range dug(b, k) {
		for _, w := range warm {
			b.Run(version+"/"+w.name, func(b *testing.B) {
				s := k.Snapshot()
				v := &values{self: s.Process(pid)}
				defer v.self.Close()
				b.ReportAllocs()
				for b.Loop() {
					s.Reset()
					if err := w.read(s, cg, v); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// Benchmarks of the parsers alone.
func BenchmarkParse(b *testing.B) {
	stat := MemoryStat{}
	text := []byte(strings.Repeat("workingset_refault_anon 123456\n", 30) + "anon 123456\nfile 7654321\n")
	b.Run("MemoryStat", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := stat.parse("/f", text, 2); err != nil {
				b.Fatal(err)
			}
		}
	})
	list, set := []byte("0-15,32-47,64-79,96-1023\n"), CPUList(nil)
	b.Run("CPUList", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var err error
			if set, err = ParseCPUList("/f", list, set); err != nil {
				b.Fatal(err)
			}
		}
	})
	devices := []DeviceIO(nil)
	iostat := bytes.Repeat([]byte("253:0 rbytes=159744 wbytes=192512 rios=39 wios=47 dbytes=0 dios=0\n"), 4)
	b.Run("IOStat", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var err error
			if devices, err = parseIOStat("/f", iostat, devices[:0]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

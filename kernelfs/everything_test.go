package kernelfs

import (
	"os"
	"testing"
)

// v2Everything is a unified host with a cgroup whose files are all there.
const v2Everything = unified + `
-- proc/meminfo --
MemTotal: 1 kB
-- proc/stat --
cpu 1
-- proc/uptime --
350735.47 234388.90
-- proc/cpuinfo --
processor: 0
-- proc/diskstats --
8 0 sda
-- sys/devices/system/cpu/online --
0-3
-- sys/fs/cgroup/cpuset.cpus.effective --
0-3
-- sys/fs/cgroup/a/memory.max --
900000
-- sys/fs/cgroup/a/memory.swap.max --
max
-- sys/fs/cgroup/a/cpu.max --
max 100000
-- sys/fs/cgroup/a/hugetlb.2MB.max --
max
-- sys/fs/cgroup/a/b/memory.max --
800000
-- sys/fs/cgroup/a/b/memory.current --
700000
-- sys/fs/cgroup/a/b/memory.swap.max --
60000
-- sys/fs/cgroup/a/b/memory.swap.current --
5000
-- sys/fs/cgroup/a/b/memory.stat --
anon 400
file 300
-- sys/fs/cgroup/a/b/cpu.max --
150000 100000
-- sys/fs/cgroup/a/b/cpu.stat --
usage_usec 99
user_usec 70
system_usec 29
-- sys/fs/cgroup/a/b/cpuset.cpus.effective --
0,2
-- sys/fs/cgroup/a/b/io.stat --
8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6
-- sys/fs/cgroup/a/b/cpu.pressure --
some avg10=0.00 avg60=0.00 avg300=0.00 total=0
-- sys/fs/cgroup/a/b/hugetlb.2MB.max --
20
-- sys/fs/cgroup/a/b/hugetlb.2MB.current --
10
-- sys/fs/cgroup/a/b/hugetlb.2MB.rsvd.current --
5
-- sys/fs/cgroup/a/b/cgroup.threads --
110
-- proc/110/task/110/status --
State:	R (running)
-- proc/110/stat --
110 (sh) R 1
`

// values are a cgroup's values in memory that is used again.
type values struct {
	time    CPUTime
	set     CPUList
	devices []DeviceIO
	self    *Process
}

// pid is this process, whose files the machine shows.
var pid = os.Getpid()

// read reads every value whose warm read must not allocate.
func (v *values) read(t testing.TB, s *Snapshot, cg *Cgroup) {
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	_, err := cg.MemoryLimit(s)
	must(err)
	_, err = cg.MemoryStat(s)
	must(err)
	_, err = cg.Swap(s)
	must(err)
	_, err = cg.Quota(s)
	must(err)
	must(cg.CPUTime(s, &v.time))
	v.set, _, err = cg.CPUSet(s, v.set)
	must(err)
	v.devices, _, err = cg.IO(s, v.devices)
	must(err)
	_, err = cg.Pressure(s, CPU)
	must(err)
}

// readEverything reads all this package can tell of a cgroup and of the container in people.
func readEverything(t testing.TB, s *Snapshot, path string) {
	t.Helper()
	cg := groupOf(t, s, Memory, path)
	new(values).read(t, s, cg)
	if _, err := cg.HugePages(s, "2MB"); err != nil {
		t.Error(err)
	}
	if got := cg.Threads(s, 9, 9); got.Total == 0 || got.Running != got.Total {
		t.Errorf("Threads = %+v, want all of them running", got)
	}
	k := s.FS()
	for _, f := range []*HostFile{k.Meminfo, k.Stat, k.CPUInfo, k.Diskstats, k.OnlineCPUs, k.Uptime} {
		if _, err := f.Shared(s); err != nil {
			t.Error(err)
		}
	}
	p, err := s.Init(111, 4026532201)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Cgroups(s); err != nil {
		t.Error(err)
	}
	if !p.Alive(s) {
		t.Error("the container's init does not live")
	}
}

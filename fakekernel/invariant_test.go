package fakekernel

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// checkInvariants is what holds of every machine at any time.
func checkInvariants(t *testing.T, k *Kernel) {
	t.Helper()
	m := k.m
	for _, h := range m.hierarchies {
		for cg := range h.root.down {
			checkCgroup(t, m, cg)
		}
	}
	if free := m.freeMemory(); free < 0 {
		t.Errorf("free memory %d", free)
	}
	if used := m.memoryRoot().mem.total[swap]; used < 0 || used > m.Swap {
		t.Errorf("swap used %d of %d", used, m.Swap)
	}
	for i, c := range m.cpus {
		sum := c.busy() + c.idle + c.iowait
		if c.online && i == 0 && sum != int64(m.now) {
			t.Errorf("cpu%d: fields sum up to %d ns, uptime is %d", i, sum, int64(m.now))
		}
		if sum > int64(m.now) || min(c.user, c.nice, c.system, c.idle, c.iowait) < 0 {
			t.Errorf("cpu%d: %+v at %d", i, c, int64(m.now))
		}
	}
	for line := range lines(m.meminfo(nil)) {
		label, value, _ := strings.Cut(line, ":")
		n, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
		if err != nil || n < 0 || n > m.Memory>>10 && !strings.HasPrefix(label, "Vmalloc") && !strings.HasPrefix(label, "Commit") && !strings.HasPrefix(label, "Swap") && label != "Zswapped" {
			t.Errorf("meminfo %s", line)
		}
	}
}

func checkCgroup(t *testing.T, m *machine, cg *cgroup) {
	t.Helper()
	where := cg.h.label() + ":" + cg.path()
	if cg.mem != nil {
		sum := cg.mem.local
		for _, c := range cg.children {
			for f := range sum {
				sum[f] += c.mem.total[f]
			}
		}
		if sum != cg.mem.total {
			t.Errorf("%s: own and children's amounts\n%v\ntotal\n%v", where, sum, cg.mem.total)
		}
		for _, a := range []*amounts{&cg.mem.local, &cg.mem.total} {
			for f, n := range a {
				if n < 0 {
					t.Errorf("%s: field %d is %d", where, f, n)
				}
			}
			if a.inactiveAnon() < 0 || a.inactiveFile() < 0 {
				t.Errorf("%s: inactive_anon %d, inactive_file %d", where, a.inactiveAnon(), a.inactiveFile())
			}
			lru := a.inactiveAnon() + a.inactiveFile() + a[activeAnon] + a[activeFile] + a[unevictable]
			if lru != a[anon]+a[fileCache] {
				t.Errorf("%s: LRU lists hold %d, anon and file are %d", where, lru, a[anon]+a[fileCache])
			}
		}
		// A v2 limit set below what cannot be reclaimed stands; the kernel counts an oom then.
		if u := cg.mem.total.usage(); u > cg.mem.max && cg.mem.localEvents.oom == 0 {
			t.Errorf("%s: usage %d above limit %d", where, u, cg.mem.max)
		}
		if u := cg.mem.total.usage() + cg.mem.total[swap]; u > cg.mem.memswMax {
			t.Errorf("%s: memory and swap %d above limit %d", where, u, cg.mem.memswMax)
		}
	}
	tasks := 0
	for c := range cg.down {
		for p := range c.procs {
			tasks += len(p.threads)
			if p.dead || p.cgroups[cg.h] != c {
				t.Errorf("%s: holds pid %d, which is not there", where, p.pid)
			}
		}
	}
	if tasks != cg.ntasks {
		t.Errorf("%s: %d threads counted, %d there", where, cg.ntasks, tasks)
	}
	if g := cg.cpu; g != nil && g.per != nil {
		var total, user, system int64
		for _, p := range g.per {
			total, user, system = total+p.total, user+p.user, system+p.system
		}
		if total != g.user+g.system || user > g.user || system > g.system {
			t.Errorf("%s: per-CPU sums %d, sampled %d %d, totals %d %d", where, total, user, system, g.user, g.system)
		}
	}
}

// FuzzModel turns bytes into verbs. Verbs may fail; the machine must stay one that Linux could be.
func FuzzModel(f *testing.F) {
	for i := range 12 {
		seed := make([]byte, 96)
		for j := range seed {
			seed[j] = byte(i*53 + j*(37+i) + j*j*(i+3))
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		next := func(n int) int {
			if len(b) == 0 {
				return 0
			}
			v := int(b[0]) % n
			b = b[1:]
			return v
		}
		layout, kernel := layouts[next(3)], []string{"4.19", "5.10", "6.1", "6.12", "6.18", "7.3"}[next(6)]
		k, err := Boot(layout, "kernel="+kernel, "cpus=6", "memory=1G", "swap=256M", "hugepages=16")
		if err != nil {
			t.Fatal(err)
		}
		var log []string
		var busyUsec int64
		for len(b) > 0 && len(log) < 60 && !t.Failed() {
			v := fuzzVerb(next)
			log = append(log, fmt.Sprint(v, " ", errString(k.Do(v[0], v[1:]...))))
			checkInvariants(t, k)
			if busy := k.m.memoryRoot().cpuUsage(k.m); busy < busyUsec {
				t.Errorf("CPU time fell from %d to %d", busyUsec, busy)
			} else {
				busyUsec = busy
			}
		}
		if t.Failed() {
			t.Log(layout, kernel, "\n"+strings.Join(log, "\n"))
		}
	})
}

// cpuUsage is the time all CPUs were busy.
func (cg *cgroup) cpuUsage(m *machine) (ns int64) {
	for i := range m.cpus {
		ns += m.cpus[i].busy()
	}
	return ns
}

func errString(err error) string {
	if err == nil {
		return "ok"
	}
	return err.Error()
}

func fuzzVerb(next func(int) int) []string {
	paths := []string{"/a", "/a/b", "/a/c", "/d", "/a/b/e"}
	names := []string{"p", "q", "r", "s"}
	sizes := []string{"4K", "1M", "17M", "64M", "300M", "900M", "max"}
	cg, name, size := paths[next(len(paths))], names[next(len(names))], sizes[next(len(sizes))]
	if size == "max" && next(2) == 0 {
		size = "-8M"
	}
	switch next(16) {
	case 0:
		return []string{"cgroup", "create", cg}
	case 1:
		return []string{"cgroup", "remove", cg}
	case 2:
		return []string{"limit", []string{"memory", "swap", "high", "low", "memsw", "hugetlb"}[next(6)], cg, size}
	case 3:
		return []string{"limit", "cpu", cg, []string{"0.5", "1.5", "max", "7", "30000/20000"}[next(5)]}
	case 4:
		return []string{"limit", "cpuset", cg, []string{"0", "1-2", "0-5", "3,5", "2"}[next(5)]}
	case 5, 6, 7:
		keys := sortedKeys(chargeKeys)
		v := []string{"charge", []string{cg, name}[next(2)], keys[next(len(keys))] + "=" + size}
		if next(3) == 0 {
			v = append(v, "oom=kill")
		}
		return v
	case 8:
		return []string{"spawn", name, "in", cg, "pidns=" + []string{"new", "host", "of:p"}[next(3)], "threads=" + strconv.Itoa(1+next(3))}
	case 9:
		return []string{"run", name, "user=" + []string{"0.3", "1", "4", "0"}[next(4)], "system=" + []string{"0", "0.25", "2"}[next(3)]}
	case 10:
		return []string{"move", name, "to", cg}
	case 11:
		return []string{"kill", name}
	case 12:
		return []string{"tick", []string{"1s", "5s", "12.345678s", "70ms"}[next(4)]}
	case 13:
		return []string{"swap", cg, []string{"out", "in"}[next(2)] + "=" + size}
	case 14:
		return []string{"hotplug", strconv.Itoa(next(6)), []string{"on", "off"}[next(2)]}
	}
	return []string{[]string{"freeze", "thaw"}[next(2)], cg}
}

func TestBootIsConsistent(t *testing.T) {
	for _, layout := range layouts {
		k, err := Boot(layout, "cpus=3", "uptime=777s")
		if err != nil {
			t.Fatal(err)
		}
		checkInvariants(t, k)
		if err := k.Tick(33 * time.Second); err != nil {
			t.Fatal(err)
		}
		checkInvariants(t, k)
	}
}

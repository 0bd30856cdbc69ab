//go:build integration

package integration

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"lxcfs/scripts/testbed"
)

// settings are the limits that every runtime gets. Between them every kind of limit is set,
// and the two ways to have fewer CPUs are apart.
func settings() []setting {
	last := host.cpus[len(host.cpus)-1]
	return []setting{
		{name: "cpuset", limits: testbed.Limits{Memory: 256 << 20, MemorySwap: 384 << 20, CPUSet: strconv.Itoa(last)},
			memory: 256 << 10, swap: swapFor(256<<10, 384<<10), cpus: []int{last}, possible: last + 1},
		{name: "quota", limits: testbed.Limits{Memory: 192 << 20, MemorySwap: 320 << 20, CPUs: 1},
			memory: 192 << 10, swap: swapFor(192<<10, 320<<10), cpus: host.cpus[:1], possible: last + 1},
	}
}

// swapFor is the swap shown for limits in kB. v1 limits the sum of both, and any part of
// it may be swap; v2 limits swap itself. Without swap accounting there is none.
func swapFor(memory, memorySwap int64) int64 {
	if testbed.HostLayout() == testbed.Unified {
		return min(memorySwap-memory, host.swap)
	}
	return min(memorySwap, host.swap)
}

// What a program shows in a container is the container's number, or its question is in
// the table of limits and shows another one somewhere.
func TestTools(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	beyond := map[int]bool{} // limits that showed
	missed := map[int]bool{} // what the reference got wrong
	t.Run("in", func(t *testing.T) {
		for _, r := range chosen(t) {
			for _, s := range settings() {
				t.Run(r.Name+"/"+s.name, func(t *testing.T) {
					t.Parallel() // most of it is waiting for sar and htop
					c := start(t, r, s.limits)
					s.box = c
					for i, q := range questions {
						got, err := c.Sh(q.script)
						if err != nil {
							t.Errorf("%s %s: %v", q.tool, q.asks, err)
							continue
						}
						diff := judge(strings.TrimSpace(got), q.want(&s))
						switch {
						case q.limited():
							mu.Lock()
							beyond[i] = beyond[i] || diff != ""
							mu.Unlock()
						case reference && q.reference != "":
							mu.Lock()
							missed[i] = missed[i] || diff != ""
							mu.Unlock()
						case diff != "":
							t.Errorf("%s: %s: %s", q.tool, q.asks, diff)
						}
					}
				})
			}
		}
	})
	if t.Failed() {
		return
	}
	for i, q := range questions {
		if reference && q.reference != "" && !missed[i] {
			t.Errorf("%s: %s: the reference %s, but was right everywhere", q.tool, q.asks, q.reference)
		}
		if q.limited() && !beyond[i] && !alike(q) {
			t.Errorf("%s: %s: shows the container's number everywhere: it is no limit (%s)", q.tool, q.asks, q.limit)
		}
	}
}

// alike excuses the questions that a guest answers as a container does: it is as young as
// its containers, and what it reads comes from no disk.
func alike(q question) bool {
	return testbed.Guest() && (slices.Contains([]string{"busybox uptime", "ps"}, q.tool) || q.limit == sysBlock)
}

// A process that enters the container's namespaces but not its cgroup is judged by the
// namespace's init.
func TestFromHost(t *testing.T) {
	t.Parallel()
	s := settings()[0]
	for _, r := range chosen(t) {
		t.Run(r.Name, func(t *testing.T) {
			c := start(t, r, s.limits)
			got, err := c.FromHost("awk", "/^MemTotal:/ {print $2}", "/proc/meminfo")
			if err != nil {
				t.Fatal(err)
			}
			if diff := judge(got, s.memory); diff != "" {
				t.Errorf("MemTotal seen by nsenter: %s", diff)
			}
		})
	}
}

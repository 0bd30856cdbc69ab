package core

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lxcfs/kernelfs"
)

// shown is what the visible lines of a record show, in units.
func shown(c copyOf, visible kernelfs.CPUList, unit time.Duration) map[int][4]uint64 {
	m := map[int][4]uint64{}
	for n := range visible.All() {
		for i, x := range c.cpu(n)[pUser : pIdle+1] {
			l := m[n]
			l[i] = x / uint64(unit)
			m[n] = l
		}
	}
	return m
}

func cpus(t *testing.T, list string) kernelfs.CPUList {
	t.Helper()
	l, err := kernelfs.ParseCPUList("test", []byte(list), nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// life is what happens to a container between two reads. Times are in ticks.
type life struct {
	reason  string
	age     time.Duration
	cgroup  string
	visible string
	time    kernelfs.CPUTime
	want    map[int][4]uint64
}

func TestAdvance(t *testing.T) {
	per := func(u ...kernelfs.CPUUse) []kernelfs.CPUUse { return u }
	for name, steps := range map[string][]life{
		"v2": {
			{
				"first read: what was used so far, evenly", 100, "/a", "0-1",
				kernelfs.CPUTime{User: 40, Nice: 6, System: 20},
				map[int][4]uint64{0: {20, 3, 10, 67}, 1: {20, 3, 10, 67}},
			},
			{
				"nothing used: all idle", 110, "/a", "0-1",
				kernelfs.CPUTime{User: 40, Nice: 6, System: 20},
				map[int][4]uint64{0: {20, 3, 10, 77}, 1: {20, 3, 10, 77}},
			},
			{
				"a reader that is late sees nothing fall", 105, "/a", "0-1",
				kernelfs.CPUTime{User: 30, Nice: 4, System: 10},
				map[int][4]uint64{0: {20, 3, 10, 77}, 1: {20, 3, 10, 77}},
			},
			{
				"a CPU leaves: the one that stays has all it counted", 110, "/a", "1",
				kernelfs.CPUTime{User: 40, Nice: 6, System: 20},
				map[int][4]uint64{1: {40, 6, 20, 154}},
			},
			{
				"one comes: it starts anew", 110, "/a", "1,3",
				kernelfs.CPUTime{User: 40, Nice: 6, System: 20},
				map[int][4]uint64{1: {40, 6, 20, 154}, 3: {0, 0, 0, 0}},
			},
			{
				"others come for all: they inherit", 110, "/a", "0,2",
				kernelfs.CPUTime{User: 40, Nice: 6, System: 20},
				map[int][4]uint64{0: {20, 3, 10, 77}, 2: {20, 3, 10, 77}},
			},
			{
				"moved to another cgroup: its totals are not this container's", 120, "/b", "0,2",
				kernelfs.CPUTime{User: 4000, Nice: 600, System: 2000},
				map[int][4]uint64{0: {20, 3, 10, 87}, 2: {20, 3, 10, 87}},
			},
			{
				"and grow from there", 130, "/b", "0,2",
				kernelfs.CPUTime{User: 4004, Nice: 602, System: 2008},
				map[int][4]uint64{0: {22, 4, 14, 90}, 2: {22, 4, 14, 90}},
			},
		},
		"v1": {
			{
				"the kernel says which CPU", 100, "/a", "0-1",
				kernelfs.CPUTime{User: 31, System: 7, PerCPU: per(kernelfs.CPUUse{User: 30, System: 5}, kernelfs.CPUUse{User: 1, System: 2})},
				map[int][4]uint64{0: {30, 0, 5, 65}, 1: {1, 0, 2, 97}},
			},
			{
				"use of an invisible CPU goes where there is room", 110, "/a", "0-1",
				kernelfs.CPUTime{User: 50, System: 7, PerCPU: per(kernelfs.CPUUse{User: 40, System: 5}, kernelfs.CPUUse{User: 1, System: 2}, kernelfs.CPUUse{User: 9})},
				map[int][4]uint64{0: {40, 0, 5, 65}, 1: {10, 0, 2, 98}},
			},
		},
		"v1 sampled": {
			{
				"all by ticks that found it in user mode", 100, "/a", "0",
				kernelfs.CPUTime{User: 50, PerCPU: per(kernelfs.CPUUse{User: 50})},
				map[int][4]uint64{0: {50, 0, 0, 50}},
			},
			{
				"another tick says half of it was not: what was shown stays, the growth is system time", 120, "/a", "0",
				kernelfs.CPUTime{User: 30, System: 30, PerCPU: per(kernelfs.CPUUse{User: 30, System: 30})},
				map[int][4]uint64{0: {50, 0, 10, 60}},
			},
			{
				"the other way round: no more user time than was used", 140, "/a", "0",
				kernelfs.CPUTime{User: 62, System: 3, PerCPU: per(kernelfs.CPUUse{User: 62, System: 3})},
				map[int][4]uint64{0: {55, 0, 10, 75}},
			},
			{
				"a reader that is late sees nothing fall", 140, "/a", "0",
				kernelfs.CPUTime{User: 61, PerCPU: per(kernelfs.CPUUse{User: 61})},
				map[int][4]uint64{0: {55, 0, 10, 75}},
			},
		},
		"v1 sampled, long": {
			{
				"hours of it, by the first ticks", 1e7, "/a", "0",
				kernelfs.CPUTime{User: 5e6, PerCPU: per(kernelfs.CPUUse{User: 5e6})},
				map[int][4]uint64{0: {5e6, 0, 0, 5e6}},
			},
			{
				"turn out to be system time: that is no fall of the totals", 1e7 + 100, "/a", "0",
				kernelfs.CPUTime{User: 1e6, System: 4e6 + 60, PerCPU: per(kernelfs.CPUUse{User: 1e6, System: 4e6 + 60})},
				map[int][4]uint64{0: {5e6, 0, 60, 5e6 + 40}},
			},
			{
				"nor the next growth", 1e7 + 200, "/a", "0",
				kernelfs.CPUTime{User: 1e6, System: 4e6 + 130, PerCPU: per(kernelfs.CPUUse{User: 1e6, System: 4e6 + 130})},
				map[int][4]uint64{0: {5e6, 0, 130, 5e6 + 70}},
			},
		},
		"debt": {
			{
				"more used than has elapsed: nothing idle", 100, "/a", "0",
				kernelfs.CPUTime{User: 10}, map[int][4]uint64{0: {10, 0, 0, 90}},
			},
			{
				"use seen before its time", 110, "/a", "0",
				kernelfs.CPUTime{User: 25}, map[int][4]uint64{0: {25, 0, 0, 90}},
			},
			{
				"is paid by the idle time that follows", 120, "/a", "0",
				kernelfs.CPUTime{User: 25}, map[int][4]uint64{0: {25, 0, 0, 95}},
			},
		},
		"older cgroup": {
			{
				"a cgroup that was used before its container began", 10, "/a", "0",
				kernelfs.CPUTime{User: 1e9}, map[int][4]uint64{0: {1e9, 0, 0, 0}},
			},
			{
				"does not stop the idle time", 20, "/a", "0",
				kernelfs.CPUTime{User: 1e9}, map[int][4]uint64{0: {1e9, 0, 0, 10}},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := make(copyOf, cPerCPU+4*pWords)
			for _, l := range steps {
				visible := cpus(t, l.visible)
				used := kernelfs.CPUTime{User: l.time.User * tick, Nice: l.time.Nice * tick, System: l.time.System * tick}
				for _, u := range l.time.PerCPU {
					used.PerCPU = append(used.PerCPU, kernelfs.CPUUse{User: u.User * tick, System: u.System * tick})
				}
				c.advance(l.age*tick, l.cgroup, visible, &used)
				if diff := cmp.Diff(l.want, shown(c, visible, tick)); diff != "" {
					t.Fatalf("%s (-want +got):\n%s", l.reason, diff)
				}
			}
		})
	}
}

// TestAdvanceNeverFalls lets CPUs come and go at random: the sum never falls by more than nothing, no
// line that stays falls, and all that was used is shown.
func TestAdvanceNeverFalls(t *testing.T) {
	const n = 6
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		c := make(copyOf, cPerCPU+n*pWords)
		var used kernelfs.CPUTime
		perCPU := seed%2 == 0
		if perCPU {
			used.PerCPU = make([]kernelfs.CPUUse, n)
		}
		age := time.Duration(0)
		before, sumBefore := map[int][4]uint64{}, [4]uint64{}
		for range 200 {
			d := time.Duration(r.Int64N(int64(3 * tick)))
			age += d
			user, system := time.Duration(r.Int64N(int64(d)+1)), time.Duration(r.Int64N(int64(d)+1))/2
			used.User += user
			used.System += system
			if perCPU {
				on := &used.PerCPU[r.IntN(n)]
				on.User += user
				on.System += system
			}
			visible := kernelfs.CPUList{r.Uint64N(1<<n-1) + 1}
			c.advance(age, "/a", visible, &used)
			exact, now, sum, all := shown(c, visible, 1), shown(c, visible, tick), [4]uint64{}, [4]uint64{}
			for cpu, l := range now {
				for i := range l {
					sum[i] += l[i]
					all[i] += exact[cpu][i]
					if was, ok := before[cpu]; ok && l[i] < was[i] {
						t.Fatalf("seed %d: cpu%d column %d fell from %d to %d", seed, cpu, i, was[i], l[i])
					}
				}
			}
			for i := range sum {
				if sum[i] < sumBefore[i] {
					t.Fatalf("seed %d: sum of column %d fell from %d to %d", seed, i, sumBefore[i], sum[i])
				}
			}
			if all[0] != uint64(used.User) || all[2] != uint64(used.System) {
				t.Fatalf("seed %d: shown user %d system %d, used %d %d", seed, all[0], all[2], used.User, used.System)
			}
			before, sumBefore = now, sum
		}
	}
}

// TestHistorySurvives: a successor takes over the same memory; one of another layout clears it.
func TestHistorySurvives(t *testing.T) {
	state := make([]byte, StateSize(64, 4))
	h := newHistory(state, 4)
	h.update(42, 1, func(c copyOf) { c[cUser] = 7 })
	h.update(42, 2, func(c copyOf) { c[cUser]++ })
	read := func(h *History) (n uint64) {
		h.update(42, 3, func(c copyOf) { n = c[cUser] })
		return n
	}
	if got := read(newHistory(state, 4)); got != 8 {
		t.Errorf("a successor reads %d, want 8", got)
	}
	if got := read(newHistory(state, 5)); got != 0 {
		t.Errorf("a successor on a host with more CPUs reads %d, want 0", got)
	}
}

// TestHistoryKilled: a process killed in the middle of an update leaves what was before.
func TestHistoryKilled(t *testing.T) {
	state := make([]byte, StateSize(64, 4))
	h := newHistory(state, 4)
	h.update(42, 1, func(c copyOf) { c[cUser] = 7 })
	func() {
		defer func() { recover() }()
		h.update(42, 2, func(c copyOf) { c[cUser] = 1000; panic("killed") })
	}()
	var got uint64
	newHistory(state, 4).update(42, 3, func(c copyOf) { got = c[cUser] })
	if got != 7 {
		t.Errorf("after a killed update: %d, want 7", got)
	}
}

// TestHistoryBounded: the least recently used container goes first.
func TestHistoryBounded(t *testing.T) {
	h := newHistory(make([]byte, StateSize(8, 1)), 1)
	for key := range uint64(8) {
		h.update(8+key, time.Duration(key+1), func(c copyOf) { c[cUser] = key + 100 })
	}
	h.update(8, 100, func(copyOf) {})
	h.update(99, 101, func(c copyOf) { c[cUser] = 1 })
	var first, second uint64
	h.update(8, 102, func(c copyOf) { first = c[cUser] })
	h.update(9, 103, func(c copyOf) { second = c[cUser] })
	if first != 100 || second != 0 {
		t.Errorf("recently used record = %d, want 100; least recently used = %d, want 0", first, second)
	}
}

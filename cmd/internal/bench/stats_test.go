package bench

import (
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
		reason string
	}{
		{nil, 0, "no round"},
		{[]float64{3}, 3, "one round"},
		{[]float64{9, 1, 5}, 5, "odd, not sorted"},
		{[]float64{8, 2, 4, 1000}, 6, "even: the mean of the middle two; an outlier counts once"},
	} {
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v) = %v, want %v: %s", c.values, got, c.want, c.reason)
		}
	}
}

// sampled makes a round of n operations that took ns each.
func sampled(n int, ns uint64, elapsed, cpu time.Duration) Sample {
	h := new(Histogram)
	for range n {
		h.record(ns)
	}
	return Sample{Ops: uint64(n), Latency: h, Elapsed: elapsed, After: Usage{CPU: cpu}}
}

func TestSummarize(t *testing.T) {
	a := sampled(10, 100, time.Second, 300*time.Microsecond)
	b := sampled(20, 120, time.Second, 800*time.Microsecond)
	c := sampled(40, 64, 2*time.Second, 2*time.Millisecond)
	a.Errors, a.Err = 2, syscall.EACCES
	a.After.RSS, a.After.FDs, a.After.Threads = 5<<20, 17, 6
	c.After.RSS, c.After.FDs, c.After.Threads = 8<<20, 19, 5
	b.Before.User, b.After.User = 10*time.Millisecond, 10*time.Millisecond+70*time.Microsecond
	c.After.System = 140 * time.Microsecond
	c.ClientCPU = 80 * time.Microsecond
	b.Forks, c.Forks = 4, 5
	want := &Stats{
		Rounds: 3, Ops: 70, Errors: 2, Err: "permission denied",
		Rate: 20, P50: .1, Best: .064, P90: .1, P99: .1, P999: .1, Max: .12,
		CPU: 40, User: 1, System: 2, Client: 0, Load: 800,
		RSS: 8, FDs: 19, Threads: 5, RSSGrowth: 3, FDGrowth: 2, ThreadGrowth: -1,
	}
	got := summarize([]Sample{a, b, c})
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Stats{})); diff != "" {
		t.Errorf("summarize (-want +got):\n%s", diff)
	}
	c.After.ChildFaults = 1
	c.After.Children = 210 * time.Microsecond
	got = summarize([]Sample{a, b, c})
	if got.Forks != 9 || got.Child != 3 {
		t.Errorf("with a reaped child: %g forks, %g µs, want the machine's 9 forks and 3 µs", got.Forks, got.Child)
	}
}

func TestSummarizeWithoutReaders(t *testing.T) {
	got := summarize([]Sample{{Elapsed: 5 * time.Second, Before: Usage{CPU: time.Second}, After: Usage{CPU: time.Second + 10*time.Microsecond}}})
	if got.Load != 2 || got.CPU != 0 || got.P50 != 0 || got.Rate != 0 {
		t.Errorf("10 µs in 5 s without readers: %+v, want only 2 µs/s", got)
	}
}

func TestTurns(t *testing.T) {
	want := [][]int{{0, 1, 2}, {2, 1, 0}, {0, 1, 2}}
	if diff := cmp.Diff(want, turns(3, 3)); diff != "" {
		t.Errorf("turns(3, 3) (-want +got):\n%s", diff)
	}
}

func TestDeal(t *testing.T) {
	who := func(n, crew int) (cs []*container) {
		for i := range n {
			c := &container{}
			for k := range crew {
				c.clients = append(c.clients, uint32(10*i+k))
			}
			cs = append(cs, c)
		}
		return cs
	}
	for _, c := range []struct {
		containers, crew, lanes int
		want                    [][]uint32
		reason                  string
	}{
		{1, 1, 1, [][]uint32{{0}}, "one reader"},
		{5, 2, 2, [][]uint32{{0, 20, 40}, {10, 30}}, "lanes walk through disjoint containers, with one reader in each"},
		{2, 3, 5, [][]uint32{{0}, {10}, {1}, {11}, {2}}, "more lanes than containers: each reader is a lane"},
	} {
		if diff := cmp.Diff(c.want, deal(who(c.containers, c.crew), c.lanes)); diff != "" {
			t.Errorf("deal: %s (-want +got):\n%s", c.reason, diff)
		}
	}
}

func TestShareGivesAllAway(t *testing.T) {
	sum := 0
	for n := range 64 {
		sum += share(200_001, 64, n)
	}
	if sum != 200_001 {
		t.Errorf("64 shares of 200001 are %d", sum)
	}
}

func TestVacancy(t *testing.T) {
	taken := []bool{false, true, false, false, true, false}
	for n, want := range map[int]int{1: 0, 2: 2, 3: -1} {
		if got := vacancy(taken, n); got != want {
			t.Errorf("vacancy for %d = %d, want %d", n, got, want)
		}
	}
}

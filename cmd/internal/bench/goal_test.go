package bench

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJudge(t *testing.T) {
	row := &Result{Row: "hammer", Servers: map[string]*Stats{
		Ours: {P50: 40, P99: 90, CPU: 30, Rate: 2500, RSS: 21, Load: 0},
		Peer: {P50: 160, P99: 80, CPU: 165, Rate: 1000},
		Null: {P50: 32},
	}}
	apart := &Result{Row: "hammer, another server", Servers: map[string]*Stats{Ours: {P99: 72}}}
	calm := &Result{Row: "calm", Servers: map[string]*Stats{Ours: {P99: 45}, Peer: {P99: 1}}}
	for _, c := range []struct {
		goal   Goal
		want   Verdict
		reason string
	}{
		{gain(P50, Peer, 4), Verdict{Goal: "p50 >= 4x better than peer", Value: 4, Measured: true, Met: true, Floor: 5, FloorOf: "a server that renders nothing"}, "exactly enough, 5 without rendering"},
		{gain(CPU, Peer, 6), Verdict{Goal: "CPU/op >= 6x better than peer", Value: 5.5, Measured: true}, "not enough"},
		{gain(Rate, Peer, 2), Verdict{Goal: "ops/s >= 2x better than peer", Value: 2.5, Measured: true, Met: true}, "more is better"},
		{gain(P99, Peer, 1), Verdict{Goal: "p99 >= 1x better than peer", Value: 80. / 90, Measured: true}, "worse than the peer"},
		{ratio(P50, Null, 1.3), Verdict{Goal: "p50 <= 1.3x of null", Value: 1.25, Measured: true, Met: true}, "near the floor"},
		{ratio(CPU, Null, 2), Verdict{Goal: "CPU/op <= 2x of null"}, "the null server used less than can be seen"},
		{ratio(CPU, Host, 2), Verdict{Goal: "CPU/op <= 2x of host"}, "no such server in this run"},
		{atMost(RSS, 20), Verdict{Goal: "RSS <= 20 MiB", Value: 21, Measured: true}, "a bound on the figure itself"},
		{atMost(Load, 0), Verdict{Goal: "CPU/s <= 0 µs", Value: 0, Measured: true, Met: true}, "zero is measured when zero is wanted"},
		{toRow(P99, "calm", 3), Verdict{Goal: "p99 <= 3x of row calm", Value: 2, Measured: true, Met: true}, "our own figure in another row"},
		{Goal{Metric: P99, Row: "calm", AtMost: 1.5, Floor: "hammer, another server"}, Verdict{Goal: "p99 <= 1.5x of row calm", Value: 2, Measured: true, Floor: 1.6, FloorOf: "row hammer, another server"}, "hardly worse than beside another server that is abused"},
		{toRow(P99, "none", 3), Verdict{Goal: "p99 <= 3x of row none"}, "that row was not run"},
	} {
		if diff := cmp.Diff(c.want, c.goal.judge(row, []*Result{calm, apart})); diff != "" {
			t.Errorf("judge: %s (-want +got):\n%s", c.reason, diff)
		}
	}
	if v := atMost(RSS, 20).judge(&Result{Servers: map[string]*Stats{Peer: {RSS: 1}}}, nil); v.Measured {
		t.Errorf("judged without our server: %v", v)
	}
}

func TestMissedGoalNamesTheFloor(t *testing.T) {
	v := Verdict{Goal: "CPU/op >= 3x better than peer", Value: 2.9, Measured: true, Floor: 3.4, FloorOf: "a server that renders nothing"}
	if got, want := v.String(), "CPU/op >= 3x better than peer: 2.9, NOT MET; a server that renders nothing is at 3.4"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}

func TestGoalsReferToRowsBeforeThem(t *testing.T) {
	servers := []string{"", Peer, Null, Host}
	for _, s := range Suites() {
		seen := map[string]bool{}
		for _, r := range s.Rows {
			if seen[r.Name] {
				t.Errorf("%s: two rows %s", s.Name, r.Name)
			}
			for _, g := range r.Goals {
				if g.Row != "" && !seen[g.Row] || g.Floor != "" && !seen[g.Floor] {
					t.Errorf("%s, %s: goal %s: no such row before", s.Name, r.Name, g)
				}
				if !strings.Contains(strings.Join(servers, " "), g.Against) {
					t.Errorf("%s, %s: goal %s: no such server", s.Name, r.Name, g)
				}
			}
			seen[r.Name] = true
			if len(r.Files) > maxFiles || max(r.Readers, abusers) > maxLanes/2 {
				t.Errorf("%s, %s: more files or readers than there is room for", s.Name, r.Name)
			}
		}
	}
}

func TestPrint(t *testing.T) {
	res := &Result{
		Suite: "cost", Row: "meminfo", Order: []string{Ours, Peer, Null},
		Config: Row{Form: Cat, Readers: 1, Containers: 1, Depth: 2, Place: Pinned},
		Servers: map[string]*Stats{
			Ours: {Rate: 22153.4, P50: 41.26, Best: 39.9, P90: 45, P99: 104.4, CPU: 28.13, RSS: 5.5, FDs: 31, Threads: 6},
			Peer: {Rate: 5412, P50: 176, CPU: 161, Errors: 3, Ops: 9, Err: "permission denied"},
			Null: {Rate: 35000, P50: 27.5, CPU: 14},
		},
		Verdicts: []Verdict{{Goal: "p50 >= 4x better than peer", Value: 4.265, Measured: true, Met: true}, {Goal: "CPU/op <= 2x of null", Value: 2.009, Measured: true}, {Goal: "forks <= 0"}},
	}
	var got strings.Builder
	if err := res.Print(&got); err != nil {
		t.Fatal(err)
	}
	want := `cost, meminfo: cat, 1 in flight, 1 containers at depth 2, pinned
  server  ops  ops/s   p50  best  p90  p99  p99.9  max  err   cpu  user  sys  child  client  cpu/s   MiB  fds  thr  forks  p50/peer  CPU/op/peer  ops/s/peer  p50/null  CPU/op/null
  ours      0  22153  41.3  39.9   45  104      0    0    0  28.1     0    0      0       0      0  5.50   31    6      0     4.27x        5.72x       4.09x     1.50x        2.01x
  peer      9   5412   176     0    0    0      0    0    3   161     0    0      0       0      0     0    0    0      0         -            -           -     6.40x       11.50x
  null      0  35000  27.5     0    0    0      0    0    0    14     0    0      0       0      0     0    0    0      0     6.40x       11.50x       6.47x         -            -
  note: peer: 3 of 9 reads failed, the first with: permission denied
  goal: p50 >= 4x better than peer: 4.26, met
  goal: CPU/op <= 2x of null: 2.01, NOT MET
  goal: forks <= 0: not measured

`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("Print (-want +got):\n%s", diff)
	}
	met, missed, unknown := Summary([]*Result{res})
	if met != 1 || missed != 1 || unknown != 1 {
		t.Errorf("Summary = %d, %d, %d, want one of each", met, missed, unknown)
	}
}

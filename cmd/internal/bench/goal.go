package bench

import "fmt"

// Metric is one figure of Stats. Less of it is better, unless more is.
type Metric struct {
	Name, Unit string
	More       bool
	of         func(*Stats) float64
}

// The metrics that goals and plots speak of.
var (
	P50          = Metric{Name: "p50", Unit: "µs", of: func(s *Stats) float64 { return s.P50 }}
	P99          = Metric{Name: "p99", Unit: "µs", of: func(s *Stats) float64 { return s.P99 }}
	Max          = Metric{Name: "max", Unit: "µs", of: func(s *Stats) float64 { return s.Max }}
	CPU          = Metric{Name: "CPU/op", Unit: "µs", of: func(s *Stats) float64 { return s.CPU }}
	Load         = Metric{Name: "CPU/s", Unit: "µs", of: func(s *Stats) float64 { return s.Load }}
	Rate         = Metric{Name: "ops/s", More: true, of: func(s *Stats) float64 { return s.Rate }}
	Forks        = Metric{Name: "forks", of: func(s *Stats) float64 { return s.Forks }}
	Errors       = Metric{Name: "errors", of: func(s *Stats) float64 { return float64(s.Errors) }}
	RSS          = Metric{Name: "RSS", Unit: "MiB", of: func(s *Stats) float64 { return s.RSS }}
	RSSGrowth    = Metric{Name: "RSS growth", Unit: "MiB", of: func(s *Stats) float64 { return s.RSSGrowth }}
	FDGrowth     = Metric{Name: "fd growth", of: func(s *Stats) float64 { return s.FDGrowth }}
	ThreadGrowth = Metric{Name: "thread growth", of: func(s *Stats) float64 { return s.ThreadGrowth }}
)

// Goal is a bound on a metric of our server in one row.
type Goal struct {
	Metric Metric
	// Against is the server of the same row, and Row the other row of our server, to
	// compare with. With neither the bound is on the figure itself.
	Against, Row string
	// Gain is how many times better than the other at least, if it is not 0.
	Gain float64
	// AtMost bounds the figure, or its ratio to the other's.
	AtMost float64
	// Floor is the row of our server whose figure says what nobody can get below: without one it is the null server's.
	Floor string
}

func gain(m Metric, against string, times float64) Goal {
	return Goal{Metric: m, Against: against, Gain: times}
}

func ratio(m Metric, against string, most float64) Goal {
	return Goal{Metric: m, Against: against, AtMost: most}
}

func toRow(m Metric, row string, most float64) Goal { return Goal{Metric: m, Row: row, AtMost: most} }

func atMost(m Metric, most float64) Goal { return Goal{Metric: m, AtMost: most} }

func (g Goal) String() string {
	switch {
	case g.Gain != 0:
		return fmt.Sprintf("%s >= %.3gx better than %s", g.Metric.Name, g.Gain, g.Against)
	case g.Against != "":
		return fmt.Sprintf("%s <= %.3gx of %s", g.Metric.Name, g.AtMost, g.Against)
	case g.Row != "":
		return fmt.Sprintf("%s <= %.3gx of row %s", g.Metric.Name, g.AtMost, g.Row)
	}
	return fmt.Sprintf("%s <= %.6g %s", g.Metric.Name, g.AtMost, g.Metric.Unit)
}

// Verdict says whether a goal was met.
type Verdict struct {
	Goal     string  `json:"goal"`
	Value    float64 `json:"value"`
	Measured bool    `json:"measured"` // false without a figure of both sides
	Met      bool    `json:"met"`
	// Floor is the value where our server has no part in it: what the kernel and the machine leave within reach, see [Goal].
	// 0 if there is none.
	Floor   float64 `json:"floor,omitempty"`
	FloorOf string  `json:"floor_of,omitempty"`
}

func (v Verdict) String() string {
	switch {
	case !v.Measured:
		return fmt.Sprintf("%s: not measured", v.Goal)
	case v.Met:
		return fmt.Sprintf("%s: %.3g, met", v.Goal, v.Value)
	}
	missed := fmt.Sprintf("%s: %.3g, NOT MET", v.Goal, v.Value)
	if v.Floor != 0 {
		missed += fmt.Sprintf("; %s is at %.3g", v.FloorOf, v.Floor)
	}
	return missed
}

// judge holds the goal against the figures of its row, and of the rows before it in
// its suite.
func (g Goal) judge(row *Result, before []*Result) Verdict {
	v := Verdict{Goal: g.String()}
	ours := row.Servers[Ours]
	if ours == nil {
		return v
	}
	value := g.Metric.of(ours)
	if g.Against == "" && g.Row == "" {
		return Verdict{Goal: v.Goal, Value: value, Measured: true, Met: value <= g.AtMost}
	}
	earlier := func(name string) *Stats {
		for _, r := range before {
			if r.Row == name {
				return r.Servers[Ours]
			}
		}
		return nil
	}
	other := earlier(g.Row)
	if g.Against != "" {
		other = row.Servers[g.Against]
	}
	if other == nil {
		return v
	}
	base := g.Metric.of(other)
	if value == 0 || base == 0 {
		return v // a metric that was too small to be seen has no ratio
	}
	v.Measured = true
	compare := func(value float64) float64 { return value / base }
	if g.Gain != 0 {
		compare = func(value float64) float64 { return better(g.Metric, value, base) }
	}
	v.Value = compare(value)
	if v.Met = v.Value <= g.AtMost; g.Gain != 0 {
		v.Met = v.Value >= g.Gain
	}
	floor, of := earlier(g.Floor), "row "+g.Floor
	if g.Against == Peer {
		floor, of = row.Servers[Null], "a server that renders nothing"
	}
	if floor != nil && g.Metric.of(floor) != 0 {
		v.Floor, v.FloorOf = compare(g.Metric.of(floor)), of
	}
	return v
}

// better returns how many times better value is than base.
func better(m Metric, value, base float64) float64 {
	if m.More {
		return value / base
	}
	return base / value
}

package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// columns are the table's figures of one server.
var columns = []struct {
	head string
	of   func(*Stats) float64
}{
	{"ops", func(s *Stats) float64 { return float64(s.Ops) }},
	{"ops/s", func(s *Stats) float64 { return s.Rate }},
	{"p50", func(s *Stats) float64 { return s.P50 }},
	{"best", func(s *Stats) float64 { return s.Best }},
	{"p90", func(s *Stats) float64 { return s.P90 }},
	{"p99", func(s *Stats) float64 { return s.P99 }},
	{"p99.9", func(s *Stats) float64 { return s.P999 }},
	{"max", func(s *Stats) float64 { return s.Max }},
	{"err", func(s *Stats) float64 { return float64(s.Errors) }},
	{"cpu", func(s *Stats) float64 { return s.CPU }},
	{"user", func(s *Stats) float64 { return s.User }},
	{"sys", func(s *Stats) float64 { return s.System }},
	{"child", func(s *Stats) float64 { return s.Child }},
	{"client", func(s *Stats) float64 { return s.Client }},
	{"cpu/s", func(s *Stats) float64 { return s.Load }},
	{"MiB", func(s *Stats) float64 { return s.RSS }},
	{"fds", func(s *Stats) float64 { return s.FDs }},
	{"thr", func(s *Stats) float64 { return s.Threads }},
	{"forks", func(s *Stats) float64 { return s.Forks }},
}

// compared are the ratios printed of every server to two of them.
var compared = []struct {
	metric  Metric
	against string
}{{P50, Peer}, {CPU, Peer}, {Rate, Peer}, {P50, Null}, {CPU, Null}}

// Print writes a result as an aligned table: times in microseconds, CPU times per
// operation, then how many times better than LXCFS, and how many times the null server's
// figure.
func (res *Result) Print(w io.Writer) error {
	head := []string{"server"}
	for _, c := range columns {
		head = append(head, c.head)
	}
	for _, c := range compared {
		head = append(head, c.metric.Name+"/"+c.against)
	}
	rows := [][]string{head}
	for _, name := range res.Order {
		s := res.Servers[name]
		row := []string{name}
		for _, c := range columns {
			row = append(row, figure(c.of(s)))
		}
		for _, c := range compared {
			row = append(row, res.compare(c.metric, name, c.against))
		}
		rows = append(rows, row)
	}
	var b strings.Builder
	c := res.Config
	fmt.Fprintf(&b, "%s, %s: %s, %d in flight, %d containers at depth %d, %s\n",
		res.Suite, res.Row, c.Form, c.Readers, c.Containers, c.Depth, c.Place)
	align(&b, rows)
	for _, n := range res.Notes {
		fmt.Fprintf(&b, "  note: %s\n", n)
	}
	for _, name := range res.Order {
		if s := res.Servers[name]; s.Errors > 0 {
			fmt.Fprintf(&b, "  note: %s: %d of %d reads failed, the first with: %s\n", name, s.Errors, s.Ops, s.Err)
		}
	}
	for _, v := range res.Verdicts {
		fmt.Fprintf(&b, "  goal: %s\n", v)
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

// compare formats a ratio to the peer as a gain, to the floor as a multiple.
func (res *Result) compare(m Metric, name, against string) string {
	base, ok := res.Servers[against]
	if !ok || name == against {
		return "-"
	}
	value, other := m.of(res.Servers[name]), m.of(base)
	if value == 0 || other == 0 {
		return "-"
	}
	if against == Null {
		return fmt.Sprintf("%.2fx", value/other)
	}
	return fmt.Sprintf("%.2fx", better(m, value, other))
}

// figure formats a number with three digits, or all digits before the point.
func figure(v float64) string {
	switch {
	case v == float64(int64(v)) || v >= 100 || v <= -100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10 || v <= -10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// align writes rows of equal length with the first column to the left and the
// others to the right.
func align(b *strings.Builder, rows [][]string) {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		fmt.Fprintf(b, "  %-*s", width[0], row[0])
		for i, cell := range row[1:] {
			fmt.Fprintf(b, "  %*s", width[i+1], cell)
		}
		b.WriteByte('\n')
	}
}

// Report is a whole run, as --json writes it.
type Report struct {
	Time    time.Time `json:"time"`
	Kernel  string    `json:"kernel"`
	CPUs    int       `json:"cpus"`
	Go      string    `json:"go"`
	Results []*Result `json:"results"`
}

// NewReport describes the machine the results were measured on.
func NewReport(results []*Result) (*Report, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return nil, fmt.Errorf("uname: %w", err)
	}
	return &Report{
		Time: time.Now().UTC().Truncate(time.Second), Kernel: unix.ByteSliceToString(u.Release[:]),
		CPUs: runtime.NumCPU(), Go: runtime.Version(), Results: results,
	}, nil
}

// WriteJSON writes the report, indented.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "\t")
	return e.Encode(r)
}

// Summary counts the goals.
func Summary(results []*Result) (met, missed, unknown int) {
	for _, r := range results {
		for _, v := range r.Verdicts {
			switch {
			case !v.Measured:
				unknown++
			case v.Met:
				met++
			default:
				missed++
			}
		}
	}
	return met, missed, unknown
}

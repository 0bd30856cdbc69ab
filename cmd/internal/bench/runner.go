package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Runner measures rows.
type Runner struct {
	Launches []Launch
	Round    time.Duration // where the row says nothing
	Rounds   int
	Progress func(suite, row, server string, round, rounds int)

	dir      string
	cs       *containers
	servers  []*Server
	averages bool

	who    []*container // what the last row read from
	shape  shape
	abuser *container
	cpus   int
}

// shape is what makes the containers of one row fit another.
type shape struct{ containers, crew, depth int }

// Result is what one row gave.
type Result struct {
	Suite    string            `json:"suite"`
	Row      string            `json:"row"`
	Config   Row               `json:"config"`
	Order    []string          `json:"-"` // of the servers
	Servers  map[string]*Stats `json:"servers"`
	Verdicts []Verdict         `json:"goals"`
	Notes    []string          `json:"notes,omitempty"`
}

// clientsFor is how many reader processes the rows need at most.
func clientsFor(suites []Suite) int {
	most := 0
	for _, s := range suites {
		for _, r := range s.Rows {
			f := r.shape()
			most = max(most, f.containers*f.crew)
		}
	}
	return most + abusers + runtime.NumCPU() + 16 // the abuser, the hogs, churn
}

func (r Row) shape() shape {
	crew := max(1, r.Crew, (r.Readers+r.Containers-1)/max(1, r.Containers))
	return shape{max(1, r.Containers), crew, r.Depth}
}

// unseen says that no server may know the row's containers before.
func (r Row) unseen() bool { return r.Once && r.Idle == 0 }

// Run measures the suites and hands each result on as it comes. Whatever was
// started or made is gone when it returns.
func (r *Runner) Run(ctx context.Context, suites []Suite, report func(*Result) error) (results []*Result, err error) {
	if r.dir, err = os.MkdirTemp("", Prefix); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.dir)) }()
	r.cpus = runtime.NumCPU()
	if r.cs, err = newContainers(clientsFor(suites)); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.stop(), r.cs.close()) }()
	if r.abuser, err = r.cs.make(abusers, 2); err != nil {
		return nil, err
	}
	for _, s := range suites {
		first := len(results)
		for _, row := range s.Rows {
			if row.Apart && !(r.launches(Ours) && r.launches(Null)) {
				continue
			}
			res, err := r.row(ctx, s.Name, row)
			if err != nil {
				return results, fmt.Errorf("%s, %s: %w", s.Name, row.Name, err)
			}
			for _, g := range row.Goals {
				res.Verdicts = append(res.Verdicts, g.judge(res, results[first:]))
			}
			results = append(results, res)
			if err := report(res); err != nil {
				return results, err
			}
		}
	}
	return results, nil
}

// serve brings the servers up as the row wants them.
func (r *Runner) serve(ctx context.Context, row Row) error {
	if r.servers != nil && r.averages == row.Averages && !row.Fresh {
		return nil
	}
	if err := r.stop(); err != nil {
		return err
	}
	r.averages = row.Averages
	for _, l := range r.Launches {
		if row.Averages && len(l.Command) > 0 && l.Name != Null {
			l.Command = append(slices.Clip(l.Command), "-l")
		}
		s, err := l.start(ctx, r.dir, r.cs.forker)
		if err != nil {
			return err
		}
		r.servers = append(r.servers, s)
	}
	return nil
}

func (r *Runner) launches(name string) bool {
	return slices.ContainsFunc(r.Launches, func(l Launch) bool { return l.Name == name })
}

// server returns the one of that name, which was launched.
func (r *Runner) server(name string) *Server {
	return r.servers[slices.IndexFunc(r.servers, func(s *Server) bool { return s.Name == name })]
}

func (r *Runner) stop() error {
	var errs error
	for _, s := range r.servers {
		errs = errors.Join(errs, s.stop())
	}
	r.servers = nil
	return errs
}

// populate makes the containers the row reads from, or keeps those that are there.
func (r *Runner) populate(ctx context.Context, row Row) error {
	if r.shape == row.shape() && !row.unseen() {
		return nil
	}
	var errs error
	for _, c := range r.who {
		errs = errors.Join(errs, r.cs.remove(c))
	}
	if errs != nil {
		return errs
	}
	r.who, r.shape = nil, row.shape()
	for range r.shape.containers {
		c, err := r.cs.make(r.shape.crew, r.shape.depth)
		if err != nil {
			return err
		}
		r.who = append(r.who, c)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// cpu returns where a placement puts servers and readers.
func (p Placement) cpu(cpus int) (server, reader int) {
	switch p {
	case Pinned:
		return cpus - 1, cpus - 1
	case Cross:
		return cpus - 1, 0
	}
	return anyCPU, anyCPU
}

// turns is the order in which servers are measured: A B B A.
func turns(servers, rounds int) [][]int {
	var all [][]int
	for n := range rounds {
		turn := make([]int, servers)
		for i := range turn {
			turn[i] = i
		}
		if n%2 == 1 {
			slices.Reverse(turn)
		}
		all = append(all, turn)
	}
	return all
}

// misled says how what a container in a cgroup of ours read shows that the server took
// it for somebody else.
func misled(content string) string {
	total, rest, ok := strings.Cut(content, "\n")
	if !ok || rest == "" || !strings.HasPrefix(total, "MemTotal:") {
		return ""
	}
	if want := fmt.Sprintf("%d kB", memoryLimit>>10); !strings.HasSuffix(total, " "+want) {
		return fmt.Sprintf("%q instead of %s: the container's limit is not seen", total, want)
	}
	return ""
}

func (res *Result) finish(samples map[string][]Sample) {
	for _, name := range slices.Sorted(maps.Keys(samples)) {
		res.Servers[name] = summarize(samples[name])
	}
}

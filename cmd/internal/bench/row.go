package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// row measures one row on all servers.
func (r *Runner) row(ctx context.Context, suite string, row Row) (res *Result, err error) {
	if err := r.populate(ctx, row); err != nil {
		return nil, err
	}
	if err := r.serve(ctx, row); err != nil {
		return nil, err
	}
	server, reader := row.Place.cpu(r.cpus)
	res = &Result{Suite: suite, Row: row.Name, Config: row, Servers: map[string]*Stats{}}
	servers := r.servers
	if row.Apart {
		servers = []*Server{r.server(Ours)}
	}
	for _, s := range servers {
		res.Order = append(res.Order, s.Name)
		if err := pin(s.pids, server); err != nil {
			return nil, err
		}
		if err := r.warm(ctx, s, row, res); err != nil {
			return nil, fmt.Errorf("server %s: %w", s.Name, err)
		}
	}
	if row.unseen() {
		if err := r.settle(ctx, row); err != nil {
			return nil, err
		}
	}
	if row.Hogs {
		end, err := r.hogs()
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, end()) }()
	}
	o := order{
		form: row.Form, lanes: row.Readers, cpu: reader,
		duration: cmp.Or(row.Round, r.Round), count: row.Count,
	}
	if row.PerSecond > 0 {
		o.interval = time.Duration(float64(time.Second) / row.PerSecond)
	}
	if row.Once {
		o.count = len(r.who)
	}
	samples := map[string][]Sample{}
	rounds := cmp.Or(row.Rounds, r.Rounds)
	for n, turn := range turns(len(servers), rounds) {
		if row.Idle > 0 {
			if err := sleep(ctx, row.Idle); err != nil {
				return nil, err
			}
		}
		for _, i := range turn {
			s := servers[i]
			r.Progress(suite, row.Name, s.Name, n+1, rounds)
			sample, err := r.round(ctx, s, row, o)
			if err != nil {
				return nil, fmt.Errorf("server %s: %w", s.Name, err)
			}
			samples[s.Name] = append(samples[s.Name], sample)
		}
	}
	res.finish(samples)
	return res, nil
}

// round measures one server once, under the row's abuse.
func (r *Runner) round(ctx context.Context, s *Server, row Row, o order) (sample Sample, err error) {
	o.files = s.paths(row.Files)
	abused := s
	if row.Apart {
		abused = r.server(Null)
	}
	end, err := r.cs.abuse(ctx, row.Abuse, r.abuser, abused.paths(row.Files))
	if end != nil {
		defer func() { err = errors.Join(err, end()) }()
	}
	if err != nil {
		return Sample{}, err
	}
	return r.cs.run(ctx, r.who, o, s.pids)
}

// warm lets every container read from the server, unless the first read is what
// is to be measured, and notes when the server mistakes them.
func (r *Runner) warm(ctx context.Context, s *Server, row Row, res *Result) error {
	if row.unseen() {
		return nil
	}
	_, reader := row.Place.cpu(r.cpus)
	if len(row.Files) > 0 {
		// One lane walks through all containers.
		o := order{files: s.paths(row.Files), lanes: 1, cpu: reader, count: 2 * max(20, len(r.who))}
		sample, err := r.cs.run(ctx, r.who, o, s.pids)
		if err != nil {
			return err
		}
		if sample.Err != nil {
			res.Notes = append(res.Notes, fmt.Sprintf("%s: %d of %d warm-up reads: %v", s.Name, sample.Errors, sample.Ops, sample.Err))
		}
	}
	check, err := r.cs.run(ctx, r.who[:1], order{files: []string{s.path(meminfo)}, lanes: 1, cpu: reader, count: 1}, s.pids)
	if err != nil {
		return err
	}
	if wrong := misled(check.Content); wrong != "" && (s.Name == Ours || s.Name == Peer) && row.Depth > 0 {
		res.Notes = append(res.Notes, s.Name+": "+wrong)
	}
	return nil
}

// settle has every container read the host's files once and lets the kernel sum up its statistics, which it does every 2 s.
// The first server to be asked by a new container would else pay for what is new to the kernel and to the reader: 100 us
// of a read's 400.
func (r *Runner) settle(ctx context.Context, row Row) error {
	if _, err := r.cs.run(ctx, r.who, order{files: row.Files, lanes: 1, cpu: anyCPU, count: len(r.who)}, nil); err != nil {
		return err
	}
	return sleep(ctx, 3*time.Second)
}

// hogs starts a busy loop on every CPU, outside the containers' cgroups.
func (r *Runner) hogs() (end func() error, err error) {
	var jobs []*job
	var made []*container
	end = func() error {
		var errs error
		for _, j := range jobs {
			errs = errors.Join(errs, j.stop())
		}
		for _, c := range made {
			errs = errors.Join(errs, r.cs.remove(c))
		}
		return errs
	}
	for cpu := range r.cpus {
		c, err := r.cs.make(1, 0)
		if err != nil {
			return nil, errors.Join(err, end())
		}
		made = append(made, c)
		j, err := r.cs.start([]*container{c}, order{form: Spin, files: []string{"/"}, lanes: 1, cpu: cpu})
		if err != nil {
			return nil, errors.Join(err, end())
		}
		jobs = append(jobs, j)
	}
	return end, nil
}

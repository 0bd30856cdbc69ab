package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// order is what readers are told to do.
type order struct {
	form     Form
	files    []string // absolute paths, read in turn
	lanes    int      // requests in flight
	cpu      int      // where the readers run, or anyCPU
	interval time.Duration
	count    int           // operations in all, or
	duration time.Duration // until this is over
}

// Sample is what one round on one server gave.
type Sample struct {
	Ops, Errors uint64
	Err         error // the first error that a reader saw
	Elapsed     time.Duration
	Latency     *Histogram
	ClientCPU   time.Duration
	Before      Usage
	After       Usage
	Forks       uint64 // of the whole machine
	Content     string // beginning of the last content read
}

// job is an order being carried out.
type job struct {
	cs    *containers
	lanes []uint32
}

// hung is how long readers may take to end their last operation.
const hung = 30 * time.Second

// start tells the containers' readers to begin.
func (cs *containers) start(who []*container, o order) (*job, error) {
	rings := deal(who, o.lanes)
	if most := len(who) * len(who[0].clients); len(rings) > most {
		return nil, fmt.Errorf("%d requests in flight: the containers have %d readers", len(rings), most)
	}
	if len(o.files) > maxFiles {
		return nil, fmt.Errorf("%d files: at most %d", len(o.files), maxFiles)
	}
	for _, file := range o.files {
		if len(file) >= maxPath {
			return nil, fmt.Errorf("path %s: longer than %d", file, maxPath-1)
		}
	}
	ids, err := cs.arena.take(len(rings))
	if err != nil {
		return nil, err
	}
	for n, id := range ids {
		l := &cs.arena.lanes[id]
		l.form, l.files, l.ring = o.form, uint32(len(o.files)), uint64(len(rings[n]))
		l.cpu, l.interval, l.left = int64(o.cpu), int64(o.interval), 1<<62
		if o.count > 0 {
			l.left = uint64(share(o.count, len(rings), n))
		}
		for i, file := range o.files {
			copy(l.path[i][:], file)
			// A container whose reads the kernel counted elsewhere, or on a machine without a disk, has none.
			if strings.HasSuffix(file, "/proc/diskstats") {
				l.hollow |= 1 << i
			}
		}
		for i, c := range rings[n] {
			cs.arena.clients[c].lane = id
			cs.arena.clients[c].next = rings[n][(i+1)%len(rings[n])]
		}
	}
	for n, id := range ids {
		if cs.arena.lanes[id].left == 0 && o.form != Leave {
			cs.arena.lanes[id].done = 1
			continue
		}
		wake(&cs.arena.clients[rings[n][0]].turn)
	}
	return &job{cs: cs, lanes: ids}, nil
}

// deal shares the containers' readers out to lanes: with fewer lanes than
// containers each lane walks through a part of them, with more each reader is a
// lane and every container has as many.
func deal(who []*container, lanes int) [][]uint32 {
	rings := make([][]uint32, max(1, lanes))
	for i := range max(len(who), len(rings)) {
		c := who[i%len(who)]
		lane := i % len(rings)
		rings[lane] = append(rings[lane], c.clients[i/len(who)%len(c.clients)])
	}
	return rings
}

// share is the n-th of parts of count, which differ by at most one.
func share(count, parts, n int) int {
	s := count / parts
	if n < count%parts {
		s++
	}
	return s
}

// wait waits until all lanes have ended.
func (j *job) wait(ctx context.Context, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for _, id := range j.lanes {
		for atomic.LoadUint32(&j.cs.arena.lanes[id].done) == 0 {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("a reader hangs: no end after %v", limit)
			}
			time.Sleep(500 * time.Microsecond)
		}
	}
	return nil
}

// stop ends all lanes and gives them back.
func (j *job) stop() error {
	for _, id := range j.lanes {
		atomic.StoreUint32(&j.cs.arena.lanes[id].stop, 1)
	}
	if err := j.wait(context.Background(), hung); err != nil {
		return err // its lanes stay taken: a reader may still write to them
	}
	j.cs.arena.give(j.lanes)
	return nil
}

// run carries an order out and returns what it gave. The pids are the processes whose
// use of the machine is wanted.
func (cs *containers) run(ctx context.Context, who []*container, o order, pids []int) (Sample, error) {
	var s Sample
	var err error
	if s.Before, err = usage(pids); err != nil {
		return s, fmt.Errorf("the server is gone: %w", err)
	}
	forked, err := forks()
	if err != nil {
		return s, err
	}
	began := time.Now()
	if o.lanes == 0 {
		err = sleep(ctx, o.duration)
	} else if err = cs.read(ctx, who, o, &s); err != nil {
		return s, err
	}
	if err != nil {
		return s, err
	}
	if s.Elapsed == 0 {
		s.Elapsed = time.Since(began)
	}
	if s.After, err = usage(pids); err != nil {
		return s, fmt.Errorf("the server is gone: %w", err)
	}
	now, err := forks()
	s.Forks = now - forked
	return s, err
}

func (cs *containers) read(ctx context.Context, who []*container, o order, s *Sample) error {
	j, err := cs.start(who, o)
	if err != nil {
		return err
	}
	if o.count > 0 {
		err = j.wait(ctx, 10*hung)
	} else {
		err = sleep(ctx, o.duration)
	}
	if err := errors.Join(err, j.stop()); err != nil {
		return err
	}
	s.Latency = new(Histogram)
	var first, last int64
	for _, id := range j.lanes {
		l := &cs.arena.lanes[id]
		s.Ops += l.ops
		s.Errors += l.errors
		if l.errno != 0 && s.Err == nil {
			s.Err = syscall.Errno(l.errno)
		}
		s.ClientCPU += time.Duration(l.clientCPU)
		s.Latency.Add(&l.latency)
		if l.started != 0 && (first == 0 || l.started < first) {
			first = l.started
		}
		last = max(last, l.ended)
		if l.bytes > 0 {
			s.Content = string(l.sample[:min(l.bytes, sampleSize)])
		}
	}
	s.Elapsed = time.Duration(last - first)
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

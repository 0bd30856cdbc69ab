package bench

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Abuse is what one more container does while another one is measured.
type Abuse string

// The kinds of abuse.
const (
	Hammer Abuse = "hammer" // 64 readers as fast as they can
	Bytes  Abuse = "bytes"  // 64 readers, one byte at a time
	Left   Abuse = "left"   // 200,000 files opened and left open
	Freeze Abuse = "freeze" // 64 readers, frozen and thawed 10 times a second
	Churn  Abuse = "churn"  // containers come, read and go
)

const (
	abusers   = 64
	leftFiles = 200_000
)

// abuse starts the abuse of a server and returns what ends it. The container by is
// the abuser; churn makes its own.
func (cs *containers) abuse(ctx context.Context, kind Abuse, by *container, files []string) (end func() error, err error) {
	if kind == "" {
		return func() error { return nil }, nil
	}
	if kind == Churn {
		return background(ctx, func(ctx context.Context) error { return cs.churn(ctx, files) }), nil
	}
	o := order{files: files, lanes: abusers, cpu: anyCPU}
	switch kind {
	case Bytes:
		o.form = Byte
	case Left:
		o.form, o.count = Leave, leftFiles
	}
	j, err := cs.start([]*container{by}, o)
	if err != nil {
		return nil, err
	}
	switch kind {
	case Left:
		return j.stop, j.opened(ctx)
	case Freeze:
		thawed := background(ctx, func(ctx context.Context) error { return cs.shiver(ctx, by) })
		return func() error { return errors.Join(thawed(), j.stop()) }, nil
	}
	return j.stop, nil
}

// background runs f until the returned function is called, which reports f's error.
func background(ctx context.Context, f func(context.Context) error) (end func() error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}

// opened waits until the job's readers have opened and left what they were told to.
func (j *job) opened(ctx context.Context) error {
	for _, id := range j.lanes {
		for atomic.LoadUint64(&j.cs.arena.lanes[id].left) > 0 {
			if err := sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// churn makes containers that read all files once and are removed.
func (cs *containers) churn(ctx context.Context, files []string) error {
	for ctx.Err() == nil {
		c, err := cs.make(1, 2)
		if err != nil {
			return err
		}
		j, err := cs.start([]*container{c}, order{files: files, lanes: 1, cpu: anyCPU, count: len(files)})
		if err == nil {
			err = j.wait(ctx, hung)
			err = errors.Join(err, j.stop())
		}
		if err = errors.Join(err, cs.remove(c)); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// shiver freezes and thaws the container's cgroup until the context is done, and
// leaves it thawed.
func (cs *containers) shiver(ctx context.Context, c *container) error {
	for on := true; ; on = !on {
		for _, h := range cs.trees {
			if err := h.freeze(c.cgroup, on); err != nil {
				return err
			}
		}
		if !on && ctx.Err() != nil {
			return nil
		}
		// Not longer than a moment after the end: a frozen reader cannot stop.
		time.Sleep(50 * time.Millisecond)
	}
}

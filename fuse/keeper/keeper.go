// Package keeper keeps a FUSE connection alive while the process that serves it comes and goes.
//
// The keeper opens and mounts the connection and then holds two descriptors, the connection's and its state's
// (see [lxcfs/fuse/conn]), and does nothing with them. A worker, the same program started again, serves. When the worker dies
// the next one goes on with the requests that were in work; clients see a pause of some milliseconds.
//
// # Life of a worker
//
//	keeper starts it      inherits the descriptors and a control socket
//	worker: hello         its version and layout, after a self-test; or: refuse, and why
//	keeper: serve         when nobody else serves, wait4(2) has said so
//	worker: serving       requests are being taken
//
// An upgrade is the same with the program that is on disk by then, started beside the old worker; that one is killed only
// when the new one has said hello. Then the keeper replaces itself by the program on disk too (execve(2) keeps descriptors and
// children). A standby is a worker that has said hello before it is needed.
//
// # When workers keep dying
//
// The pause between two starts grows from nothing to a second, and never ends. Meanwhile the keeper itself answers with a
// minimal handler, so no client waits long and none is told that the connection is gone.
//
// # Decisions
//
//   - 2026-11-23: keeper and worker are one program. There is nothing to install or to version twice; the keeper never
//     initialises what only the worker needs, and stays below 10 MB.
//   - 2026-11-23: a control socket with JSON packets instead of exit statuses and signals: the four messages have
//     content, and a closed socket is an answer too.
//   - 2026-11-23: the descriptors are in systemd's store as well where there is one, so that not even the keeper's own
//     death loses them.
package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"lxcfs/fuse/conn"
)

// Options of a keeper.
type Options struct {
	Dir       string   // the mount point
	Program   string   // what to start as worker: the path of our program on disk
	Args      []string // its arguments, Args[0] included
	History   int      // bytes of history in the state
	Writable  bool     // mount read-write, see conn.Options
	KeepMount bool     // leave the mount and its connection alone when told to stop
	Standby   bool     // keep a second worker ready
	Version   string   // ours

	// Deadline is how long a new worker may take to say hello. 0: 10 s.
	Deadline time.Duration
	// Minimal makes the handler that answers while no worker does.
	Minimal func(*conn.State) conn.Handle
	// Inherit are descriptors that a keeper that takes our place by execve needs, such as a locked pidfile's.
	Inherit []int
	Log     *slog.Logger // nil: silent
}

// Keeper holds a connection and runs its workers.
type Keeper struct {
	o           Options
	log         *slog.Logger
	dir         string
	fuse, state int
	stored      bool // systemd has the descriptors too

	worker, standby *process
	stoodBy         time.Time // when the standby was started, if it was not needed yet
	crashes         int       // in a row
	served          time.Time // when a worker last did
	upgrades        chan chan error
	minimal         *minimal
	notified        bool
}

// New mounts o.Dir, or goes on with the connection a former keeper left: to this process by execve, or in systemd's store.
// Nothing is served until Run.
func New(o Options) (*Keeper, error) {
	if o.Deadline == 0 {
		o.Deadline = 10 * time.Second
	}
	k := &Keeper{o: o, log: o.Log, fuse: -1, state: -1, upgrades: make(chan chan error, 1), served: time.Now()}
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	if ok, err := k.resumeExec(); ok || err != nil {
		return k, err
	}
	if ok, err := k.resumeStore(); ok || err != nil {
		return k, err
	}
	c, err := conn.Mount(o.Dir, conn.Options{Writable: o.Writable, History: o.History, Log: o.Log})
	if err != nil {
		return nil, err
	}
	k.dir, k.fuse, k.state = c.Dir(), c.FD(), c.State.FD()
	if k.state < 0 {
		return nil, errors.Join(errors.New("no memory that outlives a worker (memfd_create and /dev/shm refused): run without a keeper"), c.Unmount())
	}
	// Before INIT is answered, so that there is no moment at which only we have them.
	k.storeFDs()
	return k, c.State.Release()
}

// Run runs workers until ctx is done, and then unmounts unless told not to; or until somebody unmounts.
func (k *Keeper) Run(ctx context.Context) error {
	defer k.stopMinimal()
	if k.worker != nil {
		k.inform("READY=1") // after the RELOADING=1 of the program that was this process
	} else {
		if err := k.next(ctx, conn.Started); err != nil {
			return k.stop(err)
		}
	}
	for {
		var standbyDead chan struct{}
		if k.standby != nil {
			standbyDead = k.standby.dead
		}
		select {
		case <-ctx.Done():
			return k.stop(nil)
		case answer := <-k.upgrades:
			answer <- k.upgrade(ctx)
		case m, ok := <-k.worker.said:
			k.heard(m, ok)
		case <-k.missing():
			k.stoodBy = time.Now()
			k.standby = k.candidate(asStandby)
		case <-standbyDead:
			k.log.Error("standby worker died", "how", k.standby.how)
			k.standby = nil
		case <-k.worker.dead:
			p := k.worker
			if p.endedWell() {
				return k.stop(nil)
			}
			k.died(p)
			if err := k.next(ctx, p.cause()); err != nil {
				return k.stop(err)
			}
		}
	}
}

// heard takes note of what the worker says.
func (k *Keeper) heard(m message, ok bool) {
	if !ok {
		k.worker.said = nil // its death, if that is why, comes by itself
		return
	}
	if m.Say != "serving" {
		return
	}
	k.worker.serving = true
	k.log.Info("serving", "pid", k.worker.proc.Pid, "version", k.worker.version)
	k.ready()
}

// missing says when to start a standby: now or, if the last one died before it was needed, after a second. nil if there is
// no need.
func (k *Keeper) missing() <-chan time.Time {
	if !k.o.Standby || k.standby != nil || !k.worker.serving {
		return nil
	}
	return time.After(time.Until(k.stoodBy.Add(time.Second)))
}

// stop ends the workers, and the mount unless it is to be kept.
func (k *Keeper) stop(err error) error {
	k.inform("STOPPING=1")
	if err != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	gone := k.worker != nil && k.worker.endedWell()
	if k.o.KeepMount && !gone && !k.stored && k.worker != nil {
		// Nobody else has the connection: its files work for as long as the worker lives.
		k.log.Warn("the worker goes on alone: nothing will follow it", "pid", k.worker.proc.Pid)
		k.worker = nil
	}
	if !k.o.KeepMount || gone {
		// First, so that whoever waits gets an answer and not a connection without a server.
		if uerr := conn.Unmount(k.dir); uerr != nil {
			err = errors.Join(err, uerr)
		}
		k.unstore()
	}
	for _, p := range []*process{k.worker, k.standby} {
		if p != nil && !p.isDead() {
			p.kill()
		}
	}
	return err
}

// Upgrade starts the program now on disk beside the running worker, and replaces that, and then this process, by it. If the
// new one does not start, refuses the state or fails its self-test in time, everything stays as it was and
// the error says why.
func (k *Keeper) Upgrade(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case k.upgrades <- answer:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Program returns the path of this program on disk, also after another one has been put there.
func Program() (string, error) {
	p, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("path of this program: %w", err)
	}
	return p, nil
}

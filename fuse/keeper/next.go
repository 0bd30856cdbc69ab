package keeper

import (
	"context"
	"errors"
	"time"

	"lxcfs/fuse/conn"
)

// What a worker is started as.
const (
	asWorker  = "worker"
	asStandby = "standby"
)

// candidate starts a worker and waits for its hello; nil if that fails, which counts as a crash unless somebody killed it.
func (k *Keeper) candidate(what string) *process {
	p, err := k.start()
	if err == nil {
		if err = p.hello(k.o.Deadline); err == nil {
			return p
		}
	}
	if what == asWorker && !(p != nil && p.isDead() && p.cause() == conn.Killed) {
		k.crashes++
	}
	if p != nil {
		p.kill()
	}
	k.log.Error("cannot start a worker", "as", what, "err", err)
	return nil
}

// died takes note of a death. Only a crash counts against the program; who kills workers may do so all day.
func (k *Keeper) died(p *process) {
	for { // what it said last
		select {
		case m, ok := <-p.said:
			if ok {
				p.serving = p.serving || m.Say == "serving"
				continue
			}
		default:
		}
		break
	}
	lived := time.Since(p.born)
	if p.serving {
		k.served = time.Now()
		if p.cause() == conn.Killed || lived > 2*time.Second {
			k.crashes = 0
		}
	}
	if p.cause() == conn.Crashed {
		k.crashes++
	}
	k.log.Error("worker died", "pid", p.proc.Pid, "how", p.how, "after", lived.Round(time.Millisecond), "crashes", k.crashes)
}

// pause is the time to wait before the next start: none after the first crashes, so that one costs little, and
// never more than a second.
func pause(crashes int) time.Duration {
	if crashes < 3 {
		return 0
	}
	return min(10*time.Millisecond<<min(crashes-3, 10), time.Second)
}

// delay is the time to wait before the next start, after failures of them in a row. While clients wait, kills count for
// nothing: starts killed in a row during a storm once made a read wait for 1.9 s.
func (k *Keeper) delay(failures int) time.Duration {
	if k.minimal == nil {
		return pause(k.crashes)
	}
	return max(pause(k.crashes), pause(failures))
}

// The keeper answers itself when this many workers crashed in a row, or when nobody served for this long, though none
// crashed: somebody kills them as fast as they start. The host's numbers are wrong ones, which a program may size itself by
// for good, so that has to last: an emulated guest, where a start takes three seconds, was told them after five.
const (
	patience = 5
	silence  = 20 * time.Second
)

func (k *Keeper) hopeless() bool { return k.crashes >= patience || time.Since(k.served) > silence }

// next gets a worker to serve after the last one ended for cause. It tries for as long as it takes.
func (k *Keeper) next(ctx context.Context, cause conn.Cause) error {
	k.worker = nil
	for failures := 0; ; {
		p := k.standby
		k.standby, k.stoodBy = nil, time.Time{}
		if p == nil {
			if k.hopeless() {
				k.startMinimal(cause)
				cause = conn.Killed
			}
			if err := k.wait(ctx, k.delay(failures)); err != nil {
				return err
			}
			p = k.candidate(asWorker)
		}
		if p != nil {
			k.stopMinimal()
			err := p.serve(cause)
			if err == nil {
				k.worker = p
				return nil
			}
			p.kill()
			k.log.Error("cannot start a worker", "as", asWorker, "err", err)
			if p.cause() == conn.Crashed {
				k.crashes++
			}
		}
		failures++
	}
}

// wait waits, and answers who asks for an upgrade: the next start is one.
func (k *Keeper) wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case answer := <-k.upgrades:
			answer <- errors.New("no worker is running: the program on disk is being tried all the time")
		case <-t.C:
			return nil
		}
	}
}

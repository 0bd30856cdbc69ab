package conn

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// loop is what the readers of a connection share.
type loop struct {
	c      *Conn
	raw    syscall.RawConn
	handle Handle

	mu      sync.Mutex
	led     bool      // a reader leads: it reads requests, or is on its way there
	atOnce  int       // requests in a row for which the leader did not have to wait
	queue   queue     // requests that were read and not begun
	free    []int     // slots without a request
	readers int       // all there are
	parked  []*reader // those with nothing to do
	over    bool
	err     error // why the loop ended
	ended   chan struct{}
	busy    sync.WaitGroup // the readers

	keys keys // the leader's
}

// Serve answers requests with h until the connection ends: nil when it was unmounted. It first sees to what predecessors
// left; cause says how the last one ended.
func (c *Conn) Serve(h Handle, cause Cause) error {
	file, err := c.poll()
	if err != nil {
		return err
	}
	defer file.Close()
	raw, err := file.SyscallConn()
	if err != nil {
		return fmt.Errorf("fuse connection: %w", err)
	}
	// First: it makes all pages present at once, which costs 2 ms less than to touch one after the other.
	if err := c.State.Lock(); err != nil {
		c.log.Debug("state may be swapped out", "err", err)
	}
	c.State.touch()
	for _, limit := range timeouts(os.ReadFile) {
		c.log.Warn("the kernel aborts the whole connection when one request takes long: set it to 0", "sysctl", limit)
	}
	l := &loop{c: c, raw: raw, handle: h, ended: make(chan struct{})}
	l.queue.known, l.keys.of = map[uint64]*flow{}, c.Flow
	lost := c.generation == 1 && !c.State.Inited() && c.dir == "" // somebody served, and we do not have its state
	if byResend && (lost || !byJournal && c.State.Inited()) {
		// Before there are readers, whose own requests would be queued again too. Before Linux 6.9 the kernel refuses.
		if err := c.resend(); err != nil {
			c.log.Error("requests of the former worker hang until the connection is aborted", "err", err)
		}
	}
	var left []*reader
	for i := range Slots {
		if byJournal && c.State.pending(i) > 0 {
			left = append(left, l.newReader(i))
			continue
		}
		c.State.answered(i)
		l.free = append(l.free, i)
	}
	l.busy.Add(len(left))
	go replayAll(left, cause)
	l.needReader()
	if c.opt.Serving != nil {
		c.opt.Serving()
	}
	<-l.ended
	idle := make(chan struct{})
	go func() {
		l.busy.Wait()
		close(idle)
	}()
	if errors.Is(l.err, os.ErrDeadlineExceeded) { // Stop
		<-idle
		return nil
	}
	select {
	case <-idle:
	case <-time.After(time.Second): // somebody waits for a kernel file, and nobody for the answer
	}
	return l.err
}

func (l *loop) newReader(slot int) *reader {
	l.readers++
	r := &reader{l: l, slot: slot, out: make([]byte, replySize)[:0], wake: make(chan struct{}, 1)}
	clear(r.out[:replySize]) // present before the kernel reads it, see mapState
	r.try = r.read
	r.late = time.AfterFunc(time.Hour, l.needReader)
	r.late.Stop()
	return r
}

// needReader sees to it that somebody takes the next request.
func (l *loop) needReader() {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.led || l.over || len(l.free) == 0 && !l.queue.ready():
	case len(l.parked) > 0:
		r := l.parked[len(l.parked)-1]
		l.parked = l.parked[:len(l.parked)-1]
		l.led, r.leads = true, true
		r.wake <- struct{}{}
	default:
		r := l.newReader(-1)
		l.led, r.leads = true, true
		l.busy.Add(1)
		go r.run()
	}
}

// end stops the loop for the first reason given. What was read will be answered. It is called with l.mu held.
func (l *loop) end(err error) {
	if !l.over {
		l.over, l.err = true, err
		close(l.ended)
	}
}

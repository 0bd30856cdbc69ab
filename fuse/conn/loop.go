package conn

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// replySize holds every reply but the content of a very long file; the buffer grows for those.
const replySize = 16 << 10

// lateAfter is how long an answer may take before another reader waits for the next request.
const lateAfter = 500 * time.Microsecond

// keptReply is the largest reply buffer a reader keeps.
const keptReply = 256 << 10

// loop is what the readers of a connection share.
type loop struct {
	c      *Conn
	raw    syscall.RawConn
	handle Handle

	mu      sync.Mutex
	waiting int       // readers that wait for a request, or are on their way there: 0 or 1
	parked  []*reader // readers with nothing to do
	unused  []int     // slots without a reader
	err     error     // why the loop ended
	ended   chan struct{}
	busy    sync.WaitGroup // the readers
}

// reader reads into one slot, and answers.
type reader struct {
	l        *loop
	slot     int
	buf, out []byte
	n        int
	errno    syscall.Errno
	wake     chan struct{}
	try      func(fd uintptr) bool // r.read, made once: a method value allocates
	late     *time.Timer           // calls needReader while an answer takes long
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
		l.unused = append(l.unused, i)
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
	r := &reader{l: l, slot: slot, buf: l.c.State.slot(slot), out: make([]byte, replySize)[:0], wake: make(chan struct{}, 1)}
	clear(r.out[:replySize]) // present before the kernel reads it, see mapState
	r.try = r.read
	r.late = time.AfterFunc(time.Hour, l.needReader)
	r.late.Stop()
	return r
}

// needReader sees to it that somebody waits for the next request.
func (l *loop) needReader() {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.waiting > 0:
	case len(l.parked) > 0:
		r := l.parked[len(l.parked)-1]
		l.parked = l.parked[:len(l.parked)-1]
		l.waiting++
		r.wake <- struct{}{}
	case len(l.unused) > 0:
		r := l.newReader(l.unused[0])
		l.unused = l.unused[1:]
		l.waiting++
		l.busy.Add(1)
		go r.run()
	}
}

// rejoin makes r wait for a request if nobody does, and else parks it until somebody is needed. It reports whether to
// go on.
func (l *loop) rejoin(r *reader) bool {
	l.mu.Lock()
	if l.waiting == 0 {
		l.waiting++
		l.mu.Unlock()
		return true
	}
	l.parked = append(l.parked, r)
	l.mu.Unlock()
	select {
	case <-r.wake:
		return true
	case <-l.ended:
		return false
	}
}

// end stops the loop for the first reason given.
func (l *loop) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.ended:
	default:
		l.err = err
		close(l.ended)
	}
}

// run serves requests, as the reader that waits.
func (r *reader) run() {
	l := r.l
	defer l.busy.Done()
	for {
		// A goroutine blocked in read(2) instead would cost a millisecond of the runtime's sysmon for each isolated request.
		err := l.raw.Read(r.try)
		l.mu.Lock()
		l.waiting--
		l.mu.Unlock()
		switch {
		case err != nil:
			l.end(fmt.Errorf("fuse connection: %w", err))
			return
		case r.errno == syscall.ENODEV || r.errno == 0 && r.n == 0: // unmounted, or a test's socket was closed
			l.end(nil)
			return
		case r.errno != 0:
			l.end(fmt.Errorf("read %s: %w", device, r.errno))
			return
		}
		r.answer()
		if !l.rejoin(r) {
			return
		}
	}
}

// read takes one request if there is one, and reports false to be called again when there may be.
func (r *reader) read(fd uintptr) bool {
	for {
		// Raw: the descriptor does not block, so the runtime need not know.
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(r.buf))), uintptr(len(r.buf)))
		switch errno {
		case syscall.EAGAIN:
			return false
		case syscall.EINTR, syscall.ENOENT: // ENOENT: the client gave up while the request was being copied
			continue
		}
		r.n, r.errno = int(n), errno
		return true
	}
}

// answer handles the request in the slot and empties it.
func (r *reader) answer() {
	c := r.l.c
	in := r.buf[:r.n]
	if r.n < headerSize {
		c.State.answered(r.slot)
		c.log.Warn("short FUSE request", "bytes", r.n)
		return
	}
	switch (*fuse.InHeader)(unsafe.Pointer(unsafe.SliceData(in))).Opcode {
	case opInterrupt:
		// Not answered, though EAGAIN is allowed: the kernel would queue it again at once, for as long as the request
		// takes, half a million times a second.
		c.State.answered(r.slot)
		return
	case opInit:
		r.init(in)
	default:
		r.out = r.safely(in)
	}
	r.reply(in)
	c.State.answered(r.slot)
	if cap(r.out) > keptReply {
		r.out = make([]byte, 0, replySize)
	}
}

// init answers INIT. What is agreed on is recorded before the kernel hears of it, and a recorded reply is given again.
func (r *reader) init(in []byte) {
	c := r.l.c
	if _, reply := c.State.Init(); reply != nil {
		r.out = append(r.out[:0], reply...)
		(*fuse.OutHeader)(unsafe.Pointer(unsafe.SliceData(r.out))).Unique =
			(*fuse.InHeader)(unsafe.Pointer(unsafe.SliceData(in))).Unique
		return
	}
	r.out = initReply(in, r.out)
	c.State.recordInit(in, r.out)
}

// safely calls the handler and turns a panic into EIO.
func (r *reader) safely(in []byte) (out []byte) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		c := r.l.c
		n := c.panics.Add(1)
		if c.quiet.allow() {
			c.log.Error("panic while answering", "request", Describe(in), "panic", p, "panics", n, "stack", slog.StringValue(string(debug.Stack())))
		}
		out = ErrorReply(in, r.out, eio)
	}()
	if op := (*fuse.InHeader)(unsafe.Pointer(unsafe.SliceData(in))).Opcode; op != opOpen && op != opRelease {
		r.late.Reset(lateAfter)
		defer r.late.Stop()
	}
	return r.l.handle(in, r.out[:0])
}

// reply sends what is in r.out, and EIO in its place when the kernel does not take it.
func (r *reader) reply(in []byte) {
	if len(r.out) == 0 {
		return
	}
	c := r.l.c
	err := c.write(r.out)
	if err == nil || errors.Is(err, syscall.ENODEV) || errors.Is(err, io.ErrClosedPipe) {
		return
	}
	if c.quiet.allow() {
		c.log.Error("kernel refused a reply", "request", Describe(in), "bytes", len(r.out), "err", err)
	}
	r.out = ErrorReply(in, r.out, eio)
	_ = c.write(r.out) // that was the last that can be tried
}

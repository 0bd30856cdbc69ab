package conn

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
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

// crowd is how many requests in a row must have been there at once before they are put in order. A single client makes
// one so: it opens a file while the RELEASE of its last one is on its way.
const crowd = 3

// calm is how many more requests it takes when there turned out to be only one.
const calm = 16

// reader reads requests while it leads, and answers one at a time.
type reader struct {
	l      *loop
	leads  bool
	slot   int   // of the request being read or answered, -1 if there is none
	flow   *flow // to whom its answer is charged, nil if to nobody
	out    []byte
	n      int
	errno  syscall.Errno
	stay   bool // wait for a request
	waited bool // had to
	wake   chan struct{}
	try    func(fd uintptr) bool // r.read, made once: a method value allocates
	late   *time.Timer           // calls needReader while an answer takes long
}

// run answers requests until the loop ends.
func (r *reader) run() {
	defer r.l.busy.Done()
	for r.next() {
		r.answer()
	}
}

// next gives back the slot that was answered and finds another request: the leader's own, or one that waits. Where there
// is none it parks. It reports false when there will be none.
func (r *reader) next() bool {
	l := r.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.slot >= 0 {
		l.free = append(l.free, r.slot)
		l.queue.done(r.flow)
		r.slot, r.flow = -1, nil
	}
	for {
		if (r.leads || !l.led) && len(l.free) > 0 && !l.over {
			l.led, r.leads = true, true
			mine := r.lead()
			l.led, r.leads = false, false
			if mine || r.pop() {
				return true
			}
			continue
		}
		if r.leads {
			l.led, r.leads = false, false
		}
		if r.pop() {
			return true
		}
		if l.over {
			return false
		}
		l.parked = append(l.parked, r)
		l.mu.Unlock()
		select {
		case <-r.wake:
		case <-l.ended:
		}
		l.mu.Lock()
	}
}

// pop takes the request whose turn it is.
func (r *reader) pop() (ok bool) {
	slot, h, ok := r.l.queue.pop()
	if ok {
		r.slot, r.flow, r.n = slot, h, r.l.c.State.pending(slot)
	}
	return ok
}

// lead reads the next request, and reports true when it is r's to answer at once. While there is a crowd it puts all that
// the kernel has into the queue instead.
func (r *reader) lead() (mine bool) {
	l := r.l
	if r.stay = !l.queue.ready(); r.stay {
		alone := l.readers-len(l.parked) == 1
		if !r.receive() {
			return false
		}
		if l.atOnce++; r.waited {
			l.atOnce = 0
		}
		if alone && l.atOnce < crowd {
			return true
		}
		r.enqueue()
		r.stay = false
		// On one CPU a lone client's requests are all there at once, one at a time: that is no crowd, and not looked into
		// again so soon.
		l.atOnce = -calm
	}
	for len(l.free) > 0 && r.receive() {
		l.atOnce = crowd
		r.enqueue()
	}
	return false
}

// receive reads a request into a free slot. It reports false when there is none, because r is not to wait for it or because
// the loop has ended. Others go on meanwhile.
func (r *reader) receive() bool {
	l := r.l
	r.slot = l.free[len(l.free)-1]
	l.free = l.free[:len(l.free)-1]
	r.waited = false
	l.mu.Unlock()
	// A goroutine blocked in read(2) instead would cost a millisecond of the runtime's sysmon for each isolated request.
	err := l.raw.Read(r.try)
	l.mu.Lock()
	switch {
	case err != nil:
		l.end(fmt.Errorf("fuse connection: %w", err))
	case r.errno == syscall.EAGAIN:
	case r.errno == syscall.ENODEV || r.errno == 0 && r.n == 0: // unmounted, or a test's socket was closed
		l.end(nil)
	case r.errno != 0:
		l.end(fmt.Errorf("read %s: %w", device, r.errno))
	default:
		return true
	}
	l.free = append(l.free, r.slot)
	r.slot = -1
	return false
}

// enqueue has the request that was received wait for its turn.
func (r *reader) enqueue() {
	l := r.l
	if in := l.c.State.slot(r.slot)[:r.n]; urgent(in) {
		l.queue.urgent = append(l.queue.urgent, r.slot)
	} else {
		l.queue.push(r.slot, l.keys.key((*fuse.InHeader)(unsafe.Pointer(unsafe.SliceData(in))).Pid))
	}
	r.slot = -1
}

// read takes one request if there is one, and reports false to be called again when there may be.
func (r *reader) read(fd uintptr) bool {
	buf := r.l.c.State.slot(r.slot)
	for {
		// Raw: the descriptor does not block, so the runtime need not know.
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)))
		switch errno {
		case syscall.EAGAIN:
			if r.stay {
				r.waited = true
				return false
			}
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
	in := c.State.slot(r.slot)[:r.n]
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

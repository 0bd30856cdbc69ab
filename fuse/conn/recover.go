package conn

import (
	"sync"
	"time"
)

// Cause is how the worker before this one ended.
type Cause int

// The causes. They matter to requests that were in work: one that crashes its worker again and again is to blame, one
// that happened to be there when somebody used kill(1) is not.
const (
	Started Cause = iota // there was none
	Crashed              // it exited by itself: an exit status, or a signal such as SIGSEGV or SIGABRT
	Killed               // SIGKILL or SIGTERM from outside, which includes an upgrade and the OOM killer
)

// A request that crashed its worker and then, begun again, the next one, is answered EIO. Kills say little about the
// requests that were in work, so many are needed.
const (
	maxCrashes = 2
	maxKills   = 17
)

// suspicion is how long a request begun again after a crash has the others wait, so that the next crash points at it.
const suspicion = 100 * time.Millisecond

// replayAll answers the requests predecessors left in the readers' slots: all at once, so that a slow one does not hold up
// the others, or one after the other when one of them may be the cause of a crash.
func replayAll(left []*reader, cause Cause) {
	for _, r := range left {
		answered := make(chan struct{})
		go r.replay(cause, answered)
		if cause != Crashed {
			continue
		}
		select {
		case <-answered:
		case <-time.After(suspicion):
		}
	}
}

// replay answers the request in r's slot, closes answered, and then makes r a reader like the others.
func (r *reader) replay(cause Cause, answered chan<- struct{}) {
	l := r.l
	in := l.c.State.slot(r.slot)[:l.c.State.pending(r.slot)]
	rec := l.c.State.begin(r.slot, cause)
	if rec[0] >= maxCrashes || rec[1] >= maxKills {
		l.c.log.Error("request is answered EIO: its worker died each time", "request", Describe(in), "crashes", rec[0], "kills", rec[1])
		r.out = ErrorReply(in, r.out, eio)
		r.reply(in)
		l.c.State.answered(r.slot)
	} else {
		r.n = len(in)
		r.answer()
	}
	close(answered)
	r.run()
}

// limiter allows one log record a second.
type limiter struct {
	mu   sync.Mutex
	next time.Time
}

func (l *limiter) allow() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if now.Before(l.next) {
		return false
	}
	l.next = now.Add(time.Second)
	return true
}

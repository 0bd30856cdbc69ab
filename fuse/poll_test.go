package fuse

import (
	"log/slog"
	"syscall"
	"testing"
	"time"

	"lxcfs/core"

	wire "github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// polled is a tree whose triggers are sockets: urgent data fires them (POLLPRI).
type polled struct {
	*tree
	t     *testing.T
	woken chan uint64
	peer  int
	shut  int // triggers closed
	node  uint64
}

func newPolled(t *testing.T) *polled {
	p := &polled{tree: testTree(t), t: t, woken: make(chan uint64, 10), node: idOf("proc/pressure/cpu")}
	p.triggers = newTriggers(func(kh uint64) error { p.woken <- kh; return nil }, slog.New(slog.DiscardHandler))
	p.src.trigger = func(_ core.Caller, _ string, text []byte) (trigger, error) {
		if string(text) != "some 1 2" {
			return trigger{}, syscall.EINVAL
		}
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return trigger{}, err
		}
		p.peer = pair[1]
		return trigger{pair[0], func() error { p.shut++; return unix.Close(pair[0]) }}, nil
	}
	return p
}

func (p *polled) write(fh, offset uint64, text string) syscall.Errno {
	in := request(opWrite, p.node, 1, wire.WriteIn{Fh: fh, Offset: offset, Size: uint32(len(text))}, text)
	no, _ := reply(p.t, p.handle(in, nil))
	return no
}

func (p *polled) poll(fh, kh uint64) uint32 {
	p.t.Helper()
	in := request(opPoll, p.node, 1, pollIn{Fh: fh, Kh: kh, Flags: wire.FUSE_POLL_SCHEDULE_NOTIFY}, "")
	no, b := reply(p.t, p.handle(in, nil))
	a, ok := as[pollOut](b)
	if no != 0 || !ok {
		p.t.Fatalf("poll: %v, %d bytes", no, len(b))
	}
	return a.Revents
}

func (p *polled) fire() {
	p.t.Helper()
	if err := unix.Send(p.peer, []byte("!"), unix.MSG_OOB); err != nil {
		p.t.Fatal(err)
	}
}

func (p *polled) wantWake(kh uint64) {
	p.t.Helper()
	select {
	case got := <-p.woken:
		if got != kh {
			p.t.Errorf("poll %d was woken, want %d", got, kh)
		}
	case <-time.After(10 * time.Second):
		p.t.Fatal("nobody was woken")
	}
}

func TestTriggerWrites(t *testing.T) {
	for _, test := range []struct {
		reason string
		offset uint64
		text   string
		before func(p *polled)
		want   syscall.Errno
	}{
		{"a trigger", 0, "some 1 2", nil, 0},
		{"a second one on the same file", 0, "some 1 2", func(p *polled) { p.write(1, 0, "some 1 2") }, syscall.EBUSY},
		{"not at the start", 3, "some 1 2", nil, syscall.EINVAL},
		{"nothing", 0, "", nil, syscall.EINVAL},
		{"what the source refuses", 0, "many 1 2", nil, syscall.EINVAL},
		{"while nothing is virtualised", 0, "some 1 2", func(p *polled) { p.src.virtualized = func() bool { return false } }, syscall.EIO},
		{"without triggers", 0, "some 1 2", func(p *polled) { p.triggers = nil }, syscall.EINVAL},
		{"a file that takes none", 0, "some 1 2", func(p *polled) { p.node = idOf("proc/stat") }, syscall.EINVAL},
	} {
		p := newPolled(t)
		if test.before != nil {
			test.before(p)
		}
		if got := p.write(1, test.offset, test.text); got != test.want {
			t.Errorf("%s: %v, want %v", test.reason, got, test.want)
		}
		if p.triggers == nil {
			p.triggers = newTriggers(nil, nil)
		}
	}
}

func TestTriggerWakesItsPoll(t *testing.T) {
	p := newPolled(t)
	p.write(1, 0, "some 1 2")
	if got := p.poll(1, 11); got != pollAlways {
		t.Errorf("poll before the event: %#x, want %#x", got, pollAlways)
	}
	p.fire()
	p.wantWake(11)
	if got := p.poll(1, 11); got != pollAlways|unix.POLLPRI {
		t.Errorf("poll after the event: %#x, want POLLPRI", got)
	}
	if got := p.poll(1, 11); got != pollAlways {
		t.Errorf("the event was reported twice: %#x", got)
	}
}

func TestEventStaysUntilReported(t *testing.T) {
	p := newPolled(t)
	p.write(1, 0, "some 1 2")
	p.fire()
	for range 1000 {
		if got := p.poll(1, 11); got == pollAlways|unix.POLLPRI {
			return
		}
		time.Sleep(10 * time.Millisecond) // for the goroutine that watches
	}
	t.Error("an event before the first poll was lost")
}

// LXCFS crashed here: a trigger written, the file closed, nobody ever polled.
func TestCloseWithoutPoll(t *testing.T) {
	p := newPolled(t)
	p.write(1, 0, "some 1 2")
	p.handle(request(opRelease, p.node, 1, wire.ReleaseIn{Fh: 1}, ""), nil)
	if p.shut != 1 || len(p.triggers.byFH) != 0 || len(p.triggers.byFD) != 0 {
		t.Errorf("%d triggers closed, %d remembered, want 1 and 0", p.shut, len(p.triggers.byFH))
	}
	if no := p.write(1, 0, "some 1 2"); no != 0 {
		t.Errorf("the next file with that handle cannot be armed: %v", no)
	}
}

func TestPollWithoutTrigger(t *testing.T) {
	p := newPolled(t)
	if got := p.poll(9, 1); got != pollAlways|unix.POLLERR|unix.POLLPRI {
		t.Errorf("poll of a file without a trigger: %#x, want POLLERR and POLLPRI", got)
	}
	p.node = idOf("proc/stat")
	if got := p.poll(9, 1); got != pollAlways {
		t.Errorf("poll of another file: %#x, want %#x", got, pollAlways)
	}
}

func TestTriggerOfARemovedCgroup(t *testing.T) {
	p := newPolled(t)
	p.write(1, 0, "some 1 2")
	p.poll(1, 11)
	unix.Close(p.peer) // the socket hangs up as a removed cgroup's file does
	p.wantWake(11)
	if got := p.poll(1, 11); got&unix.POLLERR == 0 {
		t.Errorf("poll of a dead trigger: %#x, want POLLERR", got)
	}
}

func TestTriggersAreBounded(t *testing.T) {
	tr := newTriggers(nil, slog.New(slog.DiscardHandler))
	for fh := range uint64(maxTriggers) {
		tr.byFH[fh] = &armed{}
	}
	if got := tr.arm(maxTriggers, func() (trigger, error) { t.Error("armed"); return trigger{}, nil }); got != syscall.ENOSPC {
		t.Errorf("one trigger too many: %v, want ENOSPC", got)
	}
}

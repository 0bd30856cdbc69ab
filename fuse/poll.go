package fuse

import (
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"unsafe"

	"lxcfs/core"

	wire "github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// maxTriggers bounds the armed triggers, each of which is an open cgroup file.
const maxTriggers = 4096

// pollAlways is what files without events are: ready, as the kernel's own are (DEFAULT_POLLMASK).
const pollAlways = unix.POLLIN | unix.POLLOUT | pollRDNORM | pollWRNORM

const pollRDNORM, pollWRNORM = 0x40, 0x100 // asm-generic/poll.h

// trigger is an armed pressure trigger of a source.
type trigger struct {
	fd    int // polls POLLPRI when it fires
	close func() error
}

// armed is the trigger of an open file.
type armed struct {
	trigger
	fh      uint64
	pending bool   // fired, and no poll has been told yet
	broken  bool   // its cgroup is gone
	kh      uint64 // the kernel's handle of who waits, if notify
	notify  bool
}

// triggers are the pressure triggers of all open files, watched by one thread that sleeps until one fires.
type triggers struct {
	wake func(kh uint64) error
	log  *slog.Logger

	mu   sync.Mutex
	fd   int // of an epoll instance; -1 while there has never been a trigger
	byFH map[uint64]*armed
	byFD map[int32]*armed
}

func newTriggers(wake func(kh uint64) error, log *slog.Logger) *triggers {
	return &triggers{wake: wake, log: log, fd: -1, byFH: map[uint64]*armed{}, byFD: map[int32]*armed{}}
}

// start makes the epoll instance and its watcher, which last as long as the process. t.mu is held.
func (t *triggers) start() error {
	if t.fd >= 0 {
		return nil
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	t.fd = fd
	go t.watch(fd)
	return nil
}

// watch tells the kernel about triggers that fire. It blocks a thread: in the runtime's poller, an epoll instance within
// an epoll instance, the outer one asks the trigger whether it fired (__ep_eventpoll_poll), and that takes its event away
// (psi_trigger_poll) before the inner one can report it.
func (t *triggers) watch(fd int) {
	events := make([]unix.EpollEvent, 64)
	for {
		n, err := unix.EpollWait(fd, events, -1)
		if err != nil && err != unix.EINTR {
			t.log.Error("pressure triggers", "err", err)
			return
		}
		for _, e := range events[:max(n, 0)] {
			t.fire(e)
		}
	}
}

func (t *triggers) fire(e unix.EpollEvent) {
	t.mu.Lock()
	a := t.byFD[e.Fd]
	if a == nil {
		t.mu.Unlock()
		return
	}
	if e.Events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		a.broken = true
		_ = unix.EpollCtl(t.fd, unix.EPOLL_CTL_DEL, a.fd, nil) // it is not there any more, at the worst
	}
	a.pending = true
	kh, notify := a.kh, a.notify
	a.notify = false
	t.mu.Unlock()
	if !notify {
		return // the event stays until a poll asks
	}
	if err := t.wake(kh); err != nil {
		t.log.Debug("poll notification", "err", err)
	}
}

// arm gives fh its trigger, which make arms.
func (t *triggers) arm(fh uint64, make func() (trigger, error)) syscall.Errno {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byFH[fh] != nil {
		return syscall.EBUSY
	}
	if len(t.byFH) >= maxTriggers {
		return syscall.ENOSPC
	}
	if err := t.start(); err != nil {
		t.log.Error("pressure triggers", "err", err)
		return syscall.EIO
	}
	tr, err := make()
	if err != nil {
		return errno(err)
	}
	// Edge-triggered: asking the kernel about a trigger takes its event away.
	ev := unix.EpollEvent{Events: unix.EPOLLPRI | unix.EPOLLET, Fd: int32(tr.fd)}
	if err := unix.EpollCtl(t.fd, unix.EPOLL_CTL_ADD, tr.fd, &ev); err != nil {
		_ = tr.close()
		t.log.Error("pressure triggers", "err", err)
		return syscall.EIO
	}
	a := &armed{trigger: tr, fh: fh}
	t.byFH[fh], t.byFD[int32(tr.fd)] = a, a
	return 0
}

// poll answers for fh: what there is, once, or POLLERR where the file has no trigger, which is what the kernel says
// too, so that a program whose trigger died with a worker arms it again.
func (t *triggers) poll(fh, kh uint64, notify bool) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.byFH[fh]
	if a == nil || a.broken {
		return pollAlways | unix.POLLERR | unix.POLLPRI
	}
	if notify {
		a.kh, a.notify = kh, true
	}
	if !a.pending {
		return pollAlways
	}
	a.pending, a.notify = false, false
	return pollAlways | unix.POLLPRI
}

// disarm closes fh's trigger, if it has one.
func (t *triggers) disarm(fh uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := t.byFH[fh]; a != nil {
		delete(t.byFH, fh)
		delete(t.byFD, int32(a.fd))
		_ = a.close() // nothing was written that could be lost
	}
}

// release answers RELEASE and RELEASEDIR.
func (t *tree) release(fh uint64) {
	if t.triggers != nil {
		t.triggers.disarm(fh)
	}
	t.files.release(fh)
}

// write answers WRITE with the error numbers of LXCFS: nothing but a pressure trigger can be written.
func (t *tree) write(in *wire.WriteIn, text []byte) syscall.Errno {
	nd, no := t.node(in.NodeId)
	switch {
	case no != 0:
		return no
	case nd.sys:
		return syscall.EACCES
	case !nd.pressure:
		return syscall.EINVAL
	case !t.src.virtualized():
		return syscall.EIO
	case t.triggers == nil:
		return syscall.EINVAL
	}
	who := core.Caller{PID: int(in.Pid), UID: in.Uid}
	return t.triggers.arm(in.Fh, func() (trigger, error) {
		if in.Offset != 0 || len(text) == 0 {
			return trigger{}, syscall.EINVAL
		}
		return t.src.trigger(who, nd.path, text)
	})
}

// pollIn is struct fuse_poll_in and pollOut struct fuse_poll_out, linux/fuse.h.
type pollIn struct {
	wire.InHeader
	Fh, Kh        uint64
	Flags, Events uint32
}

type pollOut struct{ Revents, Padding uint32 }

// handlePoll answers POLL: ENOSYS without triggers, after which the kernel does not ask again. (Asking has cost suspends
// and hangs where nobody needed it: LXCFS pull requests 726, 727.)
func (t *tree) handlePoll(in, out []byte) []byte {
	q, ok := as[pollIn](in)
	if !ok {
		return finish(in, out, syscall.EINVAL)
	}
	if t.triggers == nil {
		return finish(in, out, syscall.ENOSYS)
	}
	nd, no := t.node(q.NodeId)
	if no == 0 && nd.pressure && !t.src.virtualized() {
		no = syscall.EIO
	}
	if no != 0 {
		return finish(in, out, no)
	}
	a := pollOut{Revents: pollAlways}
	if nd.pressure {
		a.Revents = t.triggers.poll(q.Fh, q.Kh, q.Flags&wire.FUSE_POLL_SCHEDULE_NOTIFY != 0)
	}
	return finish(in, append(out, unsafe.Slice((*byte)(unsafe.Pointer(&a)), unsafe.Sizeof(a))...), 0)
}

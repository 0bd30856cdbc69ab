// Package conn owns a FUSE connection: it mounts it, carries requests from /dev/fuse to a [Handle] and replies back, and
// takes the connection over from a process that died in the middle of its work without a client noticing more than a pause.
//
// # One request
//
// A reader waits in Go's poller for the non-blocking descriptor and then reads straight into its slot of the shared
// [State]. The first word of a slot is the length the kernel wrote there, so "not zero" means "read and not answered",
// from the very system call that took the request on. The reply is written from the reader's own buffer, then the word is
// set to zero. Killed in between, the successor answers a second time and the kernel says ENOENT, which is harmless.
//
// # Readers
//
// One reader leads: it waits for a request and answers it itself; the others are parked. While an answer takes longer than
// half a millisecond, a timer has a parked reader lead, or starts one. So clients are served by one warm goroutine, and a
// slow request delays only who asked it.
//
// # A crowd
//
// The kernel hands requests out first in, first out: whoever comes while a container has 64 readers waits for all of them.
// So where requests did not have to be waited for, or a request is still being answered, the leader reads all there are into
// free slots, and the callers' flows (pid namespaces, [Conn.Flow]) take turns. The flow's number costs a
// system call, which a caller without a crowd does not pay. At most 16 requests of one flow are answered at a time: so
// many of its readers may be stuck in a kernel file before its others wait. [Slots] bounds all requests read: a flow
// that has as many stuck delays everybody.
//
// # Taking over
//
// [Conn.Serve] in a successor answers the requests its predecessors left in the slots, under their old numbers, while new
// ones are served. Without a usable state it asks the kernel to queue them again (FUSE_NOTIFY_RESEND, Linux 6.9). The
// predecessor must be wholly dead by then: wait4(2) or a pidfd has said so.
//
// # Decisions
//
//   - 2026-11-23: one arena of slots, not one per live generation. A successor starts beside its predecessor but serves
//     only after it is dead, because both would write the history; the stall is the same as with overlap (5 to 10 ms).
//   - 2026-11-23: SIGKILL and replay is the only way to end a worker. Draining readers needs no code this way, and the way
//     that must never fail is walked every time.
//   - 2026-11-23: a timer instead of handing the waiting reader's place on before each READ: one processor for both, read
//     meminfo p50 92 to 55 us, CPU 81 to 50 us an operation, since no second goroutine and thread wake for each request.
//     Price: half a millisecond for others when a kernel file is slow.
//   - 2026-11-23: no waiting in ppoll(2) before parking, though it saves a system call: the runtime's sysmon stays awake
//     meanwhile. Against go-fuse's Server, unpinned: 1.4 instead of 1.8 of the reads, 0.57 instead of 0.41 of the CPU.
//   - 2026-11-28: nor in an epoll instance of our own, without a timeout, which needs two calls less for each request but
//     keeps every other goroutine waiting: p50 7 to 11 % better, CPU 2 to 10 %, where 79 % of it is in system calls and a
//     fifth in epoll_pwait. (ppoll with 0.2 ms, which sets a timer each time: CPU a third worse on a virtual machine.)
//   - 2026-11-28: turns by pid namespace, not by cgroup: one system call tells. Who may make namespaces gets more turns by
//     it.
//   - 2026-11-23: our own INIT reply, 30 lines, instead of go-fuse's: max_write and max_pages must fit the slots, and a
//     successor must be able to read what was agreed on.
//   - 2026-11-28: no FUSE over io_uring (Linux 6.18; lxcfsctl bench --suite "" --place free --rounds 24, rings against this loop, one
//     thread). One ring in the poller: p50 1.12x faster on a null tree, 1.10x on meminfo. A thread for each CPU that waits in
//     io_uring_enter(2): 0.9x, sysmon; behind the runtime's back: 1.2x, and stalls of 17 s. It loses a dead worker's requests.
package conn

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Handle answers one request. in is the request as the kernel wrote it (linux/fuse.h: fuse_in_header and what follows);
// the reply is made by appending to out[:0] and returned, empty for requests that have none. A panic is answered EIO.
type Handle func(in, out []byte) []byte

// Options of a connection.
type Options struct {
	Writable bool         // mount read-write: pressure triggers can be written
	History  int          // bytes of [State.History]
	Log      *slog.Logger // nil: silent
	Serving  func()       // called once requests are being taken
}

// Conn is one FUSE connection.
type Conn struct {
	State *State // nil if it could not be taken over

	// Flow returns a number for the callers that pid shares its turn with, while there is a crowd. It is set before
	// Serve; if it is nil, everybody has a turn of its own.
	Flow func(pid uint32) uint64

	dir string // "" if somebody else unmounts
	fd  int
	opt Options
	log *slog.Logger

	mu      sync.Mutex
	file    *os.File // a duplicate of fd in the runtime's poller, while Serve runs
	stopped bool

	generation uint64
	panics     atomic.Uint64
	quiet      limiter
}

// Mount mounts a new connection on dir, which must be an empty directory and no mount point. A dead mount of a former
// lxcfs is replaced. The errors say what to do. Nobody answers until Serve is called: until then do not touch dir.
func Mount(dir string, o Options) (*Conn, error) {
	abs, err := prepare(dir)
	if err != nil {
		return nil, err
	}
	state, err := NewState(o.History)
	if err != nil {
		return nil, err
	}
	fd, err := mountFUSE(abs, o.Writable)
	if err != nil {
		state.Close()
		return nil, err
	}
	c, err := newConn(fd, state, o)
	if err != nil {
		return nil, errors.Join(err, Unmount(abs))
	}
	c.dir = abs
	return c, nil
}

// Adopt takes over the connection behind the descriptor fuseFD and the state behind stateFD (-1: none). A state of another
// layout is left alone, and replaced by a fresh one that dies with the process.
func Adopt(fuseFD, stateFD int, o Options) (*Conn, error) {
	var state *State
	if stateFD >= 0 {
		var err error
		if state, err = OpenState(stateFD); err != nil && !errors.Is(err, ErrLayout) {
			return nil, err
		} else if err != nil {
			logger(o.Log).Error("state of the former worker is not used", "err", err)
		}
	}
	if state == nil {
		var err error
		if state, err = NewState(o.History); err != nil {
			return nil, err
		}
	}
	return newConn(fuseFD, state, o)
}

func newConn(fd int, state *State, o Options) (*Conn, error) {
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("fuse fd %d: %w", fd, err)
	}
	return &Conn{State: state, fd: fd, opt: o, log: logger(o.Log), generation: state.nextGeneration()}, nil
}

func logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}

// FD returns the descriptor of the connection. It stays the Conn's.
func (c *Conn) FD() int { return c.fd }

// Dir returns the mount point as Mount resolved it, "" for an adopted connection.
func (c *Conn) Dir() string { return c.dir }

// Generation returns which worker of the connection this is, counted from 1.
func (c *Conn) Generation() uint64 { return c.generation }

// Panics returns the number of requests whose handler panicked.
func (c *Conn) Panics() uint64 { return c.panics.Load() }

// Unmount takes the mount away and makes Serve return, also where containers have copies of the mount: those answer
// ENOTCONN from then on. An adopted connection has to be unmounted by its holder.
func (c *Conn) Unmount() error {
	if c.dir == "" {
		return errors.New("unmount: this process did not mount")
	}
	if err := Unmount(c.dir); err != nil {
		return err
	}
	c.Stop()
	return nil
}

// Close closes the connection's descriptor and unmaps the state, after Serve has returned.
func (c *Conn) Close() error { return errors.Join(unix.Close(c.fd), c.State.Close()) }

// Stop makes Serve return nil, after the requests in work have been answered. The connection stays: others can serve it.
func (c *Conn) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	if c.file != nil {
		// Nobody reads after that, and nothing that was read is lost. It cannot fail: the file is in the poller.
		_ = c.file.SetReadDeadline(time.Unix(1, 0))
	}
}

// poll puts a duplicate of the descriptor into the runtime's poller. Only who serves may have it there: it would wake
// for every request otherwise.
func (c *Conn) poll() (*os.File, error) {
	fd, err := unix.FcntlInt(uintptr(c.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("fuse connection: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.file = os.NewFile(uintptr(fd), device)
	if c.stopped {
		_ = c.file.SetReadDeadline(time.Unix(1, 0)) // as in Stop
	}
	return c.file, nil
}

// write sends one reply or notification. ENOENT is fine: the client was interrupted and is gone, or a predecessor had
// answered already.
func (c *Conn) write(b []byte) error {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(c.fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		switch {
		case errno == syscall.EINTR:
			continue
		case errno == syscall.ENOENT:
			return nil
		case errno != 0:
			return errno
		case int(n) != len(b):
			return fmt.Errorf("wrote %d of %d bytes", n, len(b))
		}
		return nil
	}
}

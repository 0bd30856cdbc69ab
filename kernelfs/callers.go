package kernelfs

import (
	"strconv"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// callersKept is how long it is remembered without a doubt in whose namespace a caller is.
const callersKept = time.Millisecond

// callers are those who asked lately and their pid namespaces. A process stays in its namespace for life
// (pid_namespaces(7)), so only another process of the same number could be taken for it. Numbers are given in turn,
// 32,768 or more (kernel.pid_max): nobody is as fast as to start so many processes in [callersKept].
//
// Who asks again later, as monitors do every second, is watched by a pidfd: until it has ended its number is its own.
// The kernel says so in 1 us; looking up /proc/PID/ns/pid takes 3.4 us, and after a pause, with nothing of it in the
// processor's caches, 40 us, a tenth of a read.
type callers struct {
	ended ends
	room  int // for pidfds

	mu      sync.Mutex
	watched int // the pidfds in slots
	slots   [512]caller
}

type caller struct {
	pid   int
	ns    uint64
	at    time.Time
	pidfd int // 0: not watched; unwatched: it cannot be, as a thread that is not its process's first
}

const unwatched = -1

// newCallers returns callers of whom as many as room are watched at a time.
func newCallers(room int) (*callers, error) {
	ended, err := newEnds()
	if err != nil {
		return nil, err
	}
	return &callers{ended: ended, room: room}, nil
}

func (c *callers) slot(pid int) *caller { return &c.slots[uint(pid)%uint(len(c.slots))] }

// get returns what is remembered of pid, if anything, and whether it still holds.
func (c *callers) get(pid int, now time.Time) (known caller, holds bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.slot(pid)
	if e.pid == pid && e.pidfd > 0 && now.Sub(e.at) >= callersKept {
		if c.forgetEnded() {
			e.at = now
		} else {
			c.forget(e)
		}
	}
	if e.pid != pid {
		return caller{}, false
	}
	return *e, now.Sub(e.at) < callersKept
}

// set remembers a caller.
func (c *callers) set(who caller) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.slot(who.pid)
	c.forget(e)
	if *e = who; e.pidfd > 0 {
		c.watched++
	}
}

func (c *callers) forget(e *caller) {
	if e.pidfd > 0 {
		closeFD(e.pidfd)
		c.watched--
	}
	*e = caller{}
}

// forgetEnded forgets the watched callers that have ended, and reports whether those are all. A pidfd is ready before
// its number is free (exit_notify of the kernel comes before release_task).
func (c *callers) forgetEnded() bool {
	for range 2 * len(c.slots) / maxEnds {
		var memory [maxEnds]uint64
		list, err := c.ended.read(memory[:0])
		if err != nil {
			return false
		}
		for _, pid := range list {
			if e := c.slot(int(pid)); e.pid == int(pid) {
				c.forget(e)
			}
		}
		if len(list) < maxEnds {
			return true
		}
	}
	return false
}

// full reports whether there is no room for another pidfd.
func (c *callers) full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.watched >= c.room && !(c.forgetEnded() && c.watched < c.room)
}

// watch returns a pidfd of pid, whose end [callers.forgetEnded] will see; 0 if there is no room for it, or unwatched.
func (c *callers) watch(pid int) int {
	if c.full() {
		return 0
	}
	fd, err := pidfdOpen(pid)
	if err != nil {
		return unwatched
	}
	if c.ended.watch(fd, uint64(pid)) != nil {
		closeFD(fd)
		return unwatched
	}
	return fd
}

// namespaceOf returns the inode number of the caller's pid namespace, from the link /proc/PID/ns/pid, which
// waits for us and not in execve(2), see [Snapshot.patiently].
func (h *host) namespaceOf(pid int) (uint64, error) {
	now := time.Now()
	who, ok := h.callers.get(pid, now)
	if ok {
		return who.ns, nil
	}
	if who.pid == pid && who.pidfd == 0 {
		who.pidfd = h.callers.watch(pid) // before the look-up, so that both are of one process
	}
	ns, err := h.lookUpNamespace(pid)
	if err != nil {
		if who.pidfd > 0 {
			closeFD(who.pidfd)
		}
		return 0, err
	}
	h.callers.set(caller{pid, ns, now, who.pidfd})
	return ns, nil
}

func (h *host) lookUpNamespace(pid int) (uint64, error) {
	var path, link [64]byte
	name := append(strconv.AppendInt(path[:0], int64(pid), 10), "/ns/pid\x00"...)
	n, _, e := unix.RawSyscall6(unix.SYS_READLINKAT, uintptr(h.proc), uintptr(unsafe.Pointer(&name[0])),
		uintptr(unsafe.Pointer(&link)), uintptr(len(link)), 0, 0)
	if e != 0 {
		return 0, e
	}
	ns, ok := parseNamespace(link[:n])
	if !ok {
		return 0, errFormat
	}
	return ns, nil
}

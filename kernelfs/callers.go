package kernelfs

import (
	"strconv"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// callersKept is how long it is remembered in whose namespace a caller is.
const callersKept = time.Millisecond

// callers are those who asked lately and their pid namespaces. A process stays in its namespace for life (pid_namespaces(7)), so
// only another process of the same number could be taken for it. Numbers are given in turn, 32,768 or more
// (kernel.pid_max): nobody is as fast as to start so many processes in [callersKept].
type callers struct {
	mu    sync.Mutex
	slots [64]struct {
		pid int
		ns  uint64
		at  time.Time
	}
}

func (c *callers) get(pid int, now time.Time) (ns uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &c.slots[uint(pid)%uint(len(c.slots))]
	return e.ns, e.pid == pid && now.Sub(e.at) < callersKept
}

func (c *callers) set(pid int, ns uint64, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &c.slots[uint(pid)%uint(len(c.slots))]
	e.pid, e.ns, e.at = pid, ns, now
}

// namespaceOf returns the inode number of the caller's pid namespace, from the link /proc/PID/ns/pid, which
// waits for us and not in execve(2), see [Snapshot.patiently]. It is remembered for [callersKept].
func (h *host) namespaceOf(pid int) (uint64, error) {
	now := time.Now()
	if ns, ok := h.callers.get(pid, now); ok {
		return ns, nil
	}
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
	h.callers.set(pid, ns, now)
	return ns, nil
}

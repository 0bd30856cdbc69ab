package kernelfs

import (
	"encoding/binary"
	"errors"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// cgroupstats asks the kernel how many threads of a v1 cgroup run, Documentation/accounting/cgroupstats.rst:
// 8 us for a cgroup of one thread and 21 us for 200, where reading each thread's state takes 10 us a thread.
type cgroupstats struct {
	mu     sync.Mutex
	socket int    // generic netlink
	family uint16 // of TASKSTATS; 0: not asked for
	seq    uint32
	failed bool // the kernel was built without TASKSTATS, or does not let us
	buf    [1024]byte
}

// Of include/uapi/linux/genetlink.h, taskstats.h and cgroupstats.h.
const (
	genlCtrl         = 0x10
	ctrlGetFamily    = 3
	ctrlFamilyID     = 1
	ctrlFamilyName   = 2
	cgroupstatsGet   = 4
	cgroupstatsFD    = 1
	cgroupstatsStats = 1
	genlHeader       = 4
)

// The states of struct cgroupstats, in its order.
const (
	sleeping = iota
	running
	stopped
	uninterruptible
	ioWait // in another state than that
	nStates
)

// states are numbers of threads by state.
type states [nStates]uint64

func (n states) sum() (all uint64) {
	for _, i := range n {
		all += i
	}
	return all
}

// states returns the states of the threads in the cgroup whose directory is open as dir, not of those
// below it. A thread in a state that is none of them is not counted.
func (c *cgroupstats) states(dir int) (n states, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.open(); err != nil {
		return n, err
	}
	var fd [4]byte
	binary.NativeEndian.PutUint32(fd[:], uint32(dir))
	stats, err := c.ask(c.family, cgroupstatsGet, cgroupstatsFD, fd[:], cgroupstatsStats)
	if err != nil {
		return n, err
	}
	if len(stats) < 8*nStates {
		return n, errShort
	}
	for i := range n {
		n[i] = binary.NativeEndian.Uint64(stats[8*i:])
	}
	return n, nil
}

func (c *cgroupstats) open() error {
	if c.family != 0 {
		return nil
	}
	if c.failed {
		return errors.ErrUnsupported
	}
	c.failed = true
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		return err
	}
	c.socket = fd
	id, err := c.ask(genlCtrl, ctrlGetFamily, ctrlFamilyName, []byte("TASKSTATS\x00"), ctrlFamilyID)
	if err == nil && len(id) < 2 {
		err = errShort
	}
	if err != nil {
		unix.Close(fd)
		return err
	}
	c.family, c.failed = binary.NativeEndian.Uint16(id), false
	return nil
}

// ask sends a request with one attribute and returns the attribute want of the reply, which the kernel
// has made when the request is sent.
func (c *cgroupstats) ask(family uint16, command, attribute byte, value []byte, want uint16) ([]byte, error) {
	c.seq++
	size := unix.SizeofNlMsghdr + genlHeader + unix.SizeofNlAttr + (len(value)+3)&^3
	b := c.buf[:size]
	clear(b)
	binary.NativeEndian.PutUint32(b, uint32(size))
	binary.NativeEndian.PutUint16(b[4:], family)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST)
	binary.NativeEndian.PutUint32(b[8:], c.seq)
	b[unix.SizeofNlMsghdr] = command // its version, which the kernel does not look at, stays 0
	a := b[unix.SizeofNlMsghdr+genlHeader:]
	binary.NativeEndian.PutUint16(a, uint16(unix.SizeofNlAttr+len(value)))
	binary.NativeEndian.PutUint16(a[2:], uint16(attribute))
	copy(a[unix.SizeofNlAttr:], value)
	if err := unix.Sendto(c.socket, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	for {
		n, _, err := unix.Recvfrom(c.socket, c.buf[:], unix.MSG_DONTWAIT)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		if reply, ok, err := parseNetlink(c.buf[:n], c.seq, want); ok {
			return reply, err
		}
	}
}

// parseNetlink returns the attribute want of a generic netlink message, or the error it carries. It
// reports false for a message that answers another request.
func parseNetlink(b []byte, seq uint32, want uint16) (value []byte, ok bool, err error) {
	if len(b) < unix.SizeofNlMsghdr+genlHeader {
		return nil, true, errShort
	}
	if binary.NativeEndian.Uint32(b[8:]) != seq {
		return nil, false, nil
	}
	if binary.NativeEndian.Uint16(b[4:]) == unix.NLMSG_ERROR {
		return nil, true, syscall.Errno(-int32(binary.NativeEndian.Uint32(b[unix.SizeofNlMsghdr:])))
	}
	for b = b[unix.SizeofNlMsghdr+genlHeader:]; len(b) >= unix.SizeofNlAttr; {
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.SizeofNlAttr || size > len(b) {
			return nil, true, errFormat
		}
		if binary.NativeEndian.Uint16(b[2:]) == want {
			return b[unix.SizeofNlAttr:size], true, nil
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return nil, true, errShort
}

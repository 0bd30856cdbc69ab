package kernelfs

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ends tells which of the processes that it watches have ended: it is an epoll instance on their pidfds. A process is
// watched until its pidfd is closed, and reported each time until then.
type ends struct{ epoll int }

func newEnds() (ends, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	return ends{fd}, os.NewSyscallError("epoll_create1", err)
}

// pidfdOpen returns a pidfd of the process pid. It is an error if pid is a thread that is not its process's first.
func pidfdOpen(pid int) (int, error) {
	fd, _, e := unix.RawSyscall(unix.SYS_PIDFD_OPEN, uintptr(pid), 0, 0)
	if e != 0 {
		return -1, e
	}
	return int(fd), nil
}

// watch has the end of pidfd's process reported as id.
func (w ends) watch(pidfd int, id uint64) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(id), Pad: int32(id >> 32)}
	_, _, e := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(w.epoll), unix.EPOLL_CTL_ADD, uintptr(pidfd), uintptr(unsafe.Pointer(&event)), 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

// maxEnds is how many processes are reported at a time.
const maxEnds = 8

// read appends to list the ids of watched processes that have ended, at most maxEnds. It costs one system call.
func (w ends) read(list []uint64) ([]uint64, error) {
	var events [maxEnds]unix.EpollEvent
	n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(w.epoll), uintptr(unsafe.Pointer(&events)), maxEnds, 0, 0, 0)
	if e != 0 {
		return list, e
	}
	for _, ev := range events[:n] {
		list = append(list, uint64(uint32(ev.Fd))|uint64(uint32(ev.Pad))<<32)
	}
	return list, nil
}

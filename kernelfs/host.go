package kernelfs

import (
	"errors"
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// host is what the machine's own kernel offers beyond an afero.Fs: descriptors kept open, links read
// without allocation, and the pid namespace's own knowledge of its init.
type host struct {
	proc   int      // descriptor of /proc
	cpus   *os.Root // /sys/devices/system/cpu
	deaths ends     // of inits

	stats   cgroupstats
	callers *callers
}

// The calls below are raw, as those of [File.preadAt] are and for the same reason: none of them waits for anything (what may, [Snapshot.patiently] reads), and
// the first ordinary one after a pause wakes the runtime's sysmon, which costs more than a container's first read.

// openAt opens path, below the directory dir if it is relative.
func openAt(dir int, path string) (int, error) {
	name, err := unix.BytePtrFromString(path)
	if err != nil {
		return -1, err
	}
	for {
		fd, _, e := unix.RawSyscall6(unix.SYS_OPENAT, uintptr(dir), uintptr(unsafe.Pointer(name)), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOCTTY, 0, 0, 0)
		switch e {
		case 0:
			return int(fd), nil
		case unix.EINTR:
			continue
		}
		return -1, e
	}
}

// closeFD closes; for what was only read there is nothing to be done about an error.
func closeFD(fd int) { _, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

func readFD(fd int, p []byte) (int, error) {
	for {
		n, _, e := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		switch e {
		case 0:
			return int(n), nil
		case unix.EINTR:
			continue
		}
		return 0, e
	}
}

// readHead reads the beginning of a file into p.
func readHead(path string, p []byte) (int, error) {
	fd, err := openAt(unix.AT_FDCWD, path)
	if err != nil {
		return 0, err
	}
	defer closeFD(fd)
	return readFD(fd, p)
}

// readOnce reads a file by open, read and close; os.File would offer it to the runtime's poller first.
func readOnce(path string) ([]byte, error) {
	fd, err := openAt(unix.AT_FDCWD, path)
	if err != nil {
		return nil, err
	}
	defer closeFD(fd)
	for data := make([]byte, 0, 1024); ; {
		n, err := readFD(fd, data[len(data):cap(data)])
		if err != nil {
			return nil, err
		}
		data = data[:len(data)+n]
		switch {
		case n == 0 || len(data) < cap(data) && whole(path):
			return data, nil
		case len(data) > maxFile:
			return nil, syscall.EFBIG
		case len(data) == cap(data):
			data = grow(data, len(data))
		}
	}
}

func newHost(maxOpen int) (*host, error) {
	fd, err := unix.Open("/proc", unix.O_DIRECTORY|unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, pathError("/proc", err)
	}
	cpus, err := os.OpenRoot(cpuDir)
	if err != nil {
		unix.Close(fd)
		return nil, pathError(cpuDir, err)
	}
	deaths, err := newEnds()
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd), cpus.Close())
	}
	callers, err := newCallers(maxOpen / 16)
	if err != nil {
		return nil, errors.Join(err, unix.Close(deaths.epoll), unix.Close(fd), cpus.Close())
	}
	return &host{proc: fd, cpus: cpus, deaths: deaths, callers: callers}, nil
}

// pread appends f's content to dst through the kept descriptor, opening it where there is none. A
// cgroup that was removed and made again under the same path answers ENODEV on the old descriptor:
// it is opened once more.
func (f *File) pread(dst []byte) ([]byte, error) {
	out, err := f.preadOnce(dst)
	if errors.Is(err, syscall.ENODEV) || errors.Is(err, syscall.ESRCH) {
		f.fs.open.drop(f)
		out, err = f.preadOnce(dst)
	}
	if err != nil {
		return dst, pathError(f.path, err)
	}
	return out, nil
}

func (f *File) preadOnce(dst []byte) ([]byte, error) {
	f.mu.RLock()
	for f.fd < 0 {
		f.mu.RUnlock()
		if err := f.reopen(); err != nil {
			return dst, err
		}
		f.mu.RLock()
	}
	defer f.mu.RUnlock()
	if !f.used.Load() {
		f.used.Store(true)
	}
	if !f.whole {
		// The kernel keeps one place in a file of many records for each descriptor: a reader who starts
		// again in between would have the other go on in a new rendering.
		f.turn.Lock()
		defer f.turn.Unlock()
	}
	start := len(dst)
	dst = grow(dst, int(f.size.Load())+64)
	for {
		spare := dst[len(dst):cap(dst)]
		n, err := f.preadAt(spare, int64(len(dst)-start))
		if err != 0 {
			return dst[:start], err
		}
		dst = dst[:len(dst)+n]
		if n == 0 || f.whole && n < len(spare) {
			break
		}
		if len(dst)-start > maxFile {
			return dst[:start], syscall.EFBIG
		}
		if n == len(spare) {
			if f.whole {
				dst = dst[:start] // what did not fit would come from another rendering
			}
			dst = grow(dst, 2*len(spare)+4096)
		}
	}
	if n := int32(len(dst) - start); n > f.size.Load() {
		f.size.Store(n)
	}
	return dst, nil
}

// grow returns b with room for at least n more bytes.
func grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	nb := make([]byte, len(b), max(2*cap(b), len(b)+n, 4096))
	copy(nb, b)
	return nb
}

// preadAt reads at most len(p) bytes at off.
//
// Raw: the kernel renders within microseconds, and the runtime is not told. It would wake its sysmon for
// an isolated read, and under load take the processor away whenever a read lasted 20 us. A file that
// was slow is read with the processor given up, see [Snapshot.Reset].
func (f *File) preadAt(p []byte, off int64) (int, syscall.Errno) {
	for {
		var n uintptr
		var e syscall.Errno
		if f.patience.Load() > 0 {
			f.patience.Add(-1)
			n, _, e = unix.Syscall6(unix.SYS_PREAD64, uintptr(f.fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), uintptr(off), 0, 0)
		} else {
			n, _, e = unix.RawSyscall6(unix.SYS_PREAD64, uintptr(f.fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), uintptr(off), 0, 0)
		}
		if e == syscall.EINTR {
			continue
		}
		if e != 0 {
			return 0, e
		}
		return int(n), 0
	}
}

func (f *File) reopen() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fd >= 0 {
		return nil
	}
	fd, err := openAt(unix.AT_FDCWD, f.path)
	if err != nil {
		return err
	}
	f.fd = fd
	f.used.Store(true)
	if g := f.fs.open.add(f); g != nil {
		// Another reader may be in g; it must not wait for a lock that this one holds.
		go g.shut()
	}
	return nil
}

// shut closes the descriptor when nobody reads from it.
func (f *File) shut() {
	f.mu.Lock()
	if f.fd >= 0 {
		closeFD(f.fd)
		f.fd = -1
	}
	f.mu.Unlock()
}

// nsGetTGIDFromPIDNS is NS_GET_TGID_FROM_PIDNS of include/uapi/linux/nsfs.h, since Linux 6.11: the
// caller's number of the process that has the given number in the namespace.
const nsGetTGIDFromPIDNS = 0x8004b707

// hold is what pins a namespace while it is remembered. Its inode number is handed out again as soon
// as the last reference is gone, so a number alone names nothing; a descriptor on it does.
type hold struct {
	ns    int // descriptor of the namespace
	pidfd int // of its init: says when it has died
}

// initOf returns the host's number of the init of pid's namespace, and a hold on the namespace, which
// has the inode number ns. It reports ErrUnsupported before Linux 6.11.
func (h *host) initOf(pid int, ns uint64) (int, *hold, error) {
	fd, err := openAt(h.proc, strconv.Itoa(pid)+"/ns/pid")
	if err != nil {
		return 0, nil, err
	}
	keep := &hold{ns: fd, pidfd: -1}
	var st unix.Statx_t
	var none byte
	_, _, e := unix.RawSyscall6(unix.SYS_STATX, uintptr(fd), uintptr(unsafe.Pointer(&none)), unix.AT_EMPTY_PATH, unix.STATX_INO, uintptr(unsafe.Pointer(&st)), 0)
	if e != 0 || st.Ino != ns {
		keep.close()
		return 0, nil, errGone // the number went to another process in between
	}
	tgid, _, e := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), nsGetTGIDFromPIDNS, 1)
	if e != 0 {
		if e == unix.ENOTTY || e == unix.EINVAL {
			return 0, keep, errors.ErrUnsupported
		}
		keep.close()
		return 0, nil, e
	}
	return int(tgid), keep, keep.watch(int(tgid))
}

// watch opens a pidfd on the namespace's init.
func (k *hold) watch(pid int) error {
	fd, err := pidfdOpen(pid)
	if err != nil {
		k.close()
		return err
	}
	k.pidfd = fd
	return nil
}

// expect has [FS.Died] report the death of the hold's init, until the hold is closed.
func (h *host) expect(k *hold, ns uint64) {
	// Without memory for it, it is forgotten later, as one of those not seen lately.
	_ = h.deaths.watch(k.pidfd, ns)
}

// Died appends to list the numbers of pinned pid namespaces whose init has ended and is still remembered: at most eight, and the
// others the next time. It costs one system call.
func (k *FS) Died(list []uint64) []uint64 {
	if k.host == nil {
		return list
	}
	list, _ = k.host.deaths.read(list) // it never waits; were it to fail, they would be forgotten later
	return list
}

// alive reports whether the namespace's init still runs.
func (k *hold) alive() bool {
	fd := unix.PollFd{Fd: int32(k.pidfd), Events: unix.POLLIN}
	var now unix.Timespec
	n, _, e := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&fd)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	return e != 0 || n == 0
}

func (k *hold) close() {
	if k == nil {
		return
	}
	closeFD(k.ns)
	if k.pidfd >= 0 {
		closeFD(k.pidfd)
	}
}

// GrowFDTable makes room for n descriptors at once. A threaded process that lets the table grow by
// doubling waits for an RCU grace period each time, seen as reads of 10 ms and more.
func GrowFDTable(n int) {
	fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, max(3, n-1))
	if err == nil {
		unix.Close(fd)
	}
}

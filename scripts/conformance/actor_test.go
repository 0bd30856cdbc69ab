//go:build integration

package conformance

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An actor is a process forked from the test that never execs: a task with a few pages of memory of its own. A Go program would
// bring threads and megabytes into a cgroup whose threads and megabytes are to be counted. Of the Go runtime it has the text
// alone, so everything below runs without growing its stack (nosplit), without allocation and without the race detector,
// by raw system calls.

// Orders an actor carries out.
const (
	orderStart   = iota + 1 // name, personality and user of the process
	orderAnon               // private anonymous memory
	orderShmem              // a file on tmpfs, written
	orderFile               // page cache of a file, by reading it
	orderMap                // the same, mapped
	orderDirty              // page cache of a file, by writing it
	orderRelease            // memory at an address
	orderPunch              // the end of shared memory
	orderForget             // page cache of a file
	orderRun                // the CPUs to burn from now on
	orderBlock              // state D, until the child this makes is killed
	orderNest               // fork another actor as the first of a new pid namespace below the present one
	orderRead               // from a disk, O_DIRECT
	orderWrite              // to a disk, O_DIRECT
)

const (
	page    = 4096
	scratch = 1 << 20 // largest request to a disk
	chunk   = 64 << 10
)

// mailbox is how the test talks to an actor. It lies in shared memory and holds no pointers.
type mailbox struct {
	orders uint32 // futex: how many were given
	done   uint32 // how many were carried out
	errno  uint32
	order  uint32

	size, count   int64   // count: of requests, or where what is given back begins
	addr          uintptr // of memory got, or the descriptor of a file on tmpfs
	user, system  int64   // thousandths of a CPU
	uid, personal uint32
	began         int64 // ns: when the present share began, by two clocks
	burnt         [2]int64
	cost          int64     // ns that orders took, but for what they set in motion
	text          [256]byte // a name or a path, with its NUL
}

// own is an actor's memory: a process has a copy of its own from its first write on.
var own struct {
	time unix.Timespec
	zero int32 // descriptor of /dev/zero, + 1
	sink byte
}

//go:nosplit
//go:norace
//go:noinline
func call(trap, a, b, c, d uintptr) (uintptr, unix.Errno) {
	r, _, errno := unix.RawSyscall6(trap, a, b, c, d, 0, 0)
	return r, errno
}

//go:nosplit
//go:norace
//go:noinline
func clock(id uintptr) int64 {
	call(unix.SYS_CLOCK_GETTIME, id, uintptr(unsafe.Pointer(&own.time)), 0, 0)
	return own.time.Sec*1e9 + own.time.Nsec
}

//go:nosplit
//go:norace
//go:noinline
func pause(ns int64) {
	own.time.Sec, own.time.Nsec = ns/1e9, ns%1e9
	call(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&own.time)), 0, 0, 0)
}

// live is an actor's life.
//
//go:nosplit
//go:norace
//go:noinline
func (a *arena) live(self int) {
	call(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0)
	call(unix.SYS_CLOSE_RANGE, 0, 1<<31-1, 0, 0)
	b := &a.boxes[self]
	var seen uint32
	for {
		if now := atomic.LoadUint32(&b.orders); now != seen {
			seen = now
			if b.order == orderNest {
				pid, errno := call(unix.SYS_CLONE, unix.CLONE_NEWPID|unix.CLONE_PARENT|uintptr(unix.SIGCHLD), 0, 0, 0)
				if pid == 0 && errno == 0 {
					call(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0)
					b, seen = &a.boxes[b.size], 0
					continue
				}
				b.errno = uint32(errno)
			} else {
				b.cost -= clock(unix.CLOCK_THREAD_CPUTIME_ID)
				b.errno = uint32(a.carryOut(b))
				b.cost += clock(unix.CLOCK_THREAD_CPUTIME_ID)
			}
			atomic.StoreUint32(&b.done, seen)
		}
		if b.user+b.system > 0 {
			a.burn(b)
		} else {
			call(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&b.orders)), 0 /* FUTEX_WAIT */, uintptr(seen), 0)
		}
	}
}

//go:nosplit
//go:norace
//go:noinline
func (a *arena) carryOut(b *mailbox) (errno unix.Errno) {
	switch b.order {
	case orderStart:
		return b.begin()
	case orderAnon:
		return b.allocate(unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, ^uintptr(0))
	case orderShmem:
		return a.shared(b)
	case orderPunch:
		_, errno = call(unix.SYS_FALLOCATE, b.addr, 3 /* FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE */, uintptr(b.count), uintptr(b.size))
		return errno
	case orderRelease:
		_, errno = call(unix.SYS_MUNMAP, b.addr+uintptr(b.count), uintptr(b.size), 0, 0)
		return errno
	case orderRun:
		b.burnt[0], b.burnt[1] = 0, 0
		b.began = clock(unix.CLOCK_MONOTONIC)
		return 0
	case orderBlock:
		if pid, errno := call(unix.SYS_CLONE, unix.CLONE_VFORK|uintptr(unix.SIGCHLD), 0, 0, 0); pid != 0 {
			return errno
		}
		call(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0)
		for {
			pause(3600e9)
		}
	}
	return a.fileOrder(b)
}

//go:nosplit
//go:norace
//go:noinline
func (b *mailbox) begin() (errno unix.Errno) {
	call(unix.SYS_PRCTL, unix.PR_SET_NAME, uintptr(unsafe.Pointer(&b.text[0])), 0, 0)
	if b.personal != 0 {
		call(unix.SYS_PERSONALITY, uintptr(b.personal), 0, 0, 0)
	}
	if b.uid != 0 {
		_, errno = call(unix.SYS_SETRESUID, uintptr(b.uid), uintptr(b.uid), uintptr(b.uid), 0)
		call(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0) // cleared with the uid
	}
	return errno
}

// shared fills a file of tmpfs, whose descriptor is its address.
//
//go:nosplit
//go:norace
//go:noinline
func (a *arena) shared(b *mailbox) unix.Errno {
	fd, errno := call(unix.SYS_MEMFD_CREATE, uintptr(unsafe.Pointer(&b.text[0])), unix.MFD_CLOEXEC, 0, 0)
	if errno != 0 {
		return errno
	}
	b.addr = fd
	return a.transfer(unix.SYS_PWRITE64, fd, b.size, chunk)
}

// allocate maps memory in small pages and touches all of it.
//
//go:nosplit
//go:norace
//go:noinline
func (b *mailbox) allocate(flags, fd uintptr) unix.Errno {
	prot := uintptr(unix.PROT_READ | unix.PROT_WRITE)
	if fd != ^uintptr(0) {
		prot = unix.PROT_READ
	}
	addr, _, errno := unix.RawSyscall6(unix.SYS_MMAP, 0, uintptr(b.size), prot, flags, fd, 0)
	if errno != 0 {
		return errno
	}
	b.addr = addr
	call(unix.SYS_MADVISE, addr, uintptr(b.size), unix.MADV_NOHUGEPAGE, 0)
	touch(addr, b.size, prot&unix.PROT_WRITE != 0)
	return 0
}

//go:nosplit
//go:norace
//go:noinline
func touch(addr uintptr, size int64, write bool) {
	mem := unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&addr))), size) // no pointer of Go's: mapped memory
	for i := int64(0); i < size; i += page {
		if write {
			mem[i] = byte(i>>12) | 1
		} else {
			own.sink += mem[i]
		}
	}
}

// fileOrder carries out the orders that open b.text.
//
//go:nosplit
//go:norace
//go:noinline
func (a *arena) fileOrder(b *mailbox) unix.Errno {
	flags := uintptr(unix.O_RDONLY)
	switch b.order {
	case orderDirty:
		flags = unix.O_WRONLY
	case orderRead:
		flags = unix.O_RDONLY | unix.O_DIRECT
	case orderWrite:
		flags = unix.O_WRONLY | unix.O_DIRECT
	}
	fd, errno := call(unix.SYS_OPENAT, ^uintptr(99) /* AT_FDCWD */, uintptr(unsafe.Pointer(&b.text[0])), flags|unix.O_CLOEXEC, 0)
	if errno != 0 {
		return errno
	}
	switch b.order {
	case orderMap:
		errno = b.allocate(unix.MAP_SHARED, fd)
	case orderForget:
		_, errno = call(unix.SYS_FADVISE64, fd, uintptr(b.count), uintptr(b.size), 4 /* POSIX_FADV_DONTNEED */)
	case orderFile:
		call(unix.SYS_FADVISE64, fd, 0, 0, 1 /* POSIX_FADV_RANDOM: no read-ahead, so no folios of 2 MiB */)
		errno = a.transfer(unix.SYS_PREAD64, fd, b.size, chunk)
	case orderDirty:
		errno = a.transfer(unix.SYS_PWRITE64, fd, b.size, chunk)
	case orderRead:
		errno = a.transfer(unix.SYS_PREAD64, fd, b.size, b.size/b.count)
	case orderWrite:
		errno = a.transfer(unix.SYS_PWRITE64, fd, b.size, b.size/b.count)
	}
	call(unix.SYS_CLOSE, fd, 0, 0, 0)
	return errno
}

// transfer reads or writes size bytes of a file from its start on, in requests of each bytes.
//
//go:nosplit
//go:norace
//go:noinline
func (a *arena) transfer(trap, fd uintptr, size, each int64) unix.Errno {
	for at := int64(0); at < size; at += each {
		n := each
		if at+n > size {
			n = size - at
		}
		got, errno := call(trap, fd, uintptr(unsafe.Pointer(a.scratch)), uintptr(n), uintptr(at))
		if errno != 0 {
			return errno
		}
		if int64(got) != n {
			return unix.EIO
		}
	}
	return 0
}

// burn spends a moment as b's share wants it: on user code, on system calls or asleep. What it could not have, for want of
// quota or because it was frozen, it does not make up for.
//
//go:nosplit
//go:norace
//go:noinline
func (a *arena) burn(b *mailbox) {
	share := b.user + b.system
	if share < 1000 {
		ran := clock(unix.CLOCK_MONOTONIC) - b.began
		due := ran/1000*share - b.burnt[0] - b.burnt[1]
		if due <= 0 {
			pause(2e6)
			return
		}
		if due > 100e6 {
			b.began += (due - 100e6) / share * 1000
		}
	}
	before := clock(unix.CLOCK_THREAD_CPUTIME_ID)
	kind := 0
	if b.burnt[0]*b.system > b.burnt[1]*b.user || b.user == 0 {
		kind = 1
		a.system()
	} else {
		spin()
	}
	b.burnt[kind] += clock(unix.CLOCK_THREAD_CPUTIME_ID) - before
}

// spin is long beside the system calls around it, and in registers: threads that wrote to one cache line took ten times as
// long, and went on for that much after they were told to stop.
//
//go:nosplit
//go:norace
//go:noinline
func spin() {
	for range 1_000_000 {
	}
}

// system has the kernel fill memory with zeros, much at a time: a virtual machine may account the switch to the kernel and
// back, a microsecond, as user time.
//
//go:nosplit
//go:norace
//go:noinline
func (a *arena) system() {
	if own.zero == 0 {
		fd, _ := call(unix.SYS_OPENAT, ^uintptr(99), uintptr(unsafe.Pointer(&a.zero[0])), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		own.zero = int32(fd) + 1
	}
	for range 8 {
		call(unix.SYS_READ, uintptr(own.zero-1), uintptr(unsafe.Pointer(a.scratch)), scratch, 0)
	}
}

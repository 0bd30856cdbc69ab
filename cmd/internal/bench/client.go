package bench

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A client is a process forked from the coordinator that never execs. Of the Go
// runtime it has only the text: no scheduler, no other thread, no garbage
// collector. So everything below runs without growing its stack (nosplit), without
// allocation, without writing a pointer to the heap and without the race
// detector; it makes raw system calls only. What it buys is a reader that costs what
// a C program costs: sysmon, which polls for about 1 ms whenever a goroutine waits
// in a system call, costs more than the daemon needs to answer.
//
// The price is the style of this file, and a program that cannot be linked when this
// package is compiled without optimization: its stack frames get too large. For a
// debugger, build with -gcflags='lxcfs/...=-N -l' -gcflags=lxcfs/cmd/internal/bench= .

// own is a client's memory: a process has its own copy of it from its first write
// on. On the stack it would not fit: the linker grants code that cannot grow
// its stack 800 bytes in all.
var own struct {
	content [128 << 10]byte
	kept    [maxFiles]int32 // descriptor + 1 of the files kept open
	stat    unix.Stat_t
	time    unix.Timespec
	mask    [16]uint64
	cpu     int64
}

// sys makes a system call with at most four arguments.
//
//go:nosplit
//go:norace
//go:noinline
func sys(trap, a, b, c, d uintptr) (uintptr, unix.Errno) {
	r, _, errno := unix.RawSyscall6(trap, a, b, c, d, 0, 0)
	return r, errno
}

//go:nosplit
//go:norace
//go:noinline
func closeAll() {
	sys(unix.SYS_CLOSE_RANGE, 0, 1<<31-1, 0, 0)
	for i := range own.kept {
		own.kept[i] = 0
	}
}

// serve is a client's life. The first client of a container forks the others, once
// the coordinator has moved it to its cgroup and given it its turn.
//
//go:nosplit
//go:norace
//go:noinline
func (a *arena) serve(self, crew uint32) {
	sys(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0)
	closeAll()
	await(&a.clients[self].turn)
	disk()
	for i := self + 1; i < self+crew; i++ {
		if pid, _ := sys(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0); pid == 0 {
			self = i
			break
		}
	}
	own.cpu = anyCPU
	for {
		await(&a.clients[self].turn)
		l := &a.lanes[a.clients[self].lane]
		if l.cpu != own.cpu {
			place(l.cpu)
		}
		if visit(l) {
			atomic.StoreUint32(&l.done, 1)
		} else {
			wake(&a.clients[a.clients[self].next].turn)
		}
	}
}

// exe is read by every container, as a file that is surely on a disk.
var exe = [...]byte{'/', 'p', 'r', 'o', 'c', '/', 's', 'e', 'l', 'f', '/', 'e', 'x', 'e', 0}

// disk reads a block past the page cache, a few times: the kernel counts it for a cgroup above where it
// has no memory at once for the container's own counters. A container that never used a device sees an
// empty /proc/diskstats.
//
//go:nosplit
//go:norace
//go:noinline
func disk() {
	const block = 4096
	at := unix.AT_FDCWD
	fd, errno := sys(unix.SYS_OPENAT, uintptr(at), uintptr(unsafe.Pointer(&exe)), unix.O_RDONLY|unix.O_DIRECT, 0)
	if errno != 0 {
		return // the file system cannot
	}
	start := uintptr(unsafe.Pointer(&own.content))
	for i := range uintptr(4) {
		sys(unix.SYS_PREAD64, fd, (start+block-1)&^(block-1), block, i*block)
	}
	sys(unix.SYS_CLOSE, fd, 0, 0, 0)
}

// visit is one turn: operations until the lane ends, or one when it walks on. It
// reports whether the lane has ended.
//
//go:nosplit
//go:norace
//go:noinline
func visit(l *lane) (last bool) {
	l.clientCPU -= now(unix.CLOCK_PROCESS_CPUTIME_ID)
	t := now(unix.CLOCK_MONOTONIC)
	if l.started == 0 {
		l.started = t
	}
	for !last {
		if l.form == Leave && l.left == 0 {
			pause(50e6) // seldom: 64 that look every millisecond whether they may end keep two CPUs busy
		} else if l.interval > 0 {
			pause(max(l.interval, 1e6))
			t = now(unix.CLOCK_MONOTONIC)
		}
		if l.left > 0 {
			// A walk over a multiple of the number of files would else bring each
			// container the same file for ever.
			errno := operate(l, (l.ops+l.ops/l.ring)%uint64(l.files))
			end := now(unix.CLOCK_MONOTONIC)
			l.latency.record(uint64(end - t))
			t = end
			l.ops++
			l.left--
			if errno != 0 {
				l.errors++
				if l.errno == 0 {
					l.errno = uint64(errno)
				}
			}
		}
		last = atomic.LoadUint32(&l.stop) != 0 || (l.left == 0 && l.form != Leave)
		if l.ring > 1 {
			break
		}
	}
	l.ended = t
	l.clientCPU += now(unix.CLOCK_PROCESS_CPUTIME_ID)
	if last {
		for i := range l.sample {
			l.sample[i] = own.content[i]
		}
	}
	if l.form == Pread || (last && l.form == Leave) {
		closeAll()
	}
	return last
}

// operate reads a file once. An empty content is an error, EIO, of a file that is
// never empty.
//
//go:nosplit
//go:norace
//go:noinline
func operate(l *lane, file uint64) unix.Errno {
	if l.form == Spin {
		for range 10_000 {
			l.bytes++
		}
		return 0
	}
	fd := uintptr(own.kept[file]) - 1
	if own.kept[file] == 0 {
		at := unix.AT_FDCWD
		var errno unix.Errno
		fd, errno = sys(unix.SYS_OPENAT, uintptr(at), uintptr(unsafe.Pointer(&l.path[file])), unix.O_RDONLY, 0)
		if errno != 0 {
			return errno
		}
	}
	switch l.form {
	case Leave:
		return 0
	case Pread:
		own.kept[file] = int32(fd) + 1
		n, errno := sys(unix.SYS_PREAD64, fd, uintptr(unsafe.Pointer(&own.content)), uintptr(len(own.content)), 0)
		return l.got(file, n, errno)
	case Cat:
		sys(unix.SYS_FSTAT, fd, uintptr(unsafe.Pointer(&own.stat)), 0, 0)
	}
	var total uintptr
	var errno unix.Errno
	for l.form != Open {
		size := uintptr(len(own.content))
		if l.form == Byte {
			size = 1
		}
		var n uintptr
		n, errno = sys(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&own.content)), size, 0)
		if errno != 0 {
			break
		}
		total += n
		if n == 0 || l.form == ORC {
			break
		}
	}
	sys(unix.SYS_CLOSE, fd, 0, 0, 0)
	if l.form == Open {
		return 0
	}
	return l.got(file, total, errno)
}

//go:nosplit
//go:norace
func (l *lane) got(file uint64, n uintptr, errno unix.Errno) unix.Errno {
	if errno != 0 {
		return errno
	}
	if n == 0 && l.hollow>>file&1 == 0 {
		return unix.EIO
	}
	l.bytes = uint64(n)
	return 0
}

//go:nosplit
//go:norace
//go:noinline
func await(turn *uint32) {
	for atomic.LoadUint32(turn) == 0 {
		sys(unix.SYS_FUTEX, uintptr(unsafe.Pointer(turn)), futexWait, 0, 0)
	}
	atomic.AddUint32(turn, ^uint32(0))
}

//go:nosplit
//go:norace
//go:noinline
func wake(turn *uint32) {
	atomic.AddUint32(turn, 1)
	sys(unix.SYS_FUTEX, uintptr(unsafe.Pointer(turn)), futexWake, 1, 0)
}

// futex(2) operations on memory shared between processes; x/sys/unix has no names
// for them.
const (
	futexWait = 0
	futexWake = 1
)

//go:nosplit
//go:norace
//go:noinline
func now(clock uintptr) int64 {
	sys(unix.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&own.time)), 0, 0)
	return own.time.Sec*1e9 + own.time.Nsec
}

//go:nosplit
//go:norace
//go:noinline
func pause(ns int64) {
	own.time.Sec, own.time.Nsec = ns/1e9, ns%1e9
	sys(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&own.time)), 0, 0, 0)
}

// place binds the calling process to a CPU, or to none: the kernel intersects a mask
// of all ones with what is allowed.
//
//go:nosplit
//go:norace
//go:noinline
func place(cpu int64) {
	own.cpu = cpu
	for i := range own.mask {
		own.mask[i] = 0
		if cpu == anyCPU {
			own.mask[i] = ^uint64(0)
		} else if int64(i) == cpu/64 {
			own.mask[i] = 1 << (uint64(cpu) % 64)
		}
	}
	sys(unix.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(own.mask), uintptr(unsafe.Pointer(&own.mask)), 0)
}

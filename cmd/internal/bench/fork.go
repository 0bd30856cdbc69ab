package bench

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// forker forks all clients from one thread that lives as long as they do: the
// parent whose death kills them (PR_SET_PDEATHSIG) is a thread, not a process.
type forker struct {
	arena *arena
	ask   chan [2]uint32
	reply chan forked
}

type forked struct {
	pid int
	err error
}

func newForker(a *arena) *forker {
	f := &forker{arena: a, ask: make(chan [2]uint32), reply: make(chan forked)}
	go func() {
		runtime.LockOSThread()
		for q := range f.ask {
			pid, err := f.arena.fork(q[0], q[1])
			f.reply <- forked{pid, err}
		}
	}()
	return f
}

// fork starts the client self as init of a new pid namespace; it will fork crew-1
// more when it gets its first turn. It returns init's pid in the caller's namespace.
func (f *forker) fork(self, crew uint32) (int, error) {
	f.ask <- [2]uint32{self, crew}
	r := <-f.reply
	return r.pid, r.err
}

func (f *forker) close() { close(f.ask) }

// The kernel's signal set has 64 bits.
func (a *arena) fork(self, crew uint32) (int, error) {
	// The child must never enter the runtime, not even for a signal.
	var all, before unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^uint64(0)
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &before); err != nil {
		return 0, fmt.Errorf("signal mask: %w", err)
	}
	pid, errno := a.clone(self, crew)
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil); err != nil {
		return 0, fmt.Errorf("signal mask: %w", err)
	}
	if errno != 0 {
		return 0, fmt.Errorf("clone into a new pid namespace: %w", errno)
	}
	return pid, nil
}

//go:noinline
//go:nosplit
//go:norace
func (a *arena) clone(self, crew uint32) (int, unix.Errno) {
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, unix.CLONE_NEWPID|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if pid == 0 && errno == 0 {
		a.serve(self, crew)
	}
	return int(pid), errno
}

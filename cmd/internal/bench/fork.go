package bench

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// forker starts all processes from one thread that lives as long as they shall: the
// parent whose death kills them (PR_SET_PDEATHSIG) is a thread, not a process.
type forker struct{ work chan func() }

func newForker() forker {
	f := forker{work: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for work := range f.work {
			work()
		}
	}()
	return f
}

// do runs work on the thread and waits for it.
func (f forker) do(work func() error) error {
	done := make(chan error)
	f.work <- func() { done <- work() }
	return <-done
}

func (f forker) close() { close(f.work) }

// fork starts the client self as init of a new pid namespace; it will fork crew-1
// more when it gets its first turn. It returns init's pid in the caller's namespace.
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

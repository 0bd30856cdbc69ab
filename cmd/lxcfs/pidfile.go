package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// pidfile is a file that holds this process's id and is locked for as long as the process lives. The lock is a POSIX one (fcntl(2), F_SETLK),
// as LXCFS's is: each sees the other's.
type pidfile struct {
	f *os.File
}

// pidfileEnv leaves the descriptor of the locked file to the program that takes this one's place by execve(2): the same process, so the lock stays
// its own.
const pidfileEnv = "LXCFS_PIDFILE"

// inheritPidfile returns the pidfile that the program before this one, in the same process, had locked; nil if there was none.
func inheritPidfile(path string) (*pidfile, error) {
	text, ok := os.LookupEnv(pidfileEnv)
	if !ok {
		return nil, nil
	}
	fd, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pidfileEnv, err)
	}
	p := &pidfile{os.NewFile(uintptr(fd), path)}
	// Before Linux 5.11 a process with several threads lost its locks by execve.
	return p, p.lock()
}

// bequeath names the descriptor in the environment and returns it.
func (p *pidfile) bequeath() []int {
	fd := int(p.f.Fd())
	os.Setenv(pidfileEnv, strconv.Itoa(fd))
	return []int{fd}
}

// lockPidfile creates path or takes over the one a dead process left, locks it and writes this process's id. If another process has it locked,
// the error says so and the file stays as it is.
func lockPidfile(path string) (*pidfile, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("pidfile: %w: make the directory first (mkdir -p %s)", err, filepath.Dir(path))
		}
		if err != nil {
			return nil, fmt.Errorf("pidfile: %w", err)
		}
		p := &pidfile{f}
		if err := p.lock(); err != nil {
			f.Close()
			return nil, err
		}
		// Its last owner may have unlinked it between the open and the lock.
		if !p.linked() {
			f.Close()
			continue
		}
		if err := p.write(); err != nil {
			return nil, errors.Join(err, p.remove())
		}
		return p, nil
	}
}

func (p *pidfile) lock() error {
	l := unix.Flock_t{Type: unix.F_WRLCK}
	err := unix.FcntlFlock(p.f.Fd(), unix.F_SETLK, &l)
	if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) {
		if err != nil {
			return fmt.Errorf("pidfile %s: lock: %w", p.f.Name(), err)
		}
		return nil
	}
	owner := ""
	l = unix.Flock_t{Type: unix.F_WRLCK}
	if unix.FcntlFlock(p.f.Fd(), unix.F_GETLK, &l) == nil && l.Type != unix.F_UNLCK && l.Pid > 0 {
		owner = fmt.Sprintf(" by process %d", l.Pid)
	}
	return fmt.Errorf("pidfile %s is already locked%s: stop that lxcfs, or give this one another --pidfile", p.f.Name(), owner)
}

func (p *pidfile) linked() bool {
	held, err := p.f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(p.f.Name())
	return err == nil && os.SameFile(held, named)
}

func (p *pidfile) write() error {
	if err := p.f.Truncate(0); err != nil {
		return fmt.Errorf("pidfile: %w", err)
	}
	if _, err := fmt.Fprintf(p.f, "%d\n", os.Getpid()); err != nil {
		return fmt.Errorf("pidfile: %w", err)
	}
	return nil
}

// remove unlinks the file, if it is still the one this process locked, and then gives up the lock.
func (p *pidfile) remove() error {
	var err error
	if p.linked() {
		err = os.Remove(p.f.Name())
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, p.f.Close())
}

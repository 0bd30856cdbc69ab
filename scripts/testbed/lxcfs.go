package testbed

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// LXCFS is a running, mounted lxcfs.
type LXCFS struct {
	Dir string // the mount point
	Bin string
	PID int

	base string
	cmd  *exec.Cmd
	log  *os.File
	done chan struct{}
}

// Mount starts "bin FLAGS -p PIDFILE DIR" and waits until DIR serves /proc/meminfo. It
// fails without root or /dev/fuse, or when the daemon ends; the error holds what the daemon
// wrote.
func Mount(bin string, flags ...string) (*LXCFS, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("the test bed needs root")
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		return nil, fmt.Errorf("the test bed needs FUSE: %w", err)
	}
	base, err := os.MkdirTemp("", "lxcfs-test-mount-")
	if err != nil {
		return nil, err
	}
	// A user namespace's root goes through it on its way to the mount.
	if err := os.Chmod(base, 0o755); err != nil {
		return nil, err
	}
	l := &LXCFS{Dir: filepath.Join(base, "lxcfs"), Bin: bin, base: base, done: make(chan struct{})}
	if err := os.Mkdir(l.Dir, 0o755); err != nil {
		return nil, err
	}
	if l.log, err = os.Create(filepath.Join(base, "log")); err != nil {
		return nil, err
	}
	args := append(flags, "-p", filepath.Join(base, "pid"), l.Dir)
	l.cmd = exec.Command(bin, args...)
	l.cmd.Stdout, l.cmd.Stderr = l.log, l.log
	// A daemon must not outlive a test that was killed.
	l.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := l.cmd.Start(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.note(true)
	l.PID = l.cmd.Process.Pid
	ended := false
	go func() {
		_ = l.cmd.Wait() // the log says more
		close(l.done)
	}()
	err = Await("mount of "+l.Dir, Patience(10*time.Second), func() bool {
		select {
		case <-l.done:
			ended = true
			return true
		default:
			return exists(filepath.Join(l.Dir, "proc/meminfo"))
		}
	})
	if ended {
		err = fmt.Errorf("%s %s: ended at once", bin, strings.Join(args, " "))
	}
	if err != nil {
		return nil, errors.Join(err, errors.New(l.Log()), l.Close())
	}
	return l, nil
}

// Log is what the daemon has written so far.
func (l *LXCFS) Log() string {
	b, err := os.ReadFile(filepath.Join(l.base, "log"))
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(b))
}

// Close ends the daemon, unmounts what it left mounted and removes its directory.
func (l *LXCFS) Close() error {
	l.note(false)
	return l.end()
}

func (l *LXCFS) end() error {
	var errs []error
	if l.cmd.Process != nil {
		_ = l.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-l.done:
		case <-time.After(Patience(10 * time.Second)):
			errs = append(errs, fmt.Errorf("%s: did not end on SIGTERM", l.Bin), l.cmd.Process.Kill())
			<-l.done
		}
	}
	// ENOTCONN or EINVAL: the daemon has unmounted it.
	_ = syscall.Unmount(l.Dir, syscall.MNT_DETACH)
	errs = append(errs, l.log.Close())
	for _, p := range []string{l.Dir, filepath.Join(l.base, "log"), filepath.Join(l.base, "pid"), l.base} {
		if err := os.Remove(p); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Binary is the lxcfs under test: $LXCFS_BIN, or ./cmd/lxcfs of this module built into dir.
func Binary(dir string) (string, error) {
	if bin := os.Getenv("LXCFS_BIN"); bin != "" {
		return bin, nil
	}
	bin := filepath.Join(dir, "lxcfs")
	build := exec.Command("go", "build", "-o", bin, "lxcfs/cmd/lxcfs")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build lxcfs/cmd/lxcfs: %w: %s", err, out)
	}
	return bin, nil
}

package keeper

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"lxcfs/fuse/conn"

	"golang.org/x/sys/unix"
)

// The names of our descriptors in systemd's store (sd_pid_notify_with_fds(3)). The mount point is part of the first.
const (
	storeFuse  = "lxcfs-fuse"
	storeState = "lxcfs-state"
)

// tell sends a state to systemd (sd_notify(3)) if it started us with Type=notify.
func (k *Keeper) tell(state string, fds ...int) error {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return nil
	}
	if name[0] == '@' {
		name = "\x00" + name[1:]
	}
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("notify socket: %w", err)
	}
	defer unix.Close(s)
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	// Not net.UnixConn: a connected one refuses to send descriptors with an address.
	if err := unix.Sendmsg(s, []byte(state), rights, &unix.SockaddrUnix{Name: name}, unix.MSG_NOSIGNAL); err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	return nil
}

// barrier waits until systemd has worked off what it was told.
func (k *Keeper) barrier() error {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("barrier: %w", err)
	}
	defer unix.Close(p[0])
	err := k.tell("BARRIER=1", p[1])
	unix.Close(p[1])
	if err != nil {
		return err
	}
	poll := []unix.PollFd{{Fd: int32(p[0]), Events: unix.POLLHUP}}
	for {
		switch n, err := unix.Poll(poll, 5000); {
		case err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("barrier: %w", err)
		case n == 0:
			return fmt.Errorf("systemd did not take the descriptors in 5 s")
		default:
			return nil
		}
	}
}

// storeFDs gives systemd the descriptors. FDPOLL=0 is a must: PID 1 would wake for every FUSE request otherwise.
func (k *Keeper) storeFDs() {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return
	}
	err := k.tell("FDSTORE=1\nFDPOLL=0\nFDNAME="+storeFuse, k.fuse)
	if err == nil {
		err = k.tell("FDSTORE=1\nFDPOLL=0\nFDNAME="+storeState, k.state)
	}
	if err == nil {
		err = k.barrier()
	}
	if err != nil {
		k.log.Warn("systemd does not keep the connection", "err", err)
		return
	}
	k.stored = true
}

// inform tells systemd what it can do without: the mount does not depend on it.
func (k *Keeper) inform(state string) {
	if err := k.tell(state); err != nil {
		k.log.Warn("systemd does not hear", "state", state, "err", err)
	}
}

// unstore takes the descriptors out of the store: a connection that is unmounted is worth nothing.
func (k *Keeper) unstore() {
	if k.stored {
		k.inform("FDSTOREREMOVE=1\nFDNAME=" + storeFuse)
		k.inform("FDSTOREREMOVE=1\nFDNAME=" + storeState)
	}
}

// ready tells systemd, once, that requests are being answered.
func (k *Keeper) ready() {
	if !k.notified {
		k.notified = true
		k.inform("READY=1\nSTATUS=serving " + k.dir)
	}
}

// reloading tells systemd that an upgrade has begun.
func (k *Keeper) reloading() {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // a clock every kernel has
	k.inform("RELOADING=1\nMONOTONIC_USEC=" + strconv.FormatInt(ts.Nano()/1000, 10))
}

// resumeStore goes on with the descriptors systemd kept (sd_listen_fds(3)).
func (k *Keeper) resumeStore() (bool, error) {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return false, nil
	}
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	n, _ := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	for _, v := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		os.Unsetenv(v)
	}
	for i := range n {
		fd := 3 + i
		unix.CloseOnExec(fd)
		if i >= len(names) {
			continue
		}
		switch names[i] {
		case storeFuse:
			k.fuse = fd
		case storeState:
			k.state = fd
		}
	}
	if k.fuse < 0 || k.state < 0 {
		return false, nil
	}
	k.stored = true
	dir, err := conn.Resume(k.o.Dir, k.fuse)
	if err != nil {
		k.log.Warn("the connection systemd kept is not used", "err", err)
		k.unstore()
		unix.Close(k.fuse)
		unix.Close(k.state)
		k.fuse, k.state, k.stored = -1, -1, false
		return false, nil
	}
	k.dir = dir
	return true, k.endOldWorker()
}

// endOldWorker kills a worker that outlived its keeper: two must not serve.
func (k *Keeper) endOldWorker() error {
	state, err := conn.OpenState(k.state)
	if err != nil {
		return nil // the workers will say what they think of it
	}
	defer func() { _ = state.Release() }() // the mapping; the memory is systemd's
	pid, start := state.Worker()
	if pid == 0 {
		return nil
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	if is, err := startTime(pid); err != nil || is != start {
		return nil
	}
	k.log.Warn("ending the worker of a former keeper", "pid", pid)
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && err != unix.ESRCH {
		return fmt.Errorf("worker %d of a former keeper: %w", pid, err)
	}
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		if n, err := unix.Poll(poll, 1000); err == nil && n > 0 {
			return nil
		}
	}
	return fmt.Errorf("worker %d of a former keeper does not die", pid)
}

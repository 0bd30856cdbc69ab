package keeper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"lxcfs/fuse/conn"

	"golang.org/x/sys/unix"
)

// keeperEnv names what a keeper leaves to the program that takes its place by execve: the descriptors of the connection, the
// state and the worker's control socket; the worker's pid and version; whether systemd has the descriptors; the
// mount point.
const keeperEnv = "LXCFS_KEEPER"

// upgrade replaces the worker by the program on disk, and then this process.
func (k *Keeper) upgrade(ctx context.Context) error {
	k.reloading()
	defer k.inform("READY=1")
	p, err := k.start()
	if err == nil {
		if err = p.hello(k.o.Deadline); err != nil {
			p.kill()
		}
	}
	if err != nil {
		err = fmt.Errorf("upgrade refused, the old worker goes on: %w", err)
		k.log.Error("upgrade", "err", err)
		return err
	}
	old := k.worker
	old.kill()
	k.log.Info("upgrade", "from", old.version, "to", p.version)
	if err := p.serve(conn.Killed); err != nil {
		p.kill()
		return errors.Join(err, k.next(ctx, conn.Killed))
	}
	k.worker = p
	if k.standby != nil {
		k.standby.kill()
		k.standby = nil
	}
	if !k.settled(p) {
		return errors.New("the new worker died: it is being started again")
	}
	if err := k.exec(); err != nil {
		k.log.Error("the keeper stays the old program", "err", err)
		return err
	}
	return nil
}

// settled waits until p serves, and reports whether it does.
func (k *Keeper) settled(p *process) bool {
	late := time.After(k.o.Deadline)
	for !p.serving {
		select {
		case m, ok := <-p.said:
			k.heard(m, ok)
		case <-p.dead:
			return false
		case <-late:
			return false
		}
	}
	return true
}

// exec replaces this process by the program on disk, which goes on as keeper. It returns only if that fails.
func (k *Keeper) exec() error {
	if k.standby != nil {
		k.standby.kill()
		k.standby = nil
	}
	fds := append([]int{k.fuse, k.state, k.worker.control}, k.o.Inherit...)
	for _, fd := range fds {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return fmt.Errorf("descriptor %d: %w", fd, err)
		}
	}
	text := strings.Join([]string{strconv.Itoa(k.fuse), strconv.Itoa(k.state), strconv.Itoa(k.worker.control),
		strconv.Itoa(k.worker.proc.Pid), strconv.FormatBool(k.stored), k.worker.version, k.dir}, "\x1f")
	// Their default, until the new program has its handlers, would be to end us.
	signal.Ignore(unix.SIGUSR1, unix.SIGUSR2, unix.SIGHUP)
	env := append(slices.Clone(os.Environ()), keeperEnv+"="+text)
	err := unix.Exec(k.o.Program, k.o.Args, env)
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
	return fmt.Errorf("exec %s: %w", k.o.Program, err)
}

// resumeExec goes on where the program that was this process left off.
func (k *Keeper) resumeExec() (bool, error) {
	text, ok := os.LookupEnv(keeperEnv)
	if !ok {
		return false, nil
	}
	os.Unsetenv(keeperEnv)
	f := strings.SplitN(text, "\x1f", 7)
	if len(f) != 7 {
		return false, fmt.Errorf("%s has %d fields", keeperEnv, len(f))
	}
	var n [4]int
	for i := range n {
		v, err := strconv.Atoi(f[i])
		if err != nil {
			return false, fmt.Errorf("%s: %w", keeperEnv, err)
		}
		n[i] = v
	}
	for _, fd := range append(n[:3:3], k.o.Inherit...) {
		unix.CloseOnExec(fd)
	}
	k.fuse, k.state, k.stored, k.dir = n[0], n[1], f[4] == "true", f[6]
	p, err := watch(n[3], n[2])
	if err != nil {
		return false, err
	}
	p.version, p.serving = f[5], true
	k.worker, k.notified = p, true
	k.log.Info("keeper is the new program", "version", k.o.Version, "worker", p.version)
	return true, nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"

	"lxcfs/core"
	"lxcfs/fuse"
	"lxcfs/kernelfs"
)

// serve mounts and answers until a signal or an unmount ends it.
func serve(c config, stderr io.Writer) (err error) {
	log := newLog(c, stderr)
	if c.pidfd {
		log.Info("--enable-pidfd is deprecated: pidfds are always used")
	}
	if c.cgroupTree {
		log.Info("--enable-cgroup is ignored: the cgroup tree is not served any more")
	}
	if os.Geteuid() != 0 {
		return errors.New("not root: mounting needs it; run lxcfs by sudo, or from its service")
	}
	// A signal that comes while starting must not leave a mount or a pidfile behind.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2)
	signal.Ignore(unix.SIGPIPE)

	pid, err := lockPidfile(c.pidfile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pid.remove()) }()

	files, err := kernelfs.Host(openFiles())
	if err != nil {
		return err
	}
	host, err := core.New(files, c.core(log))
	if err != nil {
		return err
	}
	server, err := fuse.Mount(c.mountpoint, host, fuse.Options{Log: log, PSIPoll: c.psiPoll})
	if err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(context.Background())
	var aside sync.WaitGroup
	aside.Go(func() { followLoad(ctx, host) })
	aside.Go(func() { obey(ctx, signals, host, server, stderr) })
	err = server.Serve()
	cancel()
	aside.Wait()
	return errors.Join(err, server.Close())
}

// openFiles returns how many kernel files may be kept open: half of what the process may open (Go raises the soft limit to the hard one), and no
// more than some 2,000 busy containers need.
func openFiles() int {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return 0
	}
	return int(min(l.Cur/2, 16384))
}

// core returns what containers see, as the flags have it.
func (c config) core(log *slog.Logger) core.Options {
	return core.Options{CFS: c.cfs, NoSwap: c.noSwap, NoZswap: c.noZswap, NoLoadavg: c.noLoadavg, PSIPoll: c.psiPoll, Log: log}
}

func newLog(c config, stderr io.Writer) *slog.Logger {
	level := slog.LevelInfo
	if c.debug {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
}

// obey does what signals ask for until ctx ends. The two messages of SIGUSR2 are LXCFS's, word for word.
func obey(ctx context.Context, signals <-chan os.Signal, host *core.Core, server *fuse.Server, stderr io.Writer) {
	for {
		var s os.Signal
		select {
		case <-ctx.Done():
			return
		case s = <-signals:
		}
		switch s {
		case unix.SIGUSR1:
			if err := host.Reload(); err != nil {
				fmt.Fprintf(stderr, "lxcfs: reload: %v; going on as before\n", err)
			}
		case unix.SIGUSR2:
			on := !host.Virtualized()
			host.Virtualize(on)
			if on {
				fmt.Fprintln(stderr, "Switched into virtualization mode")
			} else {
				fmt.Fprintln(stderr, "Switched into non-virtualization mode")
			}
		default:
			if err := server.Unmount(); err != nil {
				fmt.Fprintf(stderr, "lxcfs: unmount: %v\n", err)
			}
		}
	}
}

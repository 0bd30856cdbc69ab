package main

import (
	"context"
	"errors"
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

// serve mounts and answers in this one process until a signal or an unmount ends it.
func serve(c config, stderr io.Writer) (err error) {
	log := newLog(c, stderr)
	// A signal that comes while starting must not leave a mount or a pidfile behind.
	signals := catch(unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2)
	pid, err := lockPidfile(c.pidfile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pid.remove()) }()

	files, err := openHost()
	if err != nil {
		return err
	}
	host, err := core.New(files, c.core(log))
	if err != nil {
		return err
	}
	server, err := fuse.Mount(c.mountpoint, host, fuse.Options{Log: log, PSIPoll: c.view.PSIPoll})
	if err != nil {
		return err
	}
	return answer(host, server.Serve, server.Close, func(ctx context.Context) {
		each(ctx, signals, func(s os.Signal) {
			switch s {
			case unix.SIGUSR1:
				if err := host.Reload(); err != nil {
					log.Error("reload: going on as before", "err", err)
				}
			case unix.SIGUSR2:
				host.Virtualize(!host.Virtualized())
				sayVirtualized(stderr, host.Virtualized())
			default:
				if err := server.Unmount(); err != nil {
					log.Error("cannot unmount", "err", err)
				}
			}
		})
	})
}

// answer runs serve, and load averages and obey beside it, and returns when all three are done.
func answer(host *core.Core, serve, end func() error, obey func(context.Context)) error {
	ctx, cancel := context.WithCancel(context.Background())
	var aside sync.WaitGroup
	aside.Go(func() { followLoad(ctx, host) })
	aside.Go(func() { obey(ctx) })
	err := serve()
	cancel()
	aside.Wait()
	return errors.Join(err, end())
}

// catch has signals sent to the channel it returns. A closed standard error must not end the daemon.
func catch(signals ...os.Signal) <-chan os.Signal {
	signal.Ignore(unix.SIGPIPE)
	c := make(chan os.Signal, 8)
	signal.Notify(c, signals...)
	return c
}

// each calls obey for each signal until ctx ends.
func each(ctx context.Context, signals <-chan os.Signal, obey func(os.Signal)) {
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-signals:
			obey(s)
		}
	}
}

// sayVirtualized writes LXCFS's messages of SIGUSR2, word for word.
func sayVirtualized(stderr io.Writer, on bool) {
	if on {
		io.WriteString(stderr, "Switched into virtualization mode\n")
	} else {
		io.WriteString(stderr, "Switched into non-virtualization mode\n")
	}
}

// maxContainers is how many containers are remembered at a time, each with two descriptors.
const maxContainers = 8192

// core returns what containers see, as the flags have it.
func (c config) core(log *slog.Logger) core.Options {
	o := c.view
	o.Log = log
	o.MaxContainers = containers()
	return o
}

// openHost returns the machine's kernel files, with room for as many descriptors as there will be.
func openHost() (*kernelfs.FS, error) {
	go kernelfs.GrowFDTable(openFiles() + 2*containers()) // takes 10 ms, which a worker that follows a crash must not
	return kernelfs.Host(openFiles())
}

// containers returns how many containers are remembered: half of what the process may open.
func containers() int { return min(maxContainers, descriptors()/4) }

// openFiles returns how many kernel files may be kept open: a third of what the process may open, and no more than some 2,000 busy
// containers need.
func openFiles() int { return min(descriptors()/3, 16384) }

// descriptors returns how many descriptors this process may have. Go raises the soft limit to the hard one at start.
func descriptors() int {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return 1024
	}
	return int(min(l.Cur, 1<<20))
}

func newLog(c config, stderr io.Writer) *slog.Logger {
	level := slog.LevelInfo
	if c.debug {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
}

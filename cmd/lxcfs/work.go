package main

import (
	"context"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"lxcfs/cmd/internal/version"
	"lxcfs/core"
	"lxcfs/fuse"
	"lxcfs/fuse/conn"
	"lxcfs/fuse/keeper"
	"lxcfs/kernelfs"
)

// The keeper switches its workers' virtualisation by signals that say how it is to be, not that it is to change: one more or less
// does no harm.
const (
	workerOn  = unix.SIGUSR1
	workerOff = unix.SIGUSR2
)

// work serves the connection that a keeper holds, once the keeper says that nobody else does.
func work(w *keeper.Worker, c config, stderr io.Writer) error {
	log := newLog(c, stderr)
	signals := catch(workerOn, workerOff)
	off := os.Getenv(offEnv) != ""

	files, err := openHost()
	if err == nil {
		err = try(files, c.core(log))
	}
	cause, err := w.Hello(version.String(), err)
	if err != nil {
		return err
	}
	connection, err := w.Conn(conn.Options{Log: log, Writable: c.view.PSIPoll})
	if err != nil {
		return err
	}
	o := c.core(log)
	o.State = connection.State.History()
	host, err := core.New(files, o)
	if err != nil {
		return err
	}
	host.Virtualize(!off)
	server := fuse.New(connection, host, fuse.Options{Log: log, PSIPoll: c.view.PSIPoll})
	serve := func() error { return server.ServeAfter(cause) }
	return answer(host, serve, server.Close, func(ctx context.Context) {
		each(ctx, signals, func(s os.Signal) { host.Virtualize(s == workerOn) })
	})
}

// try renders every file with a history of its own: the real one may still be another worker's.
func try(files *kernelfs.FS, o core.Options) error {
	c, err := core.New(files, o)
	if err != nil {
		return err
	}
	return fuse.SelfTest(c)
}

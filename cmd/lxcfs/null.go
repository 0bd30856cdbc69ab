package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"lxcfs/core"
	"lxcfs/fuse"
)

// nullContent is as long as /proc/meminfo of a container.
var nullContent = append(bytes.Repeat([]byte("x"), 1474), '\n')

// serveNull mounts the tree of proc and cpu/online with one constant content, on the loop that serves the real one: what is left is the price
// of a FUSE round trip, below which no daemon can get.
func serveNull(c config, stderr io.Writer) error {
	log := newLog(c, stderr)
	signals := catch(unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	paths := []string{"sys/devices/system/cpu/online"}
	for _, f := range core.Files {
		paths = append(paths, f.Path)
	}
	server, err := fuse.MountNull(c.mountpoint, paths, nullContent, fuse.Options{Log: log})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go each(ctx, signals, func(os.Signal) {
		if err := server.Unmount(); err != nil {
			log.Error("cannot unmount", "err", err)
		}
	})
	return errors.Join(server.Serve(), server.Close())
}

// Lxcfs shows containers their own /proc and /sys/devices/system/cpu.
//
// It takes LXCFS's command line and mounts what LXCFS mounts; package core knows what the files say and package fuse how they are carried.
// What is left for this command are processes: flags, the pidfile, signals, and the clock that load averages need. There are two, of the same
// program: a keeper, which holds the mount and outlives all else, and a worker, which serves.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"lxcfs/cmd/internal/version"
	"lxcfs/fuse/keeper"
)

func main() {
	// First of all: it takes the connection's descriptors out of the way of others.
	worker, err := keeper.Inherited()
	if err != nil {
		fmt.Fprintf(os.Stderr, "lxcfs: %v\n", err)
		os.Exit(1)
	}
	// Getwd, which makes paths absolute, looks at $PWD (stat(2)). That may be our mount, which nobody serves before us.
	os.Unsetenv("PWD")
	os.Exit(run(os.Args[1:], worker, os.Stdout, os.Stderr))
}

// run is the command: it returns the exit status.
func run(args []string, worker *keeper.Worker, stdout, stderr io.Writer) int {
	c, err := parse(args)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "lxcfs: %v (see lxcfs --help)\n", err)
		return 1
	case c.help:
		fmt.Fprint(stdout, usage())
		return 0
	case c.version:
		fmt.Fprintf(stdout, "lxcfs %s\n", version.String())
		return 0
	case c.man:
		fmt.Fprint(stdout, manual(newFlags(new(config))))
		return 0
	}
	if err := daemon(c, worker, stderr); err != nil {
		fmt.Fprintf(stderr, "lxcfs: %v\n", err)
		return 1
	}
	return 0
}

// daemon is the command once it is to mount: the keeper, a worker that a keeper started, or both in one process.
func daemon(c config, worker *keeper.Worker, stderr io.Writer) error {
	smallPages()
	if worker != nil {
		return work(worker, c, stderr)
	}
	if os.Geteuid() != 0 {
		return errors.New("not root: mounting needs it; run lxcfs by sudo, or from its service")
	}
	if c.pidfd {
		fmt.Fprintln(stderr, "--enable-pidfd option is deprecated. This behavior is now default.")
	}
	if c.cgroupTree {
		fmt.Fprintln(stderr, "--enable-cgroup is ignored: the cgroup tree is not served any more.")
	}
	if c.null {
		return serveNull(c, stderr)
	}
	if c.noKeeper {
		return serve(c, stderr)
	}
	return hold(c, stderr)
}

// smallPages keeps this process and its children from huge pages (Documentation/admin-guide/mm/transhuge.rst). Where they are always on, as on
// Debian, one of 2 MiB backs a heap of some hundred kB, several times in a process; what the runtime took before main stays as it is. A kernel
// without them refuses, which does no harm.
func smallPages() { _ = unix.Prctl(unix.PR_SET_THP_DISABLE, 1, 0, 0, 0) }

func usage() string {
	return `Usage: lxcfs [FLAGS] MOUNTPOINT

Mounts a file system at MOUNTPOINT whose proc and sys/devices/system/cpu show
each container its own CPUs, memory, uptime, load and disks. Needs root.

Flags:
` + flagLines(newFlags(new(config))) + `
Signals: TERM, INT and HUP unmount and exit; USR1 hands the mount over to the
program now on disk; USR2 switches between containers' views and the host's.
`
}

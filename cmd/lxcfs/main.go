// Lxcfs shows containers their own /proc and /sys/devices/system/cpu.
//
// It takes LXCFS's command line and mounts what LXCFS mounts; package core knows what the files say and package fuse how they are carried.
// What is left for this command is a process: flags, the pidfile, signals, and the clock that load averages need.
package main

import (
	"fmt"
	"io"
	"os"

	"lxcfs/cmd/internal/version"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the command: it returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
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
	if err := serve(c, stderr); err != nil {
		fmt.Fprintf(stderr, "lxcfs: %v\n", err)
		return 1
	}
	return 0
}

func usage() string {
	return `Usage: lxcfs [FLAGS] MOUNTPOINT

Mounts a file system at MOUNTPOINT whose proc and sys/devices/system/cpu show
each container its own CPUs, memory, uptime, load and disks. Needs root.

Flags:
` + flagLines(newFlags(new(config))) + `
Signals: TERM, INT and HUP unmount and exit; USR1 looks at the cgroup
hierarchies anew; USR2 switches between containers' views and the host's.
`
}

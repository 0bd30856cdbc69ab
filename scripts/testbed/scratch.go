package testbed

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// mounted are the daemons that run, for who interrupts the tests.
var mounted struct {
	sync.Mutex
	all map[*LXCFS]bool
}

// note adds l to the daemons that run, or takes it out.
func (l *LXCFS) note(runs bool) {
	mounted.Lock()
	defer mounted.Unlock()
	if mounted.all == nil {
		mounted.all = map[*LXCFS]bool{}
	}
	if runs {
		mounted.all[l] = true
	} else {
		delete(mounted.all, l)
	}
}

// Scratch calls run, which runs a package's tests, and returns its status. Every temporary file goes into one directory
// meanwhile. It is removed at the end, and so is what [Mount] mounted; on SIGINT, SIGTERM and SIGHUP too, which
// end the process with the status 128 + signal, as a shell says it. Containers end by themselves.
func Scratch(run func() int) int {
	dir, err := os.MkdirTemp("", "lxcfs-test-")
	if err == nil {
		// A user namespace's root goes through it on its way to the mount.
		err = os.Chmod(dir, 0o755)
	}
	if err == nil {
		err = os.Setenv("TMPDIR", dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "test bed:", err)
		return 1
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		s := <-stop
		mounted.Lock() // for good: nothing is mounted any more
		for l := range mounted.all {
			_ = l.end() // it may be ending already
		}
		os.RemoveAll(dir)
		os.Exit(128 + int(s.(syscall.Signal)))
	}()
	status := run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, "test bed:", err)
		return 1
	}
	return status
}

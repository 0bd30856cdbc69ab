package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// startService starts the unit, with its log in a file.
func startService() (*daemon, error) {
	d := &daemon{dir: "/var/lib/lxcfs", log: "/run/lxcfs-chaos.log", pidfile: "/run/lxcfs.pid"}
	dropIn := "/run/systemd/system/" + *unit + ".service.d/chaos.conf"
	if err := os.MkdirAll(filepath.Dir(dropIn), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(dropIn, []byte("[Service]\nStandardError=append:"+d.log+"\n"), 0o644); err != nil {
		return nil, err
	}
	for _, args := range [][]string{{"daemon-reload"}, {"start", *unit}} {
		if out, err := exec.Command("systemctl", args...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("systemctl %v: %w: %s: %s", args, err, out, d.lastWords())
		}
	}
	return d, d.serves()
}

// systemctl reloads or restarts the service, unless that is being done; kills go on meanwhile.
func (d *daemon) systemctl() {
	if !d.busy.CompareAndSwap(false, true) {
		return
	}
	verb := []string{"reload", "restart"}[rand.IntN(2)]
	go func() {
		defer d.busy.Store(false)
		// It fails when a kill comes in between, and is asked for again.
		if exec.Command("systemctl", verb, *unit).Run() == nil && verb == "restart" {
			d.restarts.Add(1)
		}
	}()
}

func (d *daemon) stopService() {
	if out, err := exec.Command("systemctl", "stop", *unit).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "systemctl stop %s: %v: %s\n", *unit, err, out)
	}
	if err := unix.Unmount(d.dir, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
		fmt.Fprintln(os.Stderr, "unmount:", err)
	}
	os.RemoveAll("/run/systemd/system/" + *unit + ".service.d")
	os.Remove(d.log)
}

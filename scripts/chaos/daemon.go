package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// daemon is the lxcfs that is tormented.
type daemon struct {
	dir, log, pidfile string

	cmd *exec.Cmd // nil: a service

	read     int64        // bytes of the log that have been searched
	upgraded int          // upgrades found there
	restarts atomic.Int64 // systemctl restarts that succeeded
	busy     atomic.Bool  // a systemctl runs
}

func startDaemon() (*daemon, error) {
	if *unit != "" {
		return startService()
	}
	tmp, err := os.MkdirTemp("", "lxcfs-chaos-")
	if err != nil {
		return nil, err
	}
	d := &daemon{dir: tmp + "/mnt", log: tmp + "/log", pidfile: tmp + "/pid"}
	if err := os.Mkdir(d.dir, 0o755); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(d.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args := []string{"-p", d.pidfile, d.dir}
	if *standby {
		args = append([]string{"--standby"}, args...)
	}
	d.cmd = exec.Command(*program, args...)
	d.cmd.Stderr = log
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	return d, d.serves()
}

// serves waits until the mount answers.
func (d *daemon) serves() error {
	for range 1000 {
		time.Sleep(20 * time.Millisecond)
		if b, _ := os.ReadFile(d.dir + "/proc/uptime"); len(b) > 0 {
			if _, err := os.Stat(d.dir + "/sys"); err == nil {
				return nil
			}
		}
	}
	return fmt.Errorf("lxcfs does not serve: %s", d.lastWords())
}

// keeper returns the pid of the process that holds the mount, 0 while there is none.
func (d *daemon) keeper() int {
	text, _ := os.ReadFile(d.pidfile)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// workers returns the keeper's children.
func (d *daemon) workers() []int {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", d.keeper()))
	var pids []int
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for f := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(f); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// kill kills one of the keeper's children. Of a service it kills, one time in four, the keeper too.
func (d *daemon) kill() bool {
	keeper, pids := d.keeper(), d.workers()
	if len(pids) == 0 {
		return false
	}
	victims := []int{pids[rand.IntN(len(pids))]}
	if d.cmd == nil && rand.IntN(4) == 0 {
		victims = append([]int{keeper}, pids...)
	}
	killed := false
	for _, pid := range victims {
		killed = unix.Kill(pid, unix.SIGKILL) == nil || killed
	}
	return killed
}

// upgrade asks for an upgrade.
func (d *daemon) upgrade() {
	if d.cmd == nil {
		d.systemctl()
	} else if err := d.cmd.Process.Signal(unix.SIGUSR1); err != nil {
		fmt.Fprintln(os.Stderr, "upgrade:", err)
	}
}

// upgrades counts the upgrades that were done, by what the daemon logged.
func (d *daemon) upgrades() int {
	f, err := os.Open(d.log)
	if err != nil {
		return 0
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, d.read, 1<<40))
	if err != nil {
		return 0
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	d.read += int64(len(whole))
	d.upgraded += bytes.Count(whole, []byte("keeper is the new program"))
	return d.upgraded + int(d.restarts.Load())
}

// lastWords returns what the daemon's log says of its end.
func (d *daemon) lastWords() string {
	text, _ := os.ReadFile(d.log)
	end := max(0, len(text)-2000)
	for _, word := range []string{"panic:", "fatal error:"} {
		if i := strings.Index(string(text), word); i >= 0 {
			end = i
			break
		}
	}
	return string(text[end:min(len(text), end+2000)])
}

func (d *daemon) stop() {
	if d.cmd == nil {
		d.stopService()
		return
	}
	_ = d.cmd.Process.Signal(unix.SIGTERM) // it may have ended
	if err := d.cmd.Wait(); err != nil {
		fmt.Fprintln(os.Stderr, "lxcfs:", err)
	}
	os.RemoveAll(filepath.Dir(d.dir))
}

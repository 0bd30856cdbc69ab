package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// size is what a process takes; memory in kB. VmRSS is what a bound holds, but only what the process wrote is growth of its own:
// pages of its program come sixteen at a fault, and go when the kernel wants them, as in a small guest.
type size struct {
	resident, written int // VmRSS; RssAnon and RssShmem
	threads, fds      int
}

func (s size) String() string {
	return fmt.Sprintf("%d kB, %d of them written, %d threads, %d fds", s.resident, s.written, s.threads, s.fds)
}

// grewFrom says what has grown by more than a process of the same program may differ from another.
func (s size) grewFrom(o size) error {
	if s.written > o.written+moreMemory || s.threads > o.threads+moreThreads || s.fds > o.fds+moreFiles {
		return fmt.Errorf("grew from %v to %v", o, s)
	}
	return nil
}

// sizes are those of the keeper and of the worker that serves.
type sizes struct{ keeper, worker size }

// sizes waits for the worker to be alone, which it is unless it has a standby or is being replaced.
func (d *daemon) sizes() (sizes, error) {
	want := 1
	if *standby {
		want = 2
	}
	for range 500 {
		if pids := d.workers(); len(pids) == want {
			s := sizes{keeper: sizeOf(d.keeper())}
			for _, pid := range pids {
				if w := sizeOf(pid); w.written > s.worker.written {
					s.worker = w
				}
			}
			return s, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return sizes{}, fmt.Errorf("workers of %d: %v, want %d: %s", d.keeper(), d.workers(), want, d.lastWords())
}

func sizeOf(pid int) size {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	fds, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	status := func(name string) int { return int(field(string(text), name, 1)) }
	return size{status("VmRSS:"), status("RssAnon:") + status("RssShmem:"), status("Threads:"), len(fds)}
}

// goroutines counts those of a worker, which it costs its life: a Go program that gets SIGQUIT lists them and ends.
func (d *daemon) goroutines() (int, error) {
	before, err := os.ReadFile(d.log)
	if err != nil {
		return 0, err
	}
	pids := d.workers()
	if len(pids) == 0 {
		return 0, errors.New("no worker to count the goroutines of")
	}
	if err := unix.Kill(pids[0], unix.SIGQUIT); err != nil {
		return 0, err
	}
	for range 500 {
		text, err := os.ReadFile(d.log)
		if err != nil {
			return 0, err
		}
		said := text[len(before):]
		if bytes.Contains(said, []byte("worker died")) && bytes.Contains(said, []byte("msg=serving")) {
			return bytes.Count(said, []byte("\ngoroutine ")), nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return 0, fmt.Errorf("no worker after SIGQUIT: %s", d.lastWords())
}

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// tally is what a container's readers saw.
type tally struct {
	Ops       int
	Failed    int           // an error, or a content that is not what the file holds
	Wrong     int           // another container's or the host's
	Decreased int           // a counter that fell
	Hung      int           // readers that did not come back
	Worst     time.Duration // the longest open, read and close
	First     string        // what went wrong first
}

func (t *tally) add(o tally) {
	t.Ops, t.Failed, t.Wrong, t.Decreased, t.Hung = t.Ops+o.Ops, t.Failed+o.Failed, t.Wrong+o.Wrong, t.Decreased+o.Decreased, t.Hung+o.Hung
	t.Worst = max(t.Worst, o.Worst)
	if t.First == "" {
		t.First = o.First
	}
}

// served are the files bound over /proc and read in turn.
var served = []string{"meminfo", "stat", "uptime", "loadavg", "cpuinfo", "swaps", "diskstats"}

// contain is the first process of a container. With the first line it gets it binds the served files over /proc and begins to
// read; for each further one it reports what its readers have seen since the line before.
func contain(dir string, limit, threads int) error {
	in := bufio.NewScanner(os.Stdin)
	in.Scan() // when it is in its cgroups
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("proc: %w", err)
	}
	for _, name := range served {
		if err := unix.Mount(dir+"/proc/"+name, "/proc/"+name, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind %s: %w", name, err)
		}
	}
	readers := make([]*reader, threads)
	for i := range readers {
		readers[i] = &reader{limit: limit}
		go readers[i].run()
	}
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var sum tally
		for _, r := range readers {
			sum.add(r.take())
		}
		if err := out.Encode(sum); err != nil {
			return err
		}
	}
	return nil
}

// reader reads file after file on a thread of its own.
type reader struct {
	limit int // the container's memory.max in kB

	mu    sync.Mutex
	t     tally
	since time.Time // when the read in work began

	last map[string]float64 // counters, by name
}

// take returns what r has seen, and starts anew. A read that takes ten seconds hangs.
func (r *reader) take() tally {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.t
	r.t = tally{}
	if !r.since.IsZero() && time.Since(r.since) > 10*time.Second {
		t.Hung++
	}
	return t
}

func (r *reader) run() {
	runtime.LockOSThread()
	r.last = map[string]float64{}
	buf := make([]byte, 128<<10)
	for i := 0; ; i++ {
		name := served[i%len(served)]
		r.mu.Lock()
		r.since = time.Now()
		r.mu.Unlock()
		text, err := slurp("/proc/"+name, buf)
		r.mu.Lock()
		r.t.Worst = max(r.t.Worst, time.Since(r.since))
		r.since = time.Time{}
		r.t.Ops++
		if err != nil {
			r.fail(&r.t.Failed, "%s: %v", name, err)
		} else {
			r.check(name, text)
		}
		r.mu.Unlock()
		time.Sleep(200 * time.Microsecond)
	}
}

// slurp reads a file to its end, by plain system calls: nothing of the runtime's is timed.
func slurp(path string, buf []byte) (string, error) {
	fd, err := unix.Open(path, unix.O_RDONLY, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	n := 0
	for n < len(buf) {
		m, err := unix.Read(fd, buf[n:])
		if err != nil {
			return "", err
		}
		if m == 0 {
			break
		}
		n += m
	}
	return string(buf[:n]), nil
}

func (r *reader) fail(count *int, format string, args ...any) {
	*count++
	if r.t.First == "" {
		r.t.First = fmt.Sprintf(format, args...)
	}
}

// check holds one content against what the container is and what it read before.
func (r *reader) check(name, text string) {
	if text == "" || text[len(text)-1] != '\n' {
		r.fail(&r.t.Failed, "%s: ends in %.20q", name, text[max(0, len(text)-20):])
		return
	}
	switch name {
	case "meminfo":
		if got := field(text, "MemTotal:", 1); got != float64(r.limit) {
			r.fail(&r.t.Wrong, "meminfo: MemTotal %v, want %d", got, r.limit)
		}
		if strings.Count(text, "MemTotal:") != 1 {
			r.fail(&r.t.Failed, "meminfo: %q", text)
		}
	case "uptime":
		r.grows("uptime", field("up "+text, "up", 1))
	case "stat":
		for line := range strings.Lines(text) {
			f := strings.Fields(line)
			if !strings.HasPrefix(line, "cpu") || len(f) < 11 {
				continue
			}
			for i := 1; i < len(f); i++ {
				r.grows("stat "+f[0]+" "+strconv.Itoa(i), number(f[i]))
			}
		}
	case "cpuinfo":
		if !strings.Contains(text, "processor") {
			r.fail(&r.t.Failed, "cpuinfo: %.60q", text)
		}
	case "loadavg":
		if n := len(strings.Fields(text)); n != 5 {
			r.fail(&r.t.Failed, "loadavg: %q", text)
		}
	case "swaps":
		if !strings.HasPrefix(text, "Filename") {
			r.fail(&r.t.Failed, "swaps: %.60q", text)
		}
	}
}

// grows notes a counter that must not fall.
func (r *reader) grows(name string, v float64) {
	if last, ok := r.last[name]; ok && v < last {
		r.fail(&r.t.Decreased, "%s fell from %v to %v", name, last, v)
	}
	r.last[name] = v
}

// field returns the i-th field of the line that begins with label, -1 if there is none.
func field(text, label string, i int) float64 {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > i && f[0] == label {
			return number(f[i])
		}
	}
	return -1
}

func number(s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return -1
	}
	return v
}

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
	When      string        // which that was, and when it ended: the daemon's log has the rest
	First     string        // what went wrong first
}

func (t *tally) add(o tally) {
	t.Ops, t.Failed, t.Wrong, t.Decreased, t.Hung = t.Ops+o.Ops, t.Failed+o.Failed, t.Wrong+o.Wrong, t.Decreased+o.Decreased, t.Hung+o.Hung
	if o.Worst > t.Worst {
		t.Worst, t.When = o.Worst, o.When
	}
	if t.First == "" {
		t.First = o.First
	}
}

// bad is how much of it must not be.
func (t tally) bad() int { return t.Failed + t.Wrong + t.Decreased + t.Hung }

func (t tally) String() string {
	return fmt.Sprintf("%d reads, %d failed, %d wrong, %d decreasing, %d hung, worst %v (%s)",
		t.Ops, t.Failed, t.Wrong, t.Decreased, t.Hung, t.Worst.Round(10*time.Microsecond), t.When)
}

// served are the files bound over /proc and read in turn.
var served = []string{"meminfo", "stat", "uptime", "loadavg", "cpuinfo", "swaps", "diskstats"}

// contain is the first process of a container. With the first line it gets it binds the served files over /proc and begins to
// read; for each further one it reports what its readers have seen since the line before.
func contain(dir string, limit, threads int, patience time.Duration) error {
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
		end := time.Now().Add(patience)
		for _, r := range readers {
			sum.add(r.take(end))
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

	done int // reads that are finished

	last map[string]float64 // counters, by name
}

// take returns what r has seen, once a whole read has been begun and finished from now on, and starts anew.
func (r *reader) take(end time.Time) tally {
	r.mu.Lock()
	defer r.mu.Unlock()
	until := r.done + 1
	if !r.since.IsZero() {
		until++
	}
	for r.done < until && time.Now().Before(end) {
		r.mu.Unlock()
		time.Sleep(time.Millisecond)
		r.mu.Lock()
	}
	t := r.t
	r.t = tally{}
	if r.done < until {
		t.Hung++
		t.First = "a read does not end"
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
		if took := time.Since(r.since); took > r.t.Worst {
			r.t.Worst, r.t.When = took, name+" at "+time.Now().Format("15:04:05.000")
		}
		r.since = time.Time{}
		r.t.Ops++
		r.done++
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
	if text == "" && name == "diskstats" {
		return // a machine without disks
	}
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

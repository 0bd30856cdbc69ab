package kernelfs

import (
	"bytes"
	"iter"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Threads is a count of threads.
type Threads struct {
	Total, Running, Blocked int // all, in state R, in state D
	Last                    int // highest id
}

// Threads counts the threads in the cgroup and below it by tasks (v1) or cgroup.threads (v2), in the
// daemon's pid namespace; threads of another one's host read as 0 and are left out. At most maxGroups
// cgroups are visited, and past maxStates threads states are no longer asked for one by one.
func (cg *Cgroup) Threads(s *Snapshot, maxGroups, maxStates int) (t Threads) {
	list := "/tasks"
	if cg.Hierarchy.Version == 2 {
		list = "/cgroup.threads"
	}
	pending := []string{cg.Dir()}
	for visited := 0; len(pending) > 0 && visited < maxGroups; visited++ {
		dir := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		text, err := s.ReadPath(dir + list)
		if err != nil {
			continue // removed in the meantime
		}
		t.count(s, cg.Hierarchy, dir, text, maxStates)
		pending = s.below(dir, pending)
	}
	return t
}

// count adds the threads of one cgroup, whose list is text.
func (t *Threads) count(s *Snapshot, h *Hierarchy, dir string, text []byte, maxStates int) {
	before := t.Total
	for tid := range tids(text) {
		t.Total++
		t.Last = max(t.Last, tid)
	}
	if n := t.Total - before; n == 0 || s.statesOf(h, dir, n, t) {
		return
	}
	for tid := range tids(text) {
		if before++; before > maxStates {
			return
		}
		switch state, err := s.State(tid); {
		case err != nil: // it has ended
		case state == 'R':
			t.Running++
		case state == 'D':
			t.Blocked++
		}
	}
}

// tids yields the thread ids of a list, one a line.
func tids(text []byte) iter.Seq[int] {
	return func(yield func(int) bool) {
		for len(text) > 0 {
			var line []byte
			line, text = Line(text)
			if tid, _, ok := ParseUint(line); ok && tid > 0 && tid < 1<<31 && !yield(int(tid)) {
				return
			}
		}
	}
}

// statesOf adds how many of the n threads in a v1 cgroup are in state R or D as the kernel counts them
// itself, on the machine's own files. It reports false where it does not, or leaves some out: those that
// wait for something other than I/O and can be killed (TASK_KILLABLE, after vfork for one), those frozen
// and those traced.
func (s *Snapshot) statesOf(h *Hierarchy, dir string, n int, t *Threads) bool {
	if s.fs.host == nil || h.Version == 2 {
		return false
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	states, err := s.fs.host.stats.states(fd)
	if err != nil || states.sum() < uint64(n) {
		return false
	}
	t.Running += int(states[running])
	t.Blocked += int(states[uninterruptible] + states[ioWait])
	return true
}

// below appends the cgroups right below dir to list.
func (s *Snapshot) below(dir string, list []string) []string {
	if s.fs.host != nil {
		return subdirs(dir, list)
	}
	children, err := s.Dir(dir)
	if err != nil {
		return list
	}
	for _, fi := range children {
		if fi.IsDir() {
			list = append(list, dir+"/"+fi.Name())
		}
	}
	return list
}

// subdirs is below for the machine's own files, without asking for each file's attributes: a cgroup has
// a link for each cgroup below it and two of its own, so most need not be listed at all.
func subdirs(dir string, list []string) []string {
	var st unix.Stat_t
	if unix.Stat(dir, &st) != nil || st.Nlink == 2 {
		return list
	}
	children, err := os.ReadDir(dir)
	if err != nil {
		return list
	}
	for _, e := range children {
		if e.IsDir() {
			list = append(list, dir+"/"+e.Name())
		}
	}
	return list
}

// State returns the state letter of a thread, from /proc/PID/task/TID/status: R runs or waits for
// a CPU, D waits and cannot be interrupted. Its stat, a fifth cheaper, may never be answered, see [Snapshot.patiently].
func (s *Snapshot) State(tid int) (byte, error) {
	id := strconv.Itoa(tid)
	// The thread's own directory: /proc/TID is its whole thread group's.
	path := "/proc/" + id + "/task/" + id + "/status"
	var head [256]byte // Name, of at most 16 bytes, four when escaped, and Umask come before it
	text, err := s.fs.readHead(path, head[:])
	if err != nil {
		return 0, err
	}
	for len(text) > 0 {
		var line []byte
		line, text = Line(text)
		if rest, ok := bytes.CutPrefix(line, []byte("State:")); ok {
			if f, _ := Field(rest); len(f) == 1 {
				return f[0], nil
			}
			break
		}
	}
	return 0, &ParseError{path, 0, errShort}
}

package kernelfs

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Threads calls yield with the id of each thread in the cgroup and below it, in the daemon's pid
// namespace, from tasks (v1) or cgroup.threads (v2). At most limit cgroups are visited; it reports
// whether that was enough. Threads of another pid namespace's host read as 0 and are left out.
func (cg *Cgroup) Threads(s *Snapshot, limit int, yield func(tid int)) bool {
	list := "/tasks"
	if cg.Hierarchy.Version == 2 {
		list = "/cgroup.threads"
	}
	pending := []string{cg.Dir()}
	for visited := 0; len(pending) > 0; visited++ {
		if visited == limit {
			return false
		}
		dir := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		text, err := s.ReadPath(dir + list)
		if err != nil {
			continue // removed in the meantime
		}
		for len(text) > 0 {
			var line []byte
			line, text = Line(text)
			if tid, _, ok := ParseUint(line); ok && tid > 0 && tid < 1<<31 {
				yield(int(tid))
			}
		}
		pending = s.below(dir, pending)
	}
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

// Active returns how many threads in the cgroup and below it are in state R or D, as the kernel counts
// them itself. It reports false where it does not: on v2, and on files that are not the machine's own.
// At most limit cgroups are visited. (Threads that wait for something other than I/O and can be killed,
// TASK_KILLABLE, are not counted, though their state is D.)
func (cg *Cgroup) Active(s *Snapshot, limit int) (running, blocked int, ok bool) {
	h := s.fs.host
	if h == nil || cg.Hierarchy.Version == 2 {
		return 0, 0, false
	}
	pending := []string{cg.Dir()}
	for visited := 0; len(pending) > 0 && visited < limit; visited++ {
		dir := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			continue // removed in the meantime
		}
		r, b, err := h.stats.active(fd)
		unix.Close(fd)
		if err != nil {
			return 0, 0, false
		}
		running += r
		blocked += b
		pending = subdirs(dir, pending)
	}
	return running, blocked, true
}

// State returns the state letter of a thread, field 3 of /proc/PID/task/TID/stat: R runs or waits for
// a CPU, D waits and cannot be interrupted.
func (s *Snapshot) State(tid int) (byte, error) {
	id := strconv.Itoa(tid)
	// The thread's own directory: /proc/TID/stat adds up the times of the whole thread group.
	path := "/proc/" + id + "/task/" + id + "/stat"
	text, err := s.fs.readFile(path)
	if err != nil {
		return 0, err
	}
	_, text = cutComm(text)
	f, _ := Field(text)
	if len(f) != 1 {
		return 0, &ParseError{path, 1, errShort}
	}
	return f[0], nil
}

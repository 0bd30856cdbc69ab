package kernelfs

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// UserHZ is the unit of times in /proc, ticks per second: USER_HZ is 100 on every architecture that
// Go runs on, whatever the kernel's own HZ.
const UserHZ = 100

// Process is a task as /proc/PID shows it, remembered: the init of a container.
type Process struct {
	PID       int    // in the daemon's pid namespace
	Namespace uint64 // inode number of its pid namespace
	Start     uint64 // ticks after boot, /proc/PID/stat field 22; tells a reused PID apart

	fs     *FS
	cgroup *HostFile // /proc/PID/cgroup
	hold   *hold     // nil without a kernel that can pin a namespace
}

// parseNamespace reads the target of a /proc/PID/ns link, "pid:[4026531836]".
func parseNamespace(link []byte) (uint64, bool) {
	_, rest, ok := bytes.Cut(link, []byte{'['})
	if !ok {
		return 0, false
	}
	n, rest, ok := ParseUint(rest)
	return n, ok && len(rest) == 1 && rest[0] == ']' && n > 0
}

// Namespace returns the inode number of pid's pid namespace (pid_namespaces(7)).
func (s *Snapshot) Namespace(pid int) (uint64, error) {
	if h := s.fs.host; h != nil {
		ns, err := h.namespaceOf(pid)
		if err != nil {
			return 0, pathError("/proc/"+strconv.Itoa(pid)+"/ns/pid", err)
		}
		return ns, nil
	}
	link := "/proc/" + strconv.Itoa(pid) + "/ns/pid"
	target, err := s.Link(link)
	if err != nil {
		return 0, err
	}
	ns, ok := parseNamespace([]byte(target))
	if !ok {
		return 0, &ParseError{link, 0, errFormat}
	}
	return ns, nil
}

// OwnNamespace returns the inode number of the daemon's own pid namespace, 0 if unknown.
func (k *FS) OwnNamespace() uint64 { return k.own }

// Init returns the init of the pid namespace ns, which pid is in. Close it when it is forgotten.
// Linux says it itself since 6.11; before, the process whose NSpid ends in 1 is looked for, first
// among pid's ancestors, then among all.
func (s *Snapshot) Init(pid int, ns uint64) (*Process, error) {
	var keep *hold
	if h := s.fs.host; h != nil {
		init, hold, err := h.initOf(pid, ns)
		if err == nil {
			return s.remember(init, ns, hold)
		}
		if !errors.Is(err, errors.ErrUnsupported) {
			return nil, fmt.Errorf("pid namespace %d: %w", ns, pathError("/proc/"+strconv.Itoa(pid)+"/ns/pid", err))
		}
		keep = hold
	}
	init, ok := s.searchInit(pid, ns)
	if !ok {
		keep.close()
		return nil, fmt.Errorf("pid namespace %d: init: %w", ns, errGone)
	}
	if keep != nil {
		if err := keep.watch(init); err != nil {
			return nil, fmt.Errorf("pid namespace %d: init %d: %w", ns, init, errGone)
		}
	}
	return s.remember(init, ns, keep)
}

func (s *Snapshot) searchInit(pid int, ns uint64) (int, bool) {
	for at, steps := pid, 0; at > 1 && steps < 64; steps++ {
		init, parent := s.nspid(at)
		if init && s.inNamespace(at, ns) {
			return at, true
		}
		at = parent
	}
	procs, err := s.fs.readDir("/proc")
	if err != nil {
		return 0, false
	}
	own, _ := s.ReadPath("/proc/" + strconv.Itoa(pid) + "/cgroup")
	var others []int // asked last: their namespaces may not be told, see patiently
	for _, fi := range procs {
		at, err := strconv.Atoi(fi.Name())
		if err != nil {
			continue
		}
		if init, _ := s.nspid(at); !init {
			continue
		}
		if of, err := s.ReadPath("/proc/" + strconv.Itoa(at) + "/cgroup"); err != nil || !bytes.Equal(of, own) {
			others = append(others, at)
		} else if s.inNamespace(at, ns) {
			return at, true
		}
	}
	for _, at := range others {
		if s.inNamespace(at, ns) {
			return at, true
		}
	}
	return 0, false
}

// patiently is ReadPath for files about processes other than the caller. To see whether we may read stat and ns/*, the kernel takes
// exec_update_lock (ptrace_may_access, in kernels of 2026). A process in execve(2) holds that while what it opened with
// O_CLOEXEC is closed: for as long as it likes, if it is a file of a FUSE server of its own that does not answer
// FLUSH. By an ordinary system call, not a raw one, only this reader waits with it.
func (s *Snapshot) patiently(path string) ([]byte, error) {
	if r := s.find(path, ReadFile); r != nil {
		return r.Data, r.Err
	}
	data, err := s.fs.readPatiently(path)
	s.reads = append(s.reads, Reading{Path: path, Data: data, Err: err})
	return data, err
}

// inNamespace reports whether pid, which is not the caller, is in the pid namespace ns now. It asks patiently.
func (s *Snapshot) inNamespace(pid int, ns uint64) bool {
	link, err := s.fs.readlink("/proc/" + strconv.Itoa(pid) + "/ns/pid")
	n, ok := parseNamespace([]byte(link))
	return err == nil && ok && n == ns
}

// nspid reports from /proc/PID/status whether pid is number 1 in its own namespace, and its parent.
func (s *Snapshot) nspid(pid int) (init bool, parent int) {
	text, err := s.ReadPath("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return false, 0
	}
	for len(text) > 0 {
		var line []byte
		line, text = Line(text)
		if rest, ok := bytes.CutPrefix(line, []byte("PPid:")); ok {
			f, _ := Field(rest)
			n, _, _ := ParseUint(f)
			parent = int(n)
		}
		if rest, ok := bytes.CutPrefix(line, []byte("NSpid:")); ok {
			rest = bytes.TrimSpace(rest)
			last := rest[bytes.LastIndexByte(rest, '\t')+1:]
			return string(last) == "1", parent
		}
	}
	return false, parent
}

func (s *Snapshot) remember(pid int, ns uint64, keep *hold) (*Process, error) {
	p := &Process{PID: pid, Namespace: ns, fs: s.fs, hold: keep}
	p.cgroup = s.fs.cgroupFile(pid)
	var err error
	if p.Start, err = s.startTime(pid); err != nil {
		p.Close()
		return nil, err
	}
	// The pid may have changed hands while its pidfd was opened; nobody else's is in this namespace.
	if !s.inNamespace(pid, ns) {
		p.Close()
		return nil, fmt.Errorf("pid namespace %d: init %d: %w", ns, pid, errGone)
	}
	if keep != nil {
		s.fs.host.expect(keep, ns)
	}
	return p, nil
}

// Process returns pid itself, for callers that have no container.
func (s *Snapshot) Process(pid int) *Process {
	return &Process{PID: pid, fs: s.fs, cgroup: s.fs.cgroupFile(pid)}
}

// startTime returns field 22 of /proc/PID/stat. The second field, the command's name, may hold blanks
// and parentheses; it ends at the last parenthesis.
func (s *Snapshot) startTime(pid int) (uint64, error) {
	path := "/proc/" + strconv.Itoa(pid) + "/stat"
	text, err := s.patiently(path)
	if err != nil {
		return 0, err
	}
	_, text = cutComm(text)
	for range 19 {
		_, text = Field(text)
	}
	f, _ := Field(text)
	start, _, ok := ParseUint(f)
	if !ok {
		return 0, &ParseError{path, 1, errShort}
	}
	return start, nil
}

// cutComm returns what stands before and after a stat line's command name.
func cutComm(text []byte) (before, after []byte) {
	i := bytes.LastIndexByte(text, ')')
	if i < 0 {
		return text, nil
	}
	return text[:i], text[i+1:]
}

// Alive reports whether p still runs and is the process it was.
func (p *Process) Alive(s *Snapshot) bool {
	if p.hold != nil {
		return p.hold.alive()
	}
	start, err := s.startTime(p.PID)
	return err == nil && start == p.Start && s.inNamespace(p.PID, p.Namespace)
}

// Pinned reports whether p's namespace number cannot be handed out again while p is remembered. Then
// whoever is in the namespace proves that p lives, since a namespace dies with its init.
func (p *Process) Pinned() bool { return p.hold != nil }

// cgroupFile returns /proc/PID/cgroup. That a process was moved is seen after sharedFor at the latest: on v1 the kernel
// takes 4 to 5 us to print its cgroups, a fifth of the cost of a warm read, and with 100 containers, each of them read
// 100 times a second, keeping them for 10 ms left 15 % of the daemon's time to it.
func (k *FS) cgroupFile(pid int) *HostFile {
	f := &HostFile{File: k.File("/proc/" + strconv.Itoa(pid) + "/cgroup")}
	if k.host != nil {
		f.ttl = sharedFor
	}
	return f
}

// Cgroups returns the content of /proc/PID/cgroup, on the machine's own files at most 100 ms old.
func (p *Process) Cgroups(s *Snapshot) ([]byte, error) { return p.cgroup.Shared(s) }

// Find returns h's cgroup in text, what [Process.Cgroups] returned, with systemd's init.scope pruned:
// a container manager's limits are on the cgroup above it. It reports false if there is none.
func (h *Hierarchy) Find(text []byte) (path string, ok bool) {
	path, ok = h.find(text)
	if rest, cut := cutSuffix(path, "/init.scope"); cut {
		path = rest
	}
	return path, ok
}

func cutSuffix(path, suffix string) (string, bool) {
	if len(path) < len(suffix) || path[len(path)-len(suffix):] != suffix {
		return path, false
	}
	if path = path[:len(path)-len(suffix)]; path == "" {
		path = "/"
	}
	return path, true
}

// Close forgets the process.
func (p *Process) Close() {
	if p == nil {
		return
	}
	p.cgroup.Close()
	p.hold.close()
}

package kernelfs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Controller is a kernel resource controller under its cgroup v2 name; each is on one hierarchy only,
// so a host can have some on v1 and some on v2 (hybrid).
type Controller uint8

// The controllers that served files need.
const (
	CPU     Controller = iota // v1 cpu, v2 cpu
	CPUAcct                   // v1 cpuacct; v2: cpu.stat of any cgroup, no controller needed
	CPUSet                    // v1 cpuset, v2 cpuset
	Memory                    // v1 memory, v2 memory
	IO                        // v1 blkio, v2 io
	HugeTLB                   // v1 hugetlb, v2 hugetlb
	PSI                       // v2: *.pressure of any cgroup, no controller needed
	nControllers
)

// controllerNames are the names in v1's mount options and in v2's cgroup.controllers; "" means that
// every cgroup of the version has it, "-" that none has.
var controllerNames = [nControllers]struct{ v1, v2 string }{
	CPU:     {"cpu", "cpu"},
	CPUAcct: {"cpuacct", ""},
	CPUSet:  {"cpuset", "cpuset"},
	Memory:  {"memory", "memory"},
	IO:      {"blkio", "io"},
	HugeTLB: {"hugetlb", "hugetlb"},
	PSI:     {"-", ""},
}

func (c Controller) String() string {
	if c == PSI {
		return "pressure"
	}
	return controllerNames[c].v1
}

// Hierarchy is a mounted cgroup tree.
type Hierarchy struct {
	Version     int      // 1 or 2
	Mount       string   // where it is mounted
	Root        string   // the cgroup mounted there, "/" but inside a container
	Controllers []string // v1: mount options; v2: cgroup.controllers

	unlimited bool // v2: the mount shows the kernel's own root, whose limits nobody can set

	controllers // what the version's files say
	fs          *FS

	mu     sync.Mutex
	groups map[string]*Cgroup
}

// Detect finds the mounted cgroup hierarchies in /proc/self/mountinfo and gives each controller the
// one that has it: v1 where it is mounted as v1, else v2 where cgroup.controllers names it.
func (k *FS) Detect() error {
	const mountinfo = "/proc/self/mountinfo"
	text, err := k.readFile(mountinfo)
	if err != nil {
		return err
	}
	var found []*Hierarchy
	for n := 1; len(text) > 0; n++ {
		var line []byte
		line, text = Line(text)
		h, err := parseMount(string(line))
		if err != nil {
			return &ParseError{mountinfo, n, err}
		}
		if h == nil || slices.ContainsFunc(found, h.same) {
			continue
		}
		h.fs, h.groups = k, map[string]*Cgroup{}
		h.controllers = &v1{}
		if h.Version == 2 {
			h.controllers = v2{}
			list, err := k.readFile(h.Mount + "/cgroup.controllers")
			if err != nil {
				continue // a cgroup2 mount of another namespace, or hidden by a later mount
			}
			h.Controllers = strings.Fields(string(list))
			// Every cgroup but the root has a type (Documentation/admin-guide/cgroup-v2.rst).
			_, err = k.lstat(h.Mount + "/cgroup.type")
			h.unlimited = Missing(err)
		}
		found = append(found, h)
	}
	if len(found) == 0 {
		return fmt.Errorf("%s: no cgroup file system is mounted: mount one at /sys/fs/cgroup", mountinfo)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.mounted = found
	for c := range nControllers {
		k.byMember[c] = choose(found, c)
	}
	return nil
}

// same reports whether x shows the same tree: bind mounts repeat a hierarchy.
func (h *Hierarchy) same(x *Hierarchy) bool {
	return h.Version == x.Version && (h.Version == 2 || slices.Equal(h.Controllers, x.Controllers))
}

func choose(found []*Hierarchy, c Controller) *Hierarchy {
	names := controllerNames[c]
	for _, h := range found {
		if h.Version == 1 && slices.Contains(h.Controllers, names.v1) {
			return h
		}
	}
	for _, h := range found {
		if h.Version == 2 && (names.v2 == "" || slices.Contains(h.Controllers, names.v2)) {
			return h
		}
	}
	return nil
}

// parseMount returns the hierarchy that a line of mountinfo (proc_pid_mountinfo(5)) shows, nil for
// other file systems and for v1 hierarchies without a controller, which only name processes.
func parseMount(line string) (*Hierarchy, error) {
	if line == "" {
		return nil, nil
	}
	left, right, ok := strings.Cut(line, " - ")
	f := strings.Fields(left)
	g := strings.Fields(right)
	if !ok || len(f) < 6 || len(g) < 2 {
		return nil, errFormat
	}
	h := &Hierarchy{Root: unescape(f[3]), Mount: unescape(f[4])}
	switch g[0] {
	case "cgroup2":
		h.Version = 2
		return h, nil
	case "cgroup":
		h.Version = 1
	default:
		return nil, nil
	}
	for opt := range strings.SplitSeq(g[len(g)-1], ",") {
		for c := range nControllers {
			if opt == controllerNames[c].v1 {
				h.Controllers = append(h.Controllers, opt)
			}
		}
	}
	if h.Controllers == nil {
		return nil, nil
	}
	return h, nil
}

// unescape undoes the kernel's octal escapes of blanks, tabs, newlines and backslashes in paths.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// Hierarchy returns the hierarchy that has c, nil if none has.
func (k *FS) Hierarchy(c Controller) *Hierarchy {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.byMember[c]
}

// Hierarchies returns what [FS.Detect] found.
func (k *FS) Hierarchies() []*Hierarchy {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return slices.Clone(k.mounted)
}

// Layout names the host's arrangement: "legacy" (v1 only), "hybrid" (both) or "unified" (v2 only).
func (k *FS) Layout() string {
	var has [3]bool
	for _, h := range k.Hierarchies() {
		has[h.Version] = true
	}
	switch {
	case has[1] && has[2]:
		return "hybrid"
	case has[2]:
		return "unified"
	}
	return "legacy"
}

// find returns h's path in text, the content of a /proc/PID/cgroup (cgroups(7)), relative to where h
// is mounted. It reports false if there is none or it lies outside of what is mounted.
func (h *Hierarchy) find(text []byte) (string, bool) {
	for len(text) > 0 {
		var line []byte
		line, text = Line(text)
		_, line, ok := bytes.Cut(line, []byte{':'})
		names, cg, ok2 := bytes.Cut(line, []byte{':'})
		if !ok || !ok2 || !h.listed(names) {
			continue
		}
		return h.relative(string(cg))
	}
	return "", false
}

// listed reports whether names, the second field of a line, is this hierarchy's.
func (h *Hierarchy) listed(names []byte) bool {
	if h.Version == 2 {
		return len(names) == 0
	}
	for len(names) > 0 {
		var name []byte
		name, names, _ = bytes.Cut(names, []byte{','})
		if string(name) == h.Controllers[0] {
			return true
		}
	}
	return false
}

func (h *Hierarchy) relative(cg string) (string, bool) {
	cg = strings.TrimSuffix(cg, " (deleted)")
	if h.Root != "/" {
		// Inside a cgroup namespace the mount's root is printed as the host sees it, but paths as the
		// namespace sees them: those do not begin with the root.
		if rest, ok := strings.CutPrefix(cg, h.Root); ok && (rest == "" || rest[0] == '/') {
			cg = "/" + strings.TrimPrefix(rest, "/")
		}
	}
	// "/.." is what lies outside of the namespace, or of what is mounted.
	if !strings.HasPrefix(cg, "/") || cg == "/.." || strings.HasPrefix(cg, "/../") {
		return "", false
	}
	return cg, true
}

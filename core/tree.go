package core

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"syscall"

	"lxcfs/kernelfs"
)

// cpuTree is served as the host has it, with our files laid over it and without the directories of
// CPUs that the caller does not see.
const cpuTree = "sys/devices/system/cpu"

// Entry is one name of the served tree.
type Entry struct {
	Name string      // last element of Path
	Path string      // without leading slash; "" is the root
	Mode fs.FileMode // type and permissions
	CPU  int         // number of the CPU whose cpuN directory holds it, else -1
}

// dirs are the directories that are always there, with their entries in order.
var dirs = map[string][]string{
	"":                   {"proc", "sys"},
	"proc":               {"cpuinfo", "meminfo", "stat", "uptime", "diskstats", "swaps", "loadavg", "slabinfo", "pressure"},
	"proc/pressure":      {"io", "cpu", "memory"},
	"sys":                {"devices"},
	"sys/devices":        {"system"},
	"sys/devices/system": {"cpu"},
}

// Stat returns the entry at path as who sees it, or fs.ErrNotExist.
func (c *Core) Stat(who Caller, p string) (Entry, error) {
	if rel, ok := inCPUTree(p); ok {
		v := c.view(who)
		defer c.done(v)
		return c.statCPUTree(v, rel)
	}
	e := Entry{Name: path.Base(p), Path: p, CPU: -1}
	if dirs[p] != nil {
		e.Mode = fs.ModeDir | 0o555
		if p == "" || strings.HasPrefix(p, "sys") {
			e.Mode = fs.ModeDir | 0o755
		}
		return e, nil
	}
	f := rows[p]
	if f == nil {
		return Entry{}, fmt.Errorf("%s: %w", p, fs.ErrNotExist)
	}
	e.Mode = c.mode(f)
	return e, nil
}

// mode: the kernel lets everyone write triggers.
func (c *Core) mode(f *File) fs.FileMode {
	if f.pressure != 0 && c.opt.PSIPoll {
		return f.Mode | 0o222
	}
	return f.Mode
}

// List returns the names in dir as who sees them, without "." and "..".
func (c *Core) List(who Caller, dir string) ([]Entry, error) {
	if rel, ok := inCPUTree(dir); ok {
		v := c.view(who)
		defer c.done(v)
		return c.listCPUTree(v, rel)
	}
	names := dirs[dir]
	if names == nil {
		if rows[dir] != nil {
			return nil, fmt.Errorf("%s: %w", dir, syscall.ENOTDIR)
		}
		return nil, fmt.Errorf("%s: %w", dir, fs.ErrNotExist)
	}
	var list []Entry
	for _, name := range names {
		e, err := c.Stat(who, path.Join(dir, name))
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// Readlink returns the target of the symbolic link at path, as the host has it.
func (c *Core) Readlink(who Caller, p string) (string, error) {
	rel, ok := inCPUTree(p)
	if !ok {
		return "", fmt.Errorf("%s: %w", p, syscall.EINVAL)
	}
	v := c.view(who)
	defer c.done(v)
	if err := c.seesCPUTree(v, rel); err != nil {
		return "", err
	}
	return v.CPULink(rel)
}

// inCPUTree returns p relative to the CPU tree, "." for the tree itself.
func inCPUTree(p string) (rel string, ok bool) {
	rest, ok := strings.CutPrefix(p, cpuTree)
	switch {
	case !ok:
		return "", false
	case rest == "":
		return ".", true
	case rest[0] != '/':
		return "", false
	}
	return rest[1:], true
}

// cpuOf returns the number of the CPU whose directory rel is or lies in, -1 if none.
func cpuOf(rel string) int {
	name, _, _ := strings.Cut(rel, "/")
	digits, ok := strings.CutPrefix(name, "cpu")
	if !ok || digits == "" || len(digits) > 5 || len(digits) > 1 && digits[0] == '0' {
		return -1
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return -1
	}
	return int(n)
}

// seesCPUTree reports whether the caller may see rel: not what belongs to a CPU it does not have.
func (c *Core) seesCPUTree(v *View, rel string) error {
	cpu := cpuOf(rel)
	if cpu < 0 {
		return nil
	}
	m, err := c.caller(v)
	if err != nil {
		return err
	}
	if m != nil && !m.visible.Has(cpu) {
		return fmt.Errorf("%s/%s: %w", cpuTree, rel, fs.ErrNotExist)
	}
	return nil
}

// caller resolves who asks and returns its CPUs, nil if it sees the host's.
func (c *Core) caller(v *View) (*cpuModel, error) {
	if c.off.Load() {
		return nil, nil
	}
	err := c.resolve(v)
	if err == nil {
		var m *cpuModel
		if m, err = v.model(); err == nil {
			return m, nil
		}
	}
	if errors.Is(err, errHost) || kernelfs.Missing(err) {
		return nil, nil
	}
	return nil, err
}

func (c *Core) statCPUTree(v *View, rel string) (Entry, error) {
	if err := c.seesCPUTree(v, rel); err != nil {
		return Entry{}, err
	}
	fi, err := v.CPUStat(rel)
	if err != nil {
		return Entry{}, err
	}
	return c.cpuEntry(rel, fi)
}

func (c *Core) cpuEntry(rel string, fi fs.FileInfo) (Entry, error) {
	e := Entry{Name: path.Base(rel), Path: path.Join(cpuTree, rel), Mode: fi.Mode() & (fs.ModeType | fs.ModePerm), CPU: cpuOf(rel)}
	if rel == "." {
		e.Name = path.Base(cpuTree)
	}
	if f := rows[e.Path]; f != nil {
		e.Mode = f.Mode
	}
	switch e.Mode.Type() {
	case 0, fs.ModeDir, fs.ModeSymlink:
		return e, nil
	}
	return Entry{}, fmt.Errorf("%s: %w", e.Path, fs.ErrNotExist)
}

func (c *Core) listCPUTree(v *View, rel string) ([]Entry, error) {
	if err := c.seesCPUTree(v, rel); err != nil {
		return nil, err
	}
	list, err := v.CPUDir(rel)
	if err != nil {
		return nil, err
	}
	m, err := c.caller(v)
	if err != nil {
		return nil, err
	}
	var out []Entry
	for _, fi := range list {
		e, err := c.cpuEntry(path.Join(rel, fi.Name()), fi)
		if err != nil || rel == "." && e.CPU >= 0 && m != nil && !m.visible.Has(e.CPU) {
			continue
		}
		out = append(out, e)
	}
	return out, nil
}

// readCPUTree reads a file of the host's tree. Lists and masks of CPUs below cpuN/ name visible CPUs
// only.
func (c *Core) readCPUTree(v *View, p string, dst []byte) ([]byte, error) {
	rel, ok := inCPUTree(p)
	if !ok {
		return dst, fmt.Errorf("%s: %w", p, fs.ErrNotExist)
	}
	if c.off.Load() {
		return dst, syscall.EIO
	}
	if err := c.seesCPUTree(v, rel); err != nil {
		return dst, err
	}
	text, err := v.CPURead(rel)
	if err != nil {
		return dst, err
	}
	if v.why != nil {
		v.because("", "the host's /%s", p)
	}
	m, err := c.caller(v)
	if err != nil {
		return dst, err
	}
	if m == nil || cpuOf(rel) < 0 {
		return append(dst, text...), nil
	}
	return m.cut(path.Base(rel), p, text, dst)
}

// cut appends text, the content of the file called name, with the CPUs that are not visible left out
// of topology and cache lists (Documentation/admin-guide/cputopology.rst).
func (m *cpuModel) cut(name, p string, text, dst []byte) ([]byte, error) {
	switch {
	case strings.HasSuffix(name, "_list"):
		l, err := kernelfs.ParseCPUList(p, text, nil)
		if err != nil {
			return append(dst, text...), nil // a list, but not of CPUs
		}
		for n := range l.All() {
			if !m.visible.Has(n) {
				l.Remove(n)
			}
		}
		return append(l.AppendList(dst), '\n'), nil
	case strings.HasSuffix(name, "_siblings"), strings.HasSuffix(name, "_cpus"), name == "shared_cpu_map":
		start := len(dst)
		dst = append(dst, text...)
		if body := strings.TrimRight(string(text), "\n"); !m.visible.CutMask(dst[start:][:len(body)]) {
			copy(dst[start:], text)
		}
		return dst, nil
	}
	return append(dst, text...), nil
}

// renderCPUs renders cpu/online and cpu/present: "0-1,4".
func renderCPUs(v *View) error {
	m, err := v.model()
	if err != nil {
		return err
	}
	v.out = append(m.visible.AppendList(v.out), '\n')
	if v.why != nil {
		v.because("", "%s", m.why())
	}
	return nil
}

// renderPossible renders cpu/possible.
func renderPossible(v *View) error {
	m, err := v.model()
	if err != nil {
		return err
	}
	v.out = append(appendRange(v.out, m.possible), '\n')
	if v.why != nil {
		v.because("", "0 to the highest CPU of %s", m.why())
	}
	return nil
}

func appendRange(dst []byte, n int) []byte {
	dst = append(dst, '0')
	if n > 1 {
		dst = strconv.AppendInt(append(dst, '-'), int64(n-1), 10)
	}
	return dst
}

// renderOffline renders cpu/offline: an empty line where all possible CPUs are visible.
func renderOffline(v *View) error {
	m, err := v.model()
	if err != nil {
		return err
	}
	l := kernelfs.CPURange(m.possible)
	for n := range m.visible.All() {
		l.Remove(n)
	}
	v.out = append(l.AppendList(v.out), '\n')
	if v.why != nil {
		v.because("", "the possible CPUs that are not visible: %s", m.why())
	}
	return nil
}

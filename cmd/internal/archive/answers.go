package archive

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"lxcfs/core"
	"lxcfs/kernelfs"
)

// cpuTree is the served directory.
const cpuTree = "sys/devices/system/cpu"

// Answers returns everything that who is served: each file of core.Files, the listing of the CPU tree,
// and those files of the tree whose text is not the host's.
func Answers(c *core.Core, who core.Caller) ([]Entry, error) {
	list, err := Files(c, who)
	if err != nil {
		return nil, err
	}
	return tree(c, who, cpuTree, list)
}

// Files returns what who is served of core.Files.
func Files(c *core.Core, who core.Caller) ([]Entry, error) {
	var list []Entry
	for _, f := range core.Files {
		text, err := c.Read(who, f.Path, nil)
		e, err := entry(f.Path, text, err)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// entry makes an answer of what core returned. Errors without a number are not the kernel's and go on.
func entry(p string, text []byte, err error) (Entry, error) {
	if err == nil {
		return Entry{Path: p, Text: text}, nil
	}
	name, ok := Errno(err)
	if !ok {
		return Entry{}, err
	}
	return Entry{Path: p, Errno: name}, nil
}

// Errno returns the kernel's name of an error.
func Errno(err error) (name string, ok bool) {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return unix.ErrnoName(errno), true
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "ENOENT", true
	case errors.Is(err, fs.ErrPermission):
		return "EACCES", true
	}
	return "", false
}

// tree appends the answers of the directory dir of the CPU tree. Only what depends on who asks is
// walked: the tree itself and, below the directories of CPUs, topology and caches.
func tree(c *core.Core, who core.Caller, dir string, list []Entry) ([]Entry, error) {
	names, err := c.List(who, dir)
	if err != nil {
		e, err := entry(dir, nil, err)
		return append(list, e), err
	}
	if dir == cpuTree {
		list = append(list, listing(dir, names))
	}
	for _, e := range names {
		switch {
		case e.Mode&fs.ModeSymlink != 0:
			_, err = c.Readlink(who, e.Path)
		case e.Mode.IsDir() && depends(e.Path):
			list, err = tree(c, who, e.Path, list)
		case e.Mode.IsRegular():
			list, err = cut(c, who, e.Path, list)
		}
		if _, ok := Errno(err); err != nil && !ok {
			return nil, err
		}
	}
	return list, nil
}

func listing(dir string, names []core.Entry) Entry {
	var b bytes.Buffer
	for _, e := range names {
		b.WriteString(e.Name)
		if e.Mode.IsDir() {
			b.WriteByte('/')
		}
		b.WriteByte('\n')
	}
	return Entry{Path: dir, Dir: true, Text: b.Bytes()}
}

// depends reports whether what is in a directory of the CPU tree depends on which CPUs are visible.
func depends(dir string) bool {
	name := path.Base(dir)
	if n, ok := strings.CutPrefix(name, "cpu"); ok && path.Dir(dir) == cpuTree {
		return n != "" && strings.Trim(n, "0123456789") == ""
	}
	return name == "topology" || name == "cache" || strings.HasPrefix(name, "index")
}

func served(p string) bool {
	for _, f := range core.Files {
		if f.Path == p {
			return true
		}
	}
	return false
}

// cut appends a file's answer if it is not what a caller without a container gets, and not a row of
// core.Files, which has its answer already.
func cut(c *core.Core, who core.Caller, p string, list []Entry) ([]Entry, error) {
	text, err := c.Read(who, p, nil)
	if err != nil {
		return list, err
	}
	host, err := c.Read(core.Caller{UID: who.UID}, p, nil)
	if err != nil {
		return list, err
	}
	if served(p) || bytes.Equal(text, host) {
		return list, nil
	}
	return append(list, Entry{Path: p, Text: text}), nil
}

// Ask returns the answers of the host in a to its caller, with options beyond a's flags if o says so.
func (a *Archive) Ask(o core.Options) ([]Entry, error) {
	k, err := a.Kernel()
	if err != nil {
		return nil, err
	}
	c, err := New(kernelfs.New(k), o)
	if err != nil {
		return nil, err
	}
	return Answers(c, core.Caller{PID: a.Caller})
}

// New returns a core that answers for a few containers only, without the memory for thousands.
func New(k *kernelfs.FS, o core.Options) (*core.Core, error) {
	o.MaxContainers = 8
	return core.New(k, o)
}

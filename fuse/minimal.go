package fuse

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"strings"
	"syscall"

	"lxcfs/core"
	"lxcfs/fuse/conn"
)

// minimalLimit bounds the host file that the minimal mode answers with.
const minimalLimit = 1 << 20

// Minimal returns the handler for when no worker lives: it knows the names that workers were asked for, and answers with the
// host's file of that name, or EIO.
func Minimal(state *conn.State) conn.Handle {
	modes := map[string]fs.FileMode{"": fs.ModeDir | 0o755}
	var order []string
	for name, mode := range state.Names {
		modes[name] = fileMode(mode)
		order = append(order, name)
	}
	entry := func(name string) (core.Entry, error) {
		mode, ok := modes[name]
		if !ok {
			return core.Entry{}, fs.ErrNotExist
		}
		cpu, _ := cpuOf(name)
		return core.Entry{Name: path.Base(name), Path: name, Mode: mode, CPU: cpu}, nil
	}
	src := source{
		read:     func(_ core.Caller, name string, dst []byte) ([]byte, error) { return hostFile(name, dst) },
		stat:     func(_ core.Caller, name string) (core.Entry, error) { return entry(name) },
		readlink: func(_ core.Caller, name string) (string, error) { return os.Readlink("/" + name) },
		list: func(_ core.Caller, dir string) ([]core.Entry, error) {
			var entries []core.Entry
			for _, name := range order {
				if e, err := entry(name); err == nil && parent(name) == dir {
					entries = append(entries, e)
				}
			}
			return entries, nil
		},
		trigger:     func(core.Caller, string, []byte) (trigger, error) { return trigger{}, syscall.EIO },
		virtualized: func() bool { return true },
	}
	t := newTree(src, state.Generation(), state, slog.New(slog.DiscardHandler))
	return t.handle
}

// hostFile appends the host's file to dst.
func hostFile(name string, dst []byte) ([]byte, error) {
	if strings.Contains(name, "..") {
		return dst, fs.ErrInvalid
	}
	fd, err := syscall.Open("/"+name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return dst, err
	}
	defer syscall.Close(fd)
	b := make([]byte, 16<<10)
	for len(dst) < minimalLimit {
		n, err := syscall.Read(fd, b)
		if err != nil {
			return dst, err
		}
		if n == 0 {
			return dst, nil
		}
		dst = append(dst, b[:n]...)
	}
	return dst, io.ErrShortBuffer
}

func fileMode(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	switch mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		return m | fs.ModeDir
	case syscall.S_IFLNK:
		return m | fs.ModeSymlink
	}
	return m
}

// SelfTest reads every file that c lists below proc, as this process sees it: what a new worker does before it offers to
// serve.
func SelfTest(c *core.Core) error { return selfTest(coreSource(c), "proc") }

func selfTest(src source, dir string) error {
	who := core.Caller{PID: os.Getpid()}
	entries, err := src.list(who, dir)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return errors.New(dir + " is empty")
	}
	for _, e := range entries {
		if e.Mode.IsDir() {
			err = selfTest(src, e.Path)
		} else {
			_, err = src.read(who, e.Path, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

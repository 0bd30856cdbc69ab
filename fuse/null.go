package fuse

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"lxcfs/core"
	"lxcfs/fuse/conn"
)

// MountNull mounts, on our own loop, files that all hold the same content: the floor that a benchmark compares with. paths are
// theirs, without a leading slash.
func MountNull(dir string, paths []string, content []byte, o Options) (*Server, error) {
	cn, err := conn.Mount(dir, conn.Options{Log: o.Log})
	if err != nil {
		return nil, err
	}
	return newServer(cn, constant(paths, content), o), nil
}

// constant is a source of files with one content.
func constant(paths []string, content []byte) source {
	stat := func(_ core.Caller, p string) (core.Entry, error) {
		e := core.Entry{Name: path.Base(p), Path: p, CPU: -1}
		switch {
		case slices.Contains(paths, p):
			e.Mode = 0o444
		case p == "" || slices.ContainsFunc(paths, func(f string) bool { return strings.HasPrefix(f, p+"/") }):
			e.Mode = fs.ModeDir | 0o555
		default:
			return core.Entry{}, fs.ErrNotExist
		}
		return e, nil
	}
	return source{
		read: func(_ core.Caller, _ string, dst []byte) ([]byte, error) { return append(dst, content...), nil },
		stat: stat,
		list: func(who core.Caller, dir string) ([]core.Entry, error) {
			var entries []core.Entry
			for _, p := range paths {
				for ; p != ""; p = parent(p) {
					known := slices.ContainsFunc(entries, func(e core.Entry) bool { return e.Path == p })
					if e, err := stat(who, p); parent(p) == dir && !known && err == nil {
						entries = append(entries, e)
					}
				}
			}
			return entries, nil
		},
		readlink:    func(core.Caller, string) (string, error) { return "", fs.ErrInvalid },
		trigger:     func(core.Caller, string, []byte) (trigger, error) { return trigger{}, fs.ErrInvalid },
		virtualized: func() bool { return true },
	}
}

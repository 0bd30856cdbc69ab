package fakekernel

import (
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"

	"github.com/spf13/afero"
)

var (
	_ afero.Fs         = (*Kernel)(nil)
	_ afero.Lstater    = (*Kernel)(nil)
	_ afero.LinkReader = (*Kernel)(nil)
)

// Name returns "fakekernel".
func (k *Kernel) Name() string { return "fakekernel" }

// Open opens a file for reading.
func (k *Kernel) Open(name string) (afero.File, error) { return k.OpenFile(name, os.O_RDONLY, 0) }

// OpenFile opens a file. Writing is allowed to what a program may write: a pressure file takes a trigger (psi.rst).
func (k *Kernel) OpenFile(name string, flag int, _ os.FileMode) (afero.File, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	n, at, err := k.resolve(name, true)
	switch {
	case err != nil:
	case n.errno != 0:
		err = n.errno
	case flag&(os.O_WRONLY|os.O_RDWR) == 0:
	case n.mode.IsDir():
		err = syscall.EISDIR
	case n.write == nil:
		err = syscall.EACCES
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &file{k: k, name: name, at: at, n: n, writable: flag&(os.O_WRONLY|os.O_RDWR) != 0}, nil
}

// Stat returns what name is, links followed. Sys is a *syscall.Stat_t whose Ino of a cgroup directory is the cgroup id
// and of /proc/PID/ns/pid the namespace's number.
func (k *Kernel) Stat(name string) (os.FileInfo, error) {
	fi, err := k.stat(name, true)
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return fi, nil
}

// LstatIfPossible is Stat for a link itself.
func (k *Kernel) LstatIfPossible(name string) (os.FileInfo, bool, error) {
	fi, err := k.stat(name, false)
	if err != nil {
		return nil, true, &fs.PathError{Op: "lstat", Path: name, Err: err}
	}
	return fi, true, nil
}

func (k *Kernel) stat(name string, follow bool) (os.FileInfo, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	n, _, err := k.resolve(name, follow)
	if err != nil {
		return nil, err
	}
	switch n.errno {
	case 0, syscall.EACCES, syscall.EPERM, syscall.EIO, syscall.EINVAL, syscall.EOPNOTSUPP:
		return info{n}, nil
	}
	return nil, n.errno
}

// ReadlinkIfPossible returns the target of a symbolic link.
func (k *Kernel) ReadlinkIfPossible(name string) (string, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	n, _, err := k.resolve(name, false)
	switch {
	case err != nil:
	case n.errno != 0:
		err = n.errno
	case n.target == "":
		err = syscall.EINVAL
	default:
		return n.target, nil
	}
	return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
}

// ReadFile returns the content of a file, as a program that opens and reads it gets it.
func (k *Kernel) ReadFile(name string) ([]byte, error) {
	f, err := k.Open(name)
	if err != nil {
		return nil, err
	}
	b, err := f.(*file).content()
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return append([]byte(nil), b...), nil
}

func denied(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: syscall.EPERM} }

// Create, Mkdir and the other ways to change a file tree answer EPERM: the machine changes by verbs.
func (k *Kernel) Create(name string) (afero.File, error) { return nil, denied("open", name) }

// Mkdir answers EPERM.
func (k *Kernel) Mkdir(name string, _ os.FileMode) error { return denied("mkdir", name) }

// MkdirAll answers EPERM.
func (k *Kernel) MkdirAll(name string, _ os.FileMode) error { return denied("mkdir", name) }

// Remove answers EPERM; the verb is [Kernel.RemoveFile].
func (k *Kernel) Remove(name string) error { return denied("remove", name) }

// RemoveAll answers EPERM.
func (k *Kernel) RemoveAll(name string) error { return denied("remove", name) }

// Rename answers EPERM.
func (k *Kernel) Rename(name, _ string) error { return denied("rename", name) }

// Chmod answers EPERM.
func (k *Kernel) Chmod(name string, _ os.FileMode) error { return denied("chmod", name) }

// Chown answers EPERM.
func (k *Kernel) Chown(name string, _, _ int) error { return denied("chown", name) }

// Chtimes answers EPERM.
func (k *Kernel) Chtimes(name string, _, _ time.Time) error { return denied("chtimes", name) }

// list returns the entries of the directory n at path at, sorted. The caller holds the lock.
func (k *Kernel) list(n *node, at string) []string {
	var names []string
	if n.names != nil {
		names = n.names()
	}
	return k.raw.merge(at, names)
}

// entry is one of list's names as a FileInfo.
func (k *Kernel) entry(n *node, at, name string) os.FileInfo {
	c, err := k.step(n, path.Join(at, name), name)
	if err != nil {
		return nil
	}
	return info{c}
}

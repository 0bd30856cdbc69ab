package fakekernel

import (
	"io"
	"io/fs"
	"os"
	"path"
	"sync"
	"syscall"
)

// file is an open file. Its content is generated at the first read and again at each read at offset 0, as seq_file does; a
// read in a cgroup that was removed answers ENODEV, of a process that died ESRCH.
type file struct {
	k        *Kernel
	name, at string
	n        *node
	writable bool

	mu      sync.Mutex
	b       []byte
	loaded  bool
	off     int64
	dirs    []string
	listed  bool
	trigger *trigger
}

// content generates the file's text anew.
func (f *file) content() ([]byte, error) {
	k := f.k
	k.mu.RLock()
	defer k.mu.RUnlock()
	n := f.n
	if r := k.raw[f.at]; r != nil && r.kind != rawPath {
		if r.kind == rawGone {
			return nil, syscall.ENODEV
		}
		n = r.node(f.at)
	} else if n.gone != nil {
		if e := n.gone(); e != 0 {
			return nil, e
		}
	}
	switch {
	case n.errno != 0:
		return nil, n.errno
	case n.mode.IsDir():
		return nil, syscall.EISDIR
	case n.text == nil:
		return nil, syscall.EINVAL
	}
	f.b = n.text(f.b[:0])
	f.loaded = true
	return f.b, nil
}

func (f *file) fail(op string, err error) error { return &fs.PathError{Op: op, Path: f.name, Err: err} }

func (f *file) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.readAt(p, f.off)
	f.off += int64(n)
	return n, err
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.readAt(p, off)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (f *file) readAt(p []byte, off int64) (int, error) {
	if off == 0 || !f.loaded {
		if _, err := f.content(); err != nil {
			return 0, f.fail("read", err)
		}
	}
	if len(p) == 0 {
		return 0, nil
	}
	if off >= int64(len(f.b)) {
		return 0, io.EOF
	}
	return copy(p, f.b[off:]), nil
}

func (f *file) Seek(off int64, whence int) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		off += f.off
	case io.SeekEnd:
		return 0, f.fail("seek", syscall.EINVAL)
	}
	if off < 0 {
		return 0, f.fail("seek", syscall.EINVAL)
	}
	f.off = off
	return off, nil
}

func (f *file) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.writable || f.n.write == nil {
		return 0, f.fail("write", syscall.EBADF)
	}
	f.k.mu.Lock()
	defer f.k.mu.Unlock()
	if f.n.gone != nil {
		if e := f.n.gone(); e != 0 {
			return 0, f.fail("write", e)
		}
	}
	if err := f.n.write(f, string(p)); err != nil {
		return 0, f.fail("write", err)
	}
	return len(p), nil
}

func (f *file) WriteAt(p []byte, _ int64) (int, error) { return f.Write(p) }
func (f *file) WriteString(s string) (int, error)      { return f.Write([]byte(s)) }
func (f *file) Truncate(int64) error                   { return nil }
func (f *file) Sync() error                            { return nil }
func (f *file) Name() string                           { return f.name }
func (f *file) Stat() (os.FileInfo, error)             { return info{f.n}, nil }

// Fired receives a value when the pressure trigger written to this file fires; nil before one was written. It is the
// file-shaped twin of poll(2) answering POLLPRI.
func (f *file) Fired() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.trigger == nil {
		return nil
	}
	return f.trigger.fired
}

func (f *file) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.trigger != nil {
		f.k.mu.Lock()
		f.trigger.disarm()
		f.k.mu.Unlock()
		f.trigger = nil
	}
	return nil
}

func (f *file) Readdirnames(count int) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.n.mode.IsDir() {
		return nil, f.fail("readdir", syscall.ENOTDIR)
	}
	if !f.listed {
		f.k.mu.RLock()
		gone := syscall.Errno(0)
		if f.n.gone != nil {
			gone = f.n.gone()
		}
		if gone == 0 {
			f.dirs = f.k.list(f.n, f.at)
		}
		f.k.mu.RUnlock()
		if gone != 0 {
			return nil, f.fail("readdir", syscall.ENOENT)
		}
		f.listed = true
	}
	if count <= 0 || count > len(f.dirs) {
		if count > 0 && len(f.dirs) == 0 {
			return nil, io.EOF
		}
		count = len(f.dirs)
	}
	out := f.dirs[:count:count]
	f.dirs = f.dirs[count:]
	return out, nil
}

func (f *file) Readdir(count int) ([]os.FileInfo, error) {
	names, err := f.Readdirnames(count)
	if err != nil {
		return nil, err
	}
	f.k.mu.RLock()
	defer f.k.mu.RUnlock()
	infos := make([]os.FileInfo, 0, len(names))
	for _, name := range names {
		if fi := f.k.entry(f.n, f.at, path.Base(name)); fi != nil {
			infos = append(infos, fi)
		}
	}
	return infos, nil
}

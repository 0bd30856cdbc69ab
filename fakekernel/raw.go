package fakekernel

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// raw is the layer of files somebody wrote by hand, by absolute path. It lies over what the machine generates, and is all
// a captured host has.
type raw map[string]*rawFile

type rawFile struct {
	kind  rawKind
	text  []byte
	to    string
	errno syscall.Errno
	names map[string]bool // of a directory, or of anything with entries below it
}

type rawKind int

const (
	rawPath rawKind = iota // exists because something below it does
	rawText
	rawLink
	rawDir
	rawError
	rawGone
)

func newRaw() raw { return raw{"/": {kind: rawPath}} }

// put makes name what f says, and every directory above it.
func (r raw) put(name string, f *rawFile) {
	if old := r[name]; old != nil {
		f.names = old.names
	}
	r[name] = f
	for name != "/" {
		dir := path.Dir(name)
		d := r[dir]
		if d == nil || d.kind == rawGone {
			d = &rawFile{}
			r[dir] = d
		}
		if d.names == nil {
			d.names = map[string]bool{}
		}
		d.names[path.Base(name)] = true
		name = dir
	}
}

// drop forgets what was written at and below name: its directory is gone.
func (r raw) drop(name string) {
	f := r[name]
	if f == nil {
		return
	}
	for child := range f.names {
		r.drop(path.Join(name, child))
	}
	delete(r, name)
	if d := r[path.Dir(name)]; d != nil {
		delete(d.names, path.Base(name))
	}
}

// Write replaces the text of a file, or makes the file, whatever the machine would show there: a raw edit, for states no
// verb produces. Text without a final newline gets one.
func (k *Kernel) Write(name, text string) error {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return k.edit(name, &rawFile{kind: rawText, text: []byte(text)})
}

// Fail makes a path answer open, read and readlink with an error, named as in errno(3): EACCES, EIO, ENODEV. With the
// errno "0" the path is itself again. A path that is not there is refused: nothing would ever fail.
func (k *Kernel) Fail(name, errno string) error {
	if errno == "0" {
		k.mu.Lock()
		defer k.mu.Unlock()
		p, err := k.place(name)
		if err == nil {
			k.raw.drop(p)
		}
		return err
	}
	e, err := parseErrno(errno)
	if err != nil {
		return err
	}
	return k.edit(name, &rawFile{kind: rawError, errno: e})
}

// RemoveFile is the verb remove: it takes a path and everything below it out of the tree, as if that kernel did not have it.
// A path that is not there is refused.
func (k *Kernel) RemoveFile(name string) error {
	return k.edit(name, &rawFile{kind: rawGone})
}

func (k *Kernel) edit(name string, f *rawFile) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, err := k.place(name)
	if err != nil {
		return err
	}
	if f.kind != rawText {
		if _, _, err := k.resolve(p, false); err != nil {
			return fmt.Errorf("path %q: %w", name, err)
		}
	}
	if f.kind == rawGone {
		k.raw.drop(p)
	}
	k.raw.put(p, f)
	return nil
}

// place is the path a raw edit of name is kept under: links in its directories are followed, its last element is not.
func (k *Kernel) place(name string) (string, error) {
	if !strings.HasPrefix(name, "/") {
		return "", fmt.Errorf("path %q: want an absolute path", name)
	}
	name = path.Clean(name)
	if name == "/" {
		return "", fmt.Errorf("path %q: want a file", name)
	}
	if _, at, err := k.resolve(path.Dir(name), true); err == nil {
		return path.Join(at, path.Base(name)), nil
	}
	return name, nil
}

// node is what the raw file is seen as; under it, lookups of a path that only leads somewhere go on in the raw layer.
func (f *rawFile) node(name string) *node {
	n := &node{name: path.Base(name), mode: 0o444}
	switch f.kind {
	case rawText:
		n.text = func(b []byte) []byte { return append(b, f.text...) }
	case rawLink:
		n.mode, n.target = fs.ModeSymlink|0o777, f.to
		n.ino = nsInode(f.to)
	case rawDir, rawPath:
		n.mode = fs.ModeDir | 0o555
	case rawError:
		n.errno = f.errno
	}
	return n
}

// nsInode is the inode number in a link such as pid:[4026531836], else 0.
func nsInode(target string) uint64 {
	_, digits, ok := strings.Cut(target, ":[")
	if !ok {
		return 0
	}
	n, _ := strconv.ParseUint(strings.TrimSuffix(digits, "]"), 10, 64)
	return n
}

// merge returns the entries of dir with what was written over them, sorted.
func (r raw) merge(dir string, names []string) []string {
	f := r[dir]
	if f == nil || len(f.names) == 0 {
		slices.Sort(names)
		return names
	}
	out := names[:0:0]
	for _, n := range names {
		if !f.names[n] {
			out = append(out, n)
		}
	}
	for n := range f.names {
		switch c := r[path.Join(dir, n)]; {
		case c == nil:
		case c.kind == rawGone || c.kind == rawError && c.errno == syscall.ENOENT:
		case c.kind == rawPath && !slices.Contains(names, n) && len(c.names) == 0:
		default:
			out = append(out, n)
		}
	}
	slices.SortFunc(out, cmp.Compare)
	return out
}

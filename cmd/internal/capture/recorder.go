package capture

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/afero"
	"github.com/spf13/afero/mem"

	"lxcfs/cmd/internal/archive"
)

// recorder is a host's files as they were when each was first asked for. Whatever is rendered from it
// can be rendered again from what it has recorded, to the same bytes.
type recorder struct {
	afero.Fs // the host's; only what is overridden below is ever called

	mu    sync.Mutex
	files map[string]*record // read, by path
	links map[string]*record
	names map[string][]fs.FileInfo // directories listed
}

type record struct {
	text []byte // a link's target
	err  error
}

var (
	_ afero.Lstater    = (*recorder)(nil)
	_ afero.LinkReader = (*recorder)(nil)
)

func newRecorder(host afero.Fs) *recorder {
	return &recorder{Fs: host, files: map[string]*record{}, links: map[string]*record{}, names: map[string][]fs.FileInfo{}}
}

// maxFile bounds a file that is recorded: nothing longer would be of use in an archive.
const maxFile = 16 << 20

func (r *recorder) Open(name string) (afero.File, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if list, ok := r.names[name]; ok {
		return directory{handle(name, nil), list}, nil
	}
	rec := r.files[name]
	if rec == nil {
		list, data, err := read(r.Fs, name)
		if list != nil {
			r.names[name] = list
			return directory{handle(name, nil), list}, nil
		}
		rec = &record{data, err}
		r.files[name] = rec
	}
	if rec.err != nil {
		return nil, rec.err
	}
	return handle(name, rec.text), nil
}

// OpenFile is for reading only.
func (r *recorder) OpenFile(name string, flag int, _ fs.FileMode) (afero.File, error) {
	if flag&(os.O_WRONLY|os.O_RDWR) != 0 {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return r.Open(name)
}

// read returns the entries of a directory or the content of a file.
func read(host afero.Fs, name string) ([]fs.FileInfo, []byte, error) {
	f, err := host.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if fi, err := f.Stat(); err == nil && fi.IsDir() {
		list, err := f.Readdir(-1)
		if list == nil {
			list = []fs.FileInfo{}
		}
		return list, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	return nil, data, err
}

// handle is an open file with the given content.
func handle(name string, text []byte) afero.File {
	data := mem.CreateFile(name)
	// Writing to memory does not fail.
	_, _ = mem.NewFileHandle(data).Write(text)
	return mem.NewReadOnlyFileHandle(data)
}

// directory is an open directory.
type directory struct {
	afero.File
	list []fs.FileInfo
}

func (d directory) Readdir(int) ([]fs.FileInfo, error) { return d.list, nil }

func (r *recorder) ReadlinkIfPossible(name string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := r.links[name]
	if rec == nil {
		l, ok := r.Fs.(afero.LinkReader)
		if !ok {
			return "", &fs.PathError{Op: "readlink", Path: name, Err: afero.ErrNoReadlink}
		}
		target, err := l.ReadlinkIfPossible(name)
		rec = &record{[]byte(target), err}
		r.links[name] = rec
	}
	return string(rec.text), rec.err
}

func (r *recorder) LstatIfPossible(name string) (fs.FileInfo, bool, error) {
	if l, ok := r.Fs.(afero.Lstater); ok {
		return l.LstatIfPossible(name)
	}
	fi, err := r.Stat(name)
	return fi, false, err
}

// entries returns what was recorded as an archive holds it, ordered by path. Of a listed directory the
// archive shows the files and directories that were read too, and of the CPU tree, which is served as
// it is, all directories.
func (r *recorder) entries() ([]archive.Entry, error) {
	all := map[string]archive.Entry{}
	for p, rec := range r.links {
		e, err := rec.entry(p)
		if err != nil {
			return nil, err
		}
		e.Link, e.Text = string(e.Text), nil
		all[p] = e
	}
	for p, rec := range r.files {
		e, err := rec.entry(p)
		if err != nil {
			return nil, err
		}
		all[p] = e
	}
	for dir, list := range r.names {
		for _, fi := range list {
			p := path.Join(dir, fi.Name())
			if _, read := all[p]; !read && fi.IsDir() && strings.HasPrefix(dir, "/sys/devices/") {
				all[p] = archive.Entry{Path: p[1:], Dir: true}
			}
		}
	}
	return arrange(all), nil
}

func (rec *record) entry(p string) (archive.Entry, error) {
	e := archive.Entry{Path: p[1:], Text: rec.text}
	if rec.err == nil {
		return e, nil
	}
	name, ok := archive.Errno(rec.err)
	if !ok {
		return e, errors.New(p + ": " + rec.err.Error())
	}
	e.Errno, e.Text = name, nil
	return e, nil
}

// arrange orders entries by path and leaves out what goes without saying: a path that is not there, and
// a directory that another entry lies in.
func arrange(all map[string]archive.Entry) []archive.Entry {
	var list []archive.Entry
	paths := slices.Sorted(maps.Keys(all))
	for i, p := range paths {
		e := all[p]
		inside := slices.ContainsFunc(paths[i+1:min(i+2, len(paths))], func(next string) bool { return strings.HasPrefix(next, p+"/") })
		if e.Errno == "ENOENT" || e.Dir && inside {
			continue
		}
		list = append(list, e)
	}
	return list
}

package kernelfs

import (
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/afero"
	"golang.org/x/sys/unix"
	"golang.org/x/tools/txtar"
)

// tree is a file tree from a host archive: files, "a -> b" for links, "a ! ESRCH" for paths that
// answer with an error.
type tree struct {
	afero.Fs
	links map[string]string
	fails map[string]syscall.Errno
	opens map[string]int // how often each path was opened
}

// plant returns the tree that archive describes.
func plant(t testing.TB, archive string) *tree {
	t.Helper()
	tr := &tree{Fs: afero.NewMemMapFs(), links: map[string]string{}, fails: map[string]syscall.Errno{}, opens: map[string]int{}}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		name, errno, fails := strings.Cut("/"+f.Name, " ! ")
		link, target, isLink := strings.Cut(name, " -> ")
		switch {
		case fails:
			tr.fails[name] = errnoOf(t, errno)
			tr.write(t, name, "") // its directory exists
		case isLink:
			tr.links[link] = target
		case strings.HasSuffix(name, "/"):
			if err := tr.Fs.MkdirAll(name, 0o755); err != nil {
				t.Fatal(err)
			}
		default:
			tr.write(t, name, string(f.Data))
		}
	}
	return tr
}

func errnoOf(t testing.TB, name string) syscall.Errno {
	t.Helper()
	for e := range syscall.Errno(134) {
		if unix.ErrnoName(e) == name || name == "EOPNOTSUPP" && e == syscall.EOPNOTSUPP {
			return e
		}
	}
	t.Fatalf("no errno is called %q", name)
	return 0
}

func (tr *tree) write(t testing.TB, name, text string) {
	t.Helper()
	if err := afero.WriteFile(tr.Fs, name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (tr *tree) Open(name string) (afero.File, error) {
	tr.opens[name]++
	if e, ok := tr.fails[name]; ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: e}
	}
	return tr.Fs.Open(name)
}

func (tr *tree) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	if e, ok := tr.fails[name]; ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: e}
	}
	return tr.Fs.OpenFile(name, flag, perm)
}

func (tr *tree) LstatIfPossible(name string) (os.FileInfo, bool, error) {
	if target, ok := tr.links[name]; ok {
		return linkInfo{path.Base(name), len(target)}, true, nil
	}
	fi, err := tr.Stat(name)
	return fi, false, err
}

func (tr *tree) ReadlinkIfPossible(name string) (string, error) {
	if e, ok := tr.fails[name]; ok {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: e}
	}
	if target, ok := tr.links[name]; ok {
		return target, nil
	}
	return "", &fs.PathError{Op: "readlink", Path: name, Err: syscall.ENOENT}
}

// linkInfo is what lstat says of a symbolic link.
type linkInfo struct {
	name string
	size int
}

func (l linkInfo) Name() string     { return l.name }
func (l linkInfo) Size() int64      { return int64(l.size) }
func (linkInfo) Mode() fs.FileMode  { return fs.ModeSymlink | 0o777 }
func (linkInfo) ModTime() time.Time { return time.Time{} }
func (linkInfo) IsDir() bool        { return false }
func (linkInfo) Sys() any           { return nil }

// snapshot returns a pass over archive's files, its cgroup hierarchies found.
func snapshot(t testing.TB, archive string) *Snapshot {
	t.Helper()
	k := New(plant(t, archive))
	if err := k.Detect(); err != nil {
		t.Fatal(err)
	}
	return k.Snapshot()
}

// groupOf returns the cgroup at p in the hierarchy that has c.
func groupOf(t testing.TB, s *Snapshot, c Controller, p string) *Cgroup {
	t.Helper()
	h := s.FS().Hierarchy(c)
	if h == nil {
		t.Fatalf("no hierarchy has %v", c)
	}
	cg := h.Cgroup(p)
	t.Cleanup(cg.Release)
	return cg
}

// unified and legacy start an archive with the mounts of their layout.
const (
	unified = `
-- proc/self/mountinfo --
35 25 0:32 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
-- sys/fs/cgroup/cgroup.controllers --
cpuset cpu io memory hugetlb pids rdma misc
`
	legacy = `
-- proc/self/mountinfo --
31 21 0:29 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:30 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cpuset rw,cpuset,clone_children
33 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:33 / /sys/fs/cgroup/blkio rw,relatime - cgroup blkio rw,blkio
36 31 0:34 / /sys/fs/cgroup/memory rw,relatime - cgroup memory rw,memory
42 31 0:40 / /sys/fs/cgroup/hugetlb rw,relatime - cgroup hugetlb rw,hugetlb
45 31 0:43 / /sys/fs/cgroup/systemd rw,relatime - cgroup systemd rw,name=systemd
`
)

// errText returns err's text, "" for none.
func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

package fuse

import (
	"errors"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"time"

	"lxcfs/core"
	"lxcfs/fuse/conn"

	wire "github.com/hanwen/go-fuse/v2/fuse"
)

// source is what a tree shows: the methods of [core.Core] that the tree uses.
type source struct {
	read        func(core.Caller, string, []byte) ([]byte, error)
	stat        func(core.Caller, string) (core.Entry, error)
	list        func(core.Caller, string) ([]core.Entry, error)
	readlink    func(core.Caller, string) (string, error)
	trigger     func(core.Caller, string, []byte) (trigger, error)
	virtualized func() bool
	flow        func(pid uint32) uint64 // see [conn.Conn]; nil: everybody's own
}

func coreSource(c *core.Core) source {
	arm := func(who core.Caller, path string, text []byte) (trigger, error) {
		t, err := c.Trigger(who, path, text)
		if err != nil {
			return trigger{}, err
		}
		return trigger{t.FD(), t.Close}, nil
	}
	flow := func(pid uint32) uint64 { return c.Namespace(int(pid)) }
	return source{c.Read, c.Stat, c.List, c.Readlink, arm, c.Virtualized, flow}
}

// How long the kernel may keep a name and its attributes. Our files are always there. What we mirror comes and goes with the
// host's CPUs. The attributes of what is in a cpuN depend on who asks, so they are always asked for, which lets the name
// be kept: were it asked for too, one container's ENOENT would take it from under another's mounts.
const (
	validity       = time.Hour
	mirrorValidity = time.Second
)

// walkPause is the least time between two walks of the tree for an id that nobody knows: ids come from the kernel only,
// so a second unknown one at once is noise.
const walkPause = time.Second

// tree answers requests about names, attributes and content from a source.
type tree struct {
	src      source
	names    *names
	files    *files
	triggers *triggers // nil: triggers are not served
	born     time.Time // what the files' times say
	log      *slog.Logger
	rest     conn.Handle // answers what handle does not

	walkMu   sync.Mutex
	nextWalk time.Time
}

func newTree(src source, generation uint64, state *conn.State, log *slog.Logger) *tree {
	t := &tree{src: src, names: newNames(state), files: newFiles(generation, state), born: time.Now(), log: log}
	t.rest = protocolHandle(t)
	return t
}

func callerOf(h *wire.InHeader) core.Caller { return core.Caller{PID: int(h.Pid), UID: h.Uid} }

// node returns the node of id. An id from before a restart that nobody has looked up since is found by walking the tree
// as the host sees it.
func (t *tree) node(id uint64) (*node, syscall.Errno) {
	if nd := t.names.get(id); nd != nil {
		return nd, 0
	}
	t.walkMu.Lock()
	defer t.walkMu.Unlock()
	if nd := t.names.get(id); nd != nil {
		return nd, 0
	}
	now := time.Now()
	if now.Before(t.nextWalk) {
		return nil, syscall.ESTALE
	}
	cpu := cpuOfID(id)
	root := ""
	if cpu >= 0 {
		root = cpuPath(cpu)
	}
	t.names.add(root, syscall.S_IFDIR|0o555)
	if t.walk(root, cpu, id, 0); t.names.get(id) == nil {
		t.nextWalk = now.Add(walkPause)
		return nil, syscall.ESTALE
	}
	return t.names.get(id), 0
}

// walk adds the names below dir until id is among them, without going into other CPUs' directories.
func (t *tree) walk(dir string, cpu int, id uint64, depth int) bool {
	if idOf(dir) == id {
		return true
	}
	if depth > 16 {
		return false
	}
	entries, err := t.src.list(core.Caller{}, dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if of, _ := cpuOf(e.Path); of != cpu {
			continue
		}
		if t.names.add(e.Path, unixMode(e.Mode)); idOf(e.Path) == id {
			return true
		}
		if e.Mode.IsDir() && t.walk(e.Path, cpu, id, depth+1) {
			return true
		}
	}
	return false
}

// learn adds the names outside CPUs' directories as the host sees them: the minimal mode, which may follow on any death,
// knows only what was added.
func (t *tree) learn(dir string, depth int) {
	entries, err := t.src.list(core.Caller{}, dir)
	if err != nil || depth > 5 {
		return
	}
	for _, e := range entries {
		if cpu, _ := cpuOf(e.Path); cpu >= 0 {
			continue
		}
		if t.names.add(e.Path, unixMode(e.Mode)); e.Mode.IsDir() {
			t.learn(e.Path, depth+1)
		}
	}
}

// forget has the kernel drop names that were served by a predecessor and are no longer there.
func (t *tree) forget(state *conn.State, drop func(parent uint64, name string) error) {
	for name := range state.Names {
		if _, err := t.src.stat(core.Caller{}, name); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		dir := parent(name)
		if err := drop(idOf(dir), strings.TrimPrefix(name[len(dir):], "/")); err != nil {
			t.log.Debug("name stays cached", "name", name, "err", err)
		}
	}
}

// visible asks whether who may see nd. Nodes outside cpuN are there for everybody.
func (t *tree) visible(who core.Caller, nd *node) syscall.Errno {
	if nd.cpu < 0 {
		return 0
	}
	_, err := t.src.stat(who, nd.path)
	return errno(err)
}

// content reports whether nd's content is served: while nothing is virtualised, what is below /sys answers EIO, as LXCFS
// does, but listings work.
func (t *tree) content(nd *node) syscall.Errno {
	if nd.sys && !t.src.virtualized() {
		return syscall.EIO
	}
	return 0
}

// attr fills in what stat(2) shows. Size 0 as in procfs: the content is made when it is read.
func (t *tree) attr(e core.Entry, id uint64, a *wire.Attr) {
	sec, nsec := uint64(t.born.Unix()), uint32(t.born.Nanosecond())
	*a = wire.Attr{
		Ino: inode(id), Mode: unixMode(e.Mode), Nlink: 1, Blksize: 4096,
		Atime: sec, Mtime: sec, Ctime: sec, Atimensec: nsec, Mtimensec: nsec, Ctimensec: nsec,
	}
	if e.Mode.IsDir() {
		a.Nlink = 2
	}
}

// valid returns for how many seconds nd's name and its attributes may be kept.
func (nd *node) valid() (entry, attr uint64) {
	switch {
	case nd.cpu >= 0:
		return uint64(validity / time.Second), 0
	case strings.HasPrefix(nd.path, cpuDir+"/"):
		return uint64(mirrorValidity / time.Second), uint64(mirrorValidity / time.Second)
	}
	return uint64(validity / time.Second), uint64(validity / time.Second)
}

func unixMode(m fs.FileMode) uint32 {
	mode := uint32(m.Perm())
	switch m.Type() {
	case fs.ModeDir:
		return mode | syscall.S_IFDIR
	case fs.ModeSymlink:
		return mode | syscall.S_IFLNK
	}
	return mode | syscall.S_IFREG
}

// lookup answers LOOKUP. A name that is not there is not remembered by the kernel: it may be there for the next caller.
func (t *tree) lookup(h *wire.InHeader, name string, out *wire.EntryOut) syscall.Errno {
	dir, no := t.node(h.NodeId)
	if no != 0 {
		return no
	}
	path := name
	if dir.path != "" {
		path = dir.path + "/" + name
	}
	e, err := t.src.stat(callerOf(h), path)
	if err != nil {
		return errno(err)
	}
	nd, id := t.names.add(path, unixMode(e.Mode))
	if nd == nil {
		t.log.Error("two names have one node id", "name", path, "id", id)
		return syscall.ENOENT
	}
	*out = wire.EntryOut{NodeId: id}
	out.EntryValid, out.AttrValid = nd.valid()
	t.attr(e, id, &out.Attr)
	return 0
}

// getattr answers GETATTR.
func (t *tree) getattr(h *wire.InHeader, out *wire.AttrOut) syscall.Errno {
	nd, no := t.node(h.NodeId)
	if no != 0 {
		return no
	}
	e, err := t.src.stat(callerOf(h), nd.path)
	if err != nil {
		return errno(err)
	}
	*out = wire.AttrOut{}
	_, out.AttrValid = nd.valid()
	t.attr(e, h.NodeId, &out.Attr)
	return 0
}

// setattr answers SETATTR with LXCFS's error numbers: only truncating below /sys does nothing, successfully.
func (t *tree) setattr(in *wire.SetAttrIn, out *wire.AttrOut) syscall.Errno {
	nd, no := t.node(in.NodeId)
	switch {
	case no != 0:
		return no
	case in.Valid&(wire.FATTR_MODE|wire.FATTR_UID|wire.FATTR_GID) != 0 && in.NodeId == rootID:
		return syscall.ENOENT
	case in.Valid&(wire.FATTR_MODE|wire.FATTR_UID|wire.FATTR_GID) != 0:
		return syscall.EPERM
	case in.Valid&wire.FATTR_SIZE == 0:
		return syscall.ENOSYS
	case !nd.sys:
		return syscall.EPERM
	}
	return t.getattr(&in.InHeader, out)
}

// open answers OPEN and OPENDIR. Nothing is made ready: most files that are opened are read once, at once.
func (t *tree) open(h *wire.InHeader, out *wire.OpenOut) syscall.Errno {
	nd, no := t.node(h.NodeId)
	if no != 0 {
		return no
	}
	if no := t.visible(callerOf(h), nd); no != 0 {
		return no
	}
	// The page cache belongs to the inode, and the content to who reads it: never cached. Nothing is to be flushed.
	*out = wire.OpenOut{Fh: t.files.open(), OpenFlags: wire.FOPEN_DIRECT_IO | wire.FOPEN_NOFLUSH}
	return 0
}

// readlink answers READLINK.
func (t *tree) readlink(h *wire.InHeader) (string, syscall.Errno) {
	nd, no := t.node(h.NodeId)
	if no == 0 {
		no = t.content(nd)
	}
	if no != 0 {
		return "", no
	}
	target, err := t.src.readlink(callerOf(h), nd.path)
	return target, errno(err)
}

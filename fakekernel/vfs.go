package fakekernel

import (
	"io/fs"
	"path"
	"strings"
	"syscall"
	"time"
)

// node is one name of the tree, made when a path is walked and forgotten after.
type node struct {
	name   string
	mode   fs.FileMode
	uid    uint32
	ino    uint64
	target string               // of a symbolic link
	errno  syscall.Errno        // answer to open and read
	lookup func(string) *node   // directories
	names  func() []string      // directories, without what was written over them
	text   func([]byte) []byte  // files: appends the content
	gone   func() syscall.Errno // what an open file answers once its owner is dead
	write  func(*file, string) error
}

func dirNode(name string, lookup func(string) *node, names func() []string) *node {
	return &node{name: name, mode: fs.ModeDir | 0o555, lookup: lookup, names: names}
}

func textNode(name string, text func([]byte) []byte) *node {
	return &node{name: name, mode: 0o444, text: text}
}

func constNode(name, text string) *node {
	return textNode(name, func(b []byte) []byte { return append(b, text...) })
}

func linkNode(name, target string) *node {
	return &node{name: name, mode: fs.ModeSymlink | 0o777, target: target}
}

const maxLinks = 40

// resolve walks name from the root and returns its node and its path without links. The caller holds the lock.
func (k *Kernel) resolve(name string, follow bool) (*node, string, error) {
	return k.walk(path.Clean("/"+name), follow, maxLinks)
}

func (k *Kernel) walk(name string, follow bool, links int) (*node, string, error) {
	n, at := k.root(), "/"
	rest := strings.TrimPrefix(name, "/")
	for rest != "" {
		var elem string
		elem, rest, _ = strings.Cut(rest, "/")
		if !n.mode.IsDir() {
			return nil, "", syscall.ENOTDIR
		}
		child := path.Join(at, elem)
		next, err := k.step(n, child, elem)
		if err != nil {
			return nil, "", err
		}
		if next.errno != 0 && rest != "" {
			return nil, "", next.errno
		}
		if next.target != "" && (rest != "" || follow) {
			if strings.Contains(next.target, ":[") {
				return &node{name: next.target, mode: 0o444, ino: nsInode(next.target)}, child, nil
			}
			if links == 0 {
				return nil, "", syscall.ELOOP
			}
			to := next.target
			if !path.IsAbs(to) {
				to = path.Join(at, to)
			}
			return k.walk(path.Join(to, rest), follow, links-1)
		}
		n, at = next, child
	}
	return n, at, nil
}

// step finds elem in the directory n. What was written by hand wins.
func (k *Kernel) step(n *node, child, elem string) (*node, error) {
	f := k.raw[child]
	if f != nil && f.kind != rawPath {
		if f.kind == rawGone {
			return nil, syscall.ENOENT
		}
		return f.node(child), nil
	}
	if n.lookup != nil {
		if next := n.lookup(elem); next != nil {
			return next, nil
		}
	}
	if f != nil && len(f.names) > 0 {
		return f.node(child), nil
	}
	return nil, syscall.ENOENT
}

func (k *Kernel) root() *node {
	if k.m == nil {
		return dirNode("/", nil, nil)
	}
	return k.m.rootNode()
}

// rootNode is "/": the two file systems a kernel shows itself by.
func (m *machine) rootNode() *node {
	return dirNode("/", func(name string) *node {
		switch name {
		case "proc":
			return m.procNode()
		case "sys":
			return m.sysNode()
		}
		return nil
	}, func() []string { return []string{"proc", "sys"} })
}

// tree is a fixed directory: names to constructors.
func tree(name string, entries ...*node) *node {
	return dirNode(name, func(want string) *node {
		for _, e := range entries {
			if e.name == want {
				return e
			}
		}
		return nil
	}, func() []string {
		names := make([]string, len(entries))
		for i, e := range entries {
			names[i] = e.name
		}
		return names
	})
}

// info is a node as os.FileInfo.
type info struct {
	n *node
}

func (i info) Name() string       { return i.n.name }
func (i info) Size() int64        { return 0 } // as procfs and cgroupfs say; what a file holds is known when it is read
func (i info) Mode() fs.FileMode  { return i.n.mode }
func (i info) ModTime() time.Time { return time.Unix(bootTime, 0) }
func (i info) IsDir() bool        { return i.n.mode.IsDir() }

// Sys returns a *syscall.Stat_t with inode, mode and owner.
func (i info) Sys() any {
	st := &syscall.Stat_t{Ino: i.n.ino, Uid: i.n.uid, Gid: i.n.uid, Nlink: 1, Mode: uint32(i.n.mode.Perm())}
	switch {
	case i.n.mode.IsDir():
		st.Mode |= syscall.S_IFDIR
	case i.n.target != "":
		st.Mode |= syscall.S_IFLNK
	default:
		st.Mode |= syscall.S_IFREG
	}
	return st
}

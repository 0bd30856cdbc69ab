package fuse

import (
	"container/list"
	"sync"
	"syscall"

	"lxcfs/core"
	"lxcfs/fuse/conn"

	wire "github.com/hanwen/go-fuse/v2/fuse"
)

const (
	// maxFiles bounds the open files that are told apart. The others share the handle 0 and render for each read.
	maxFiles = 1 << 20
	// maxKept and maxKeptBytes bound what is kept for readers that have not read to the end. The least recently
	// used goes first; its reader gets the rest of a fresh rendering.
	maxKept      = 4096
	maxKeptBytes = 8 << 20

	generationShift = 48
	indexMask       = 1<<32 - 1
)

// file is what an open file costs.
type file struct {
	size int32 // of the content last rendered at offset 0, while the reader has got all of it; -1: not so
	kept *list.Element
}

// kept is content that a reader has got a part of.
type kept struct {
	index int
	data  []byte
}

// files are the open files. A handle is the generation of the worker in the upper 16 bits and an index: a handle of a
// predecessor is known as such, and nothing is known about it.
type files struct {
	generation uint64
	state      *conn.State // tells successors which files were read to the end

	mu    sync.Mutex
	table []file
	free  []uint32
	lru   *list.List // of *kept, most recently used first
	bytes int
}

func newFiles(generation uint64, state *conn.State) *files {
	return &files{generation: generation & 0xffff << generationShift, state: state, table: make([]file, 1, 64), lru: list.New()}
}

// open returns a new handle.
func (f *files) open() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	var i uint32
	switch n := len(f.free); {
	case n > 0:
		i = f.free[n-1]
		f.free = f.free[:n-1]
	case len(f.table) < maxFiles:
		i = uint32(len(f.table))
		f.table = append(f.table, file{})
	default:
		return f.generation
	}
	f.table[i] = file{size: -1}
	return f.generation | uint64(i)
}

// index returns where fh is in the table, 0 if it is not this generation's or not told apart.
func (f *files) index(fh uint64) int {
	i := fh & indexMask
	if fh&^indexMask != f.generation || i >= uint64(len(f.table)) {
		return 0
	}
	return int(i)
}

// release forgets fh.
func (f *files) release(fh uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := f.index(fh); i > 0 {
		f.drop(i)
		f.free = append(f.free, uint32(i))
		f.state.SetDone(fh, -1)
	}
}

func (f *files) drop(i int) {
	if e := f.table[i].kept; e != nil {
		f.bytes -= len(f.lru.Remove(e).(*kept).data)
		f.table[i].kept = nil
	}
}

// rest appends to out what was kept for fh from offset on, at most size bytes. ok is false when it has to be rendered.
func (f *files) rest(fh uint64, offset uint64, size int, out []byte, cut func([]byte, int) int) (_ []byte, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.index(fh)
	if i == 0 {
		n, done := f.state.Done(fh)
		return out, done && offset >= uint64(n)
	}
	if n := f.table[i].size; n >= 0 && offset >= uint64(n) {
		return out, true
	}
	e := f.table[i].kept
	if e == nil {
		return out, false
	}
	data := e.Value.(*kept).data
	if offset >= uint64(len(data)) {
		return out, true
	}
	n := cut(data[offset:], size)
	out = append(out, data[offset:offset+uint64(n)]...)
	if offset+uint64(n) == uint64(len(data)) {
		f.table[i].size = int32(len(data))
		f.state.SetDone(fh, len(data))
		f.drop(i)
	} else {
		f.lru.MoveToFront(e)
	}
	return out, true
}

// keep remembers data for fh, of which the reader has got the bytes up to end.
func (f *files) keep(fh uint64, data []byte, end int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.index(fh)
	if i == 0 {
		return
	}
	f.drop(i)
	if end >= len(data) {
		f.table[i].size = int32(len(data))
		f.state.SetDone(fh, len(data))
		return
	}
	f.table[i].size = -1
	f.state.SetDone(fh, -1)
	if len(data) > maxKeptBytes {
		return
	}
	f.table[i].kept = f.lru.PushFront(&kept{i, append([]byte(nil), data...)})
	f.bytes += len(data)
	for f.bytes > maxKeptBytes || f.lru.Len() > maxKept {
		f.drop(f.lru.Back().Value.(*kept).index)
	}
}

// whole cuts content anywhere.
func whole(data []byte, size int) int { return min(len(data), size) }

// read answers READ: it appends at most in.Size bytes to out. Offset 0 always renders afresh, as top(1) expects of a
// file it keeps open; other offsets go on in the same rendering. Beyond the end there is nothing, which is end of file.
func (t *tree) read(in *wire.ReadIn, out []byte) ([]byte, syscall.Errno) {
	size, fh := int(in.Size), in.Fh
	if in.Offset > 0 {
		if out, ok := t.files.rest(fh, in.Offset, size, out, whole); ok {
			return out, 0
		}
	}
	nd, no := t.node(in.NodeId)
	if no == 0 {
		no = t.content(nd)
	}
	if no != 0 {
		return out, no
	}
	start := len(out)
	who := core.Caller{PID: int(in.Pid), UID: in.Uid}
	full, err := t.src.read(who, nd.path, out)
	if err != nil {
		return out, errno(err)
	}
	data := full[start:]
	from := int(min(in.Offset, uint64(len(data))))
	end := from + min(len(data)-from, size)
	t.files.keep(fh, data, end)
	if from > 0 {
		copy(data, data[from:end])
	}
	return full[:start+end-from], 0
}

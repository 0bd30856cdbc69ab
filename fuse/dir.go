package fuse

import (
	"encoding/binary"
	"syscall"

	"lxcfs/core"

	wire "github.com/hanwen/go-fuse/v2/fuse"
)

const direntSize = 24 // struct fuse_dirent, linux/fuse.h

// readdir answers READDIR. A directory is rendered as a stream of fuse_dirent whose offsets are places in the stream, so
// a listing that needs several reads is kept and continued like a file's content.
func (t *tree) readdir(in *wire.ReadIn, out []byte) ([]byte, syscall.Errno) {
	size := int(in.Size)
	if in.Offset > 0 {
		if out, ok := t.files.rest(in.Fh, in.Offset, size, out, cutDirents); ok {
			return out, 0
		}
	}
	nd, no := t.node(in.NodeId)
	if no != 0 {
		return out, no
	}
	who := callerOf(&in.InHeader)
	if no := t.visible(who, nd); no != 0 {
		return out, no
	}
	entries, err := t.src.list(who, nd.path)
	if err != nil {
		return out, errno(err)
	}
	data := dirents(nd.path, in.NodeId, entries)
	from := 0
	for from < len(data) && uint64(from) < in.Offset { // to the first entry not before the offset
		from += direntLen(int(binary.NativeEndian.Uint32(data[from+16:])))
	}
	end := from + cutDirents(data[from:], size)
	t.files.keep(in.Fh, data, end)
	return append(out, data[from:end]...), 0
}

// dirents renders the listing of dir, "." and ".." first.
func dirents(dir string, id uint64, entries []core.Entry) []byte {
	b := make([]byte, 0, 64*(len(entries)+2))
	b = appendDirent(b, inode(id), syscall.DT_DIR, ".")
	b = appendDirent(b, inode(idOf(parent(dir))), syscall.DT_DIR, "..")
	for _, e := range entries {
		b = appendDirent(b, inode(idOf(e.Path)), unixMode(e.Mode)>>12, e.Name)
	}
	return b
}

func parent(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[:i]
		}
	}
	return ""
}

func direntLen(name int) int { return (direntSize + name + 7) &^ 7 }

func appendDirent(b []byte, ino uint64, kind uint32, name string) []byte {
	next := len(b) + direntLen(len(name))
	b = binary.NativeEndian.AppendUint64(b, ino)
	b = binary.NativeEndian.AppendUint64(b, uint64(next))
	b = binary.NativeEndian.AppendUint32(b, uint32(len(name)))
	b = binary.NativeEndian.AppendUint32(b, kind)
	b = append(b, name...)
	return append(b, make([]byte, next-len(b))...)
}

// cutDirents returns the length of the whole entries at the start of data that fit in size bytes.
func cutDirents(data []byte, size int) int {
	n := 0
	for n+direntSize <= len(data) {
		l := direntLen(int(binary.NativeEndian.Uint32(data[n+16:])))
		if n+l > size || n+l > len(data) {
			break
		}
		n += l
	}
	return n
}

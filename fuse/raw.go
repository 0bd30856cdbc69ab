package fuse

import (
	"log"
	"syscall"

	"lxcfs/fuse/conn"

	wire "github.com/hanwen/go-fuse/v2/fuse"
)

// rawFS shows a tree to go-fuse. What is not here go-fuse answers ENOSYS.
type rawFS struct {
	wire.RawFileSystem
	t *tree
}

// protocolHandle returns the handler that go-fuse's ProtocolServer makes of t. It parses every request there is, at the price
// of 2 to 4 allocations for each, and is what [tree.handle] passes on what it does not answer itself. ProtocolServer is
// marked experimental: should it go, that line becomes ENOSYS.
func protocolHandle(t *tree) conn.Handle {
	s := wire.NewProtocolServer(rawFS{wire.NewDefaultRawFileSystem(), t}, &wire.MountOptions{
		// It logs each operation that it does not know, and a container could send them all day.
		Logger: log.New(discard{}, "", 0),
		// The connection counts and logs panics.
		PanicHandler: func(v any) wire.Status { panic(v) },
	})
	return func(in, out []byte) []byte {
		out = out[:0]
		if h, ok := as[wire.InHeader](in); !ok {
			return out
		} else if q, ok := as[wire.ReadIn](in); ok && (h.Opcode == opRead || h.Opcode == opReaddir) {
			out = growTo(out, outHeaderSize+int(q.Size))
		}
		out = growTo(out, 512)
		n, status := s.HandleRequest([][]byte{in}, [][]byte{out})
		if !status.Ok() { // nothing was written to out
			return conn.ErrorReply(in, out, int32(status))
		}
		return out[:n]
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// growTo makes out at least n bytes long.
func growTo(out []byte, n int) []byte {
	if len(out) >= n {
		return out
	}
	if cap(out) < n {
		return make([]byte, n)
	}
	return out[:n]
}

func status(no syscall.Errno) wire.Status { return wire.Status(no) }

func (r rawFS) String() string { return "lxcfs" }

func (r rawFS) Lookup(_ <-chan struct{}, h *wire.InHeader, name string, out *wire.EntryOut) wire.Status {
	return status(r.t.lookup(h, name, out))
}

func (r rawFS) GetAttr(_ <-chan struct{}, in *wire.GetAttrIn, out *wire.AttrOut) wire.Status {
	return status(r.t.getattr(&in.InHeader, out))
}

func (r rawFS) SetAttr(_ <-chan struct{}, in *wire.SetAttrIn, out *wire.AttrOut) wire.Status {
	return status(r.t.setattr(in, out))
}

func (r rawFS) Readlink(_ <-chan struct{}, h *wire.InHeader) ([]byte, wire.Status) {
	target, no := r.t.readlink(h)
	return []byte(target), status(no)
}

func (r rawFS) Mkdir(<-chan struct{}, *wire.MkdirIn, string, *wire.EntryOut) wire.Status {
	return wire.EPERM
}

func (r rawFS) Rmdir(<-chan struct{}, *wire.InHeader, string) wire.Status { return wire.EPERM }

func (r rawFS) Open(_ <-chan struct{}, in *wire.OpenIn, out *wire.OpenOut) wire.Status {
	return status(r.t.open(&in.InHeader, out))
}

func (r rawFS) OpenDir(_ <-chan struct{}, in *wire.OpenIn, out *wire.OpenOut) wire.Status {
	return status(r.t.open(&in.InHeader, out))
}

func (r rawFS) Read(_ <-chan struct{}, in *wire.ReadIn, buf []byte) (wire.ReadResult, wire.Status) {
	data, no := r.t.read(in, nil)
	return wire.ReadResultData(data), status(no)
}

func (r rawFS) ReadDir(_ <-chan struct{}, in *wire.ReadIn, out *wire.DirEntryList) wire.Status {
	// The list makes its own stream: entries are numbered, and cut where they no longer fit.
	data, no := r.t.readdir(in, nil)
	entries, err := wire.ParseDirEntries(data)
	if err != nil {
		return wire.EIO
	}
	for _, e := range entries {
		if !out.AddDirEntry(e) {
			break
		}
	}
	return status(no)
}

func (r rawFS) Write(_ <-chan struct{}, in *wire.WriteIn, data []byte) (uint32, wire.Status) {
	return uint32(len(data)), status(r.t.write(in, data))
}

func (r rawFS) Release(_ <-chan struct{}, in *wire.ReleaseIn) { r.t.release(in.Fh) }

func (r rawFS) ReleaseDir(in *wire.ReleaseIn) { r.t.release(in.Fh) }

func (r rawFS) Flush(<-chan struct{}, *wire.FlushIn) wire.Status { return wire.ENOSYS }

func (r rawFS) StatFs(_ <-chan struct{}, _ *wire.InHeader, out *wire.StatfsOut) wire.Status {
	*out = statfs
	return wire.OK
}

package fuse

import (
	"bytes"
	"syscall"
	"unsafe"

	"lxcfs/fuse/conn"

	wire "github.com/hanwen/go-fuse/v2/fuse"
)

// The opcodes of linux/fuse.h that are answered here.
const (
	opLookup      = 1
	opForget      = 2
	opGetattr     = 3
	opSetattr     = 4
	opReadlink    = 5
	opOpen        = 14
	opRead        = 15
	opWrite       = 16
	opStatfs      = 17
	opRelease     = 18
	opFlush       = 25
	opOpendir     = 27
	opReaddir     = 28
	opReleasedir  = 29
	opDestroy     = 38
	opPoll        = 40
	opNotifyReply = 41
	opBatchForget = 42
)

const (
	headerSize    = int(unsafe.Sizeof(wire.InHeader{}))
	outHeaderSize = int(unsafe.Sizeof(wire.OutHeader{}))
)

// as reads a request as the struct T; ok is false when the kernel sent less than it.
func as[T any](in []byte) (v *T, ok bool) {
	if len(in) < int(unsafe.Sizeof(*v)) {
		return nil, false
	}
	return (*T)(unsafe.Pointer(unsafe.SliceData(in))), true
}

// body returns the memory of v.
func body[T any](v *T) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v)) }

// finish completes a reply whose body was appended to a header's worth of out, or replaces it by an error.
func finish(in, out []byte, no syscall.Errno) []byte {
	if no != 0 {
		return conn.ErrorReply(in, out, int32(no))
	}
	h, _ := as[wire.InHeader](in)
	*(*wire.OutHeader)(unsafe.Pointer(unsafe.SliceData(out))) = wire.OutHeader{Length: uint32(len(out)), Unique: h.Unique}
	return out
}

// handle is the [conn.Handle] that a mount uses: it answers what the kernel asks all day without allocating, and passes the
// rest on.
func (t *tree) handle(in, out []byte) []byte {
	h, ok := as[wire.InHeader](in)
	if !ok {
		return out[:0]
	}
	out = append(out[:0], make([]byte, outHeaderSize)...)
	switch h.Opcode {
	case opForget, opBatchForget, opNotifyReply, opDestroy:
		return out[:0]
	case opLookup:
		return t.handleLookup(in, out)
	case opGetattr:
		var a wire.AttrOut
		no := t.getattr(h, &a)
		return finish(in, append(out, body(&a)...), no)
	case opSetattr:
		q, ok := as[wire.SetAttrIn](in)
		if !ok {
			return finish(in, out, syscall.EINVAL)
		}
		var a wire.AttrOut
		no := t.setattr(q, &a)
		return finish(in, append(out, body(&a)...), no)
	case opReadlink:
		target, no := t.readlink(h)
		return finish(in, append(out, target...), no)
	case opOpen, opOpendir:
		var a wire.OpenOut
		no := t.open(h, &a)
		return finish(in, append(out, body(&a)...), no)
	case opRead, opReaddir:
		q, ok := as[wire.ReadIn](in)
		if !ok {
			return finish(in, out, syscall.EINVAL)
		}
		var no syscall.Errno
		if h.Opcode == opRead {
			out, no = t.read(q, out)
		} else {
			out, no = t.readdir(q, out)
		}
		return finish(in, out, no)
	case opRelease, opReleasedir:
		q, ok := as[wire.ReleaseIn](in)
		if !ok {
			return finish(in, out, syscall.EINVAL)
		}
		t.release(q.Fh)
		return finish(in, out, 0)
	case opWrite:
		return t.handleWrite(in, out)
	case opPoll:
		return t.handlePoll(in, out)
	case opStatfs:
		a := statfs
		return finish(in, append(out, body(&a)...), 0)
	case opFlush:
		// The kernel does not ask again for what was answered ENOSYS: a round trip less for each file.
		return finish(in, out, syscall.ENOSYS)
	}
	return t.rest(in, out)
}

// statfs is what statfs(2) shows: nothing, as in LXCFS.
var statfs = wire.StatfsOut{Bsize: 512, NameLen: 255}

func (t *tree) handleLookup(in, out []byte) []byte {
	name := in[headerSize:]
	end := bytes.IndexByte(name, 0)
	if end <= 0 || bytes.IndexByte(name[:end], '/') >= 0 {
		return finish(in, out, syscall.EINVAL)
	}
	h, _ := as[wire.InHeader](in)
	var a wire.EntryOut
	no := t.lookup(h, string(name[:end]), &a)
	return finish(in, append(out, body(&a)...), no)
}

func (t *tree) handleWrite(in, out []byte) []byte {
	q, ok := as[wire.WriteIn](in)
	if !ok || int(q.Size) > len(in)-int(unsafe.Sizeof(*q)) {
		return finish(in, out, syscall.EINVAL)
	}
	no := t.write(q, in[unsafe.Sizeof(*q):][:q.Size])
	a := wire.WriteOut{Size: q.Size}
	return finish(in, append(out, body(&a)...), no)
}

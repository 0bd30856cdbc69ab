package conn

import (
	"fmt"
	"strings"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
)

const (
	headerSize    = int(unsafe.Sizeof(fuse.InHeader{}))
	outHeaderSize = int(unsafe.Sizeof(fuse.OutHeader{}))

	opForget      = 2 // linux/fuse.h
	opOpen        = 14
	opRelease     = 18
	opFlush       = 25
	opInit        = 26
	opReleasedir  = 29
	opInterrupt   = 36
	opBatchForget = 42

	// protocolMajor and protocolMinor are what we speak: 7.31 is what libfuse 3.14 answers for LXCFS.
	protocolMajor = 7
	protocolMinor = 31

	// maxWrite keeps requests small enough for a slot; nothing but a pressure trigger is ever written.
	maxWrite = 4096
	// maxPages bounds one READ to 128 KiB, what a reader of a big cpuinfo asks for at once.
	maxPages = 32

	wanted = fuse.CAP_ASYNC_READ | fuse.CAP_ATOMIC_O_TRUNC | fuse.CAP_BIG_WRITES | fuse.CAP_PARALLEL_DIROPS |
		fuse.CAP_MAX_PAGES | fuse.CAP_HAS_RESEND
)

// initReply answers an INIT request (struct fuse_init_in, linux/fuse.h).
func initReply(in, out []byte) []byte {
	if len(in) < headerSize+16 {
		return ErrorReply(in, out, eio)
	}
	q := (*fuse.InitIn)(unsafe.Pointer(unsafe.SliceData(padded(in))))
	if q.Major < protocolMajor {
		return ErrorReply(in, out, eproto)
	}
	var a fuse.InitOut
	a.Major, a.Minor = protocolMajor, min(protocolMinor, q.Minor)
	if q.Major == protocolMajor {
		flags := q.Flags64() & wanted
		a.MaxReadAhead = q.MaxReadAhead
		a.Flags, a.Flags2 = uint32(flags)|q.Flags&fuse.CAP_INIT_EXT, uint32(flags>>32)
		a.MaxBackground, a.CongestionThreshold = 64, 48
		a.MaxWrite, a.MaxPages, a.TimeGran = maxWrite, maxPages, 1
	}
	return Reply(in, out, unsafe.Slice((*byte)(unsafe.Pointer(&a)), unsafe.Sizeof(a)))
}

// padded returns in with at least the room of a whole fuse.InitIn: old kernels send a shorter one.
func padded(in []byte) []byte {
	if size := int(unsafe.Sizeof(fuse.InitIn{})); len(in) < size {
		return append(make([]byte, 0, size), in...)[:size]
	}
	return in
}

// timeouts returns the limits on how long a request may take that are set (Linux 6.15, Documentation/admin-guide/sysctl/fs.rst).
func timeouts(read func(string) ([]byte, error)) []string {
	var set []string
	for _, name := range []string{"default_request_timeout", "max_request_timeout"} {
		text, err := read("/proc/sys/fs/fuse/" + name)
		if v := strings.TrimSpace(string(text)); err == nil && v != "" && v != "0" {
			set = append(set, "fs.fuse."+name+"="+v)
		}
	}
	return set
}

const (
	eio    = 5
	eproto = 71
)

// ErrorReply makes the reply to request in that says errno, in out's memory.
func ErrorReply(in, out []byte, errno int32) []byte {
	out = Reply(in, out, nil)
	(*fuse.OutHeader)(unsafe.Pointer(unsafe.SliceData(out))).Status = -errno
	return out
}

// Reply makes the reply to request in with the given body, in out's memory.
func Reply(in, out, body []byte) []byte {
	h := (*fuse.InHeader)(unsafe.Pointer(unsafe.SliceData(in)))
	a := fuse.OutHeader{Length: uint32(outHeaderSize + len(body)), Unique: h.Unique}
	out = append(out[:0], unsafe.Slice((*byte)(unsafe.Pointer(&a)), outHeaderSize)...)
	return append(out, body...)
}

// Describe names the request in a log record.
func Describe(in []byte) string {
	if len(in) < headerSize {
		return fmt.Sprintf("%d bytes", len(in))
	}
	h := (*fuse.InHeader)(unsafe.Pointer(unsafe.SliceData(in)))
	return fmt.Sprintf("opcode %d node %#x pid %d unique %d", h.Opcode, h.NodeId, h.Pid, h.Unique)
}

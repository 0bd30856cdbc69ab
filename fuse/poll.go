package fuse

import (
	"syscall"

	"lxcfs/core"

	wire "github.com/hanwen/go-fuse/v2/fuse"
)

type triggers struct{}

func (t *tree) release(fh uint64) { t.files.release(fh) }

// write answers WRITE with the error numbers of LXCFS: nothing but a pressure trigger can be written.
func (t *tree) write(in *wire.WriteIn, text []byte) syscall.Errno {
	nd, no := t.node(in.NodeId)
	switch {
	case no != 0:
		return no
	case nd.sys:
		return syscall.EACCES
	case !nd.pressure || t.triggers == nil:
		return syscall.EINVAL
	}
	_ = core.Caller{}
	return syscall.EINVAL
}

func (t *tree) handlePoll(in, out []byte) []byte { return finish(in, out, syscall.ENOSYS) }

// pollIn is struct fuse_poll_in, linux/fuse.h.
type pollIn struct {
	wire.InHeader
	Fh, Kh        uint64
	Flags, Events uint32
}

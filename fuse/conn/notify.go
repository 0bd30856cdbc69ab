package conn

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// notify sends a notification: a reply with unique 0 whose status is the code (linux/fuse.h, enum fuse_notify_code; positive
// in the message).
func (c *Conn) notify(code int32, body []byte) error {
	a := fuse.OutHeader{Length: uint32(outHeaderSize + len(body)), Status: -code}
	b := append(make([]byte, 0, outHeaderSize+len(body)), unsafe.Slice((*byte)(unsafe.Pointer(&a)), outHeaderSize)...)
	// Not write: the kernel may wait for the answer to another request before it takes a notification, and a raw system call
	// would keep the processor from who is to answer it.
	_, err := unix.Write(c.fd, append(b, body...))
	if errors.Is(err, unix.ENOENT) { // nothing of that name is cached
		return nil
	}
	return err
}

// Forget makes the kernel drop the directory entry name of the directory with node id parent (FUSE_NOTIFY_INVAL_ENTRY), so
// that the next use asks again. It must not be called while a request for that directory is being answered.
func (c *Conn) Forget(parent uint64, name string) error {
	a := fuse.NotifyInvalEntryOut{Parent: parent, NameLen: uint32(len(name))}
	body := append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(&a)), unsafe.Sizeof(a))...)
	if err := c.notify(fuse.NOTIFY_INVAL_ENTRY, append(append(body, name...), 0)); err != nil {
		return fmt.Errorf("entry %s: %w", name, err)
	}
	return nil
}

// Wake tells the kernel that the poll with handle kh may have something new (FUSE_NOTIFY_POLL).
func (c *Conn) Wake(kh uint64) error {
	if err := c.notify(fuse.NOTIFY_POLL, unsafe.Slice((*byte)(unsafe.Pointer(&kh)), 8)); err != nil {
		return fmt.Errorf("poll %d: %w", kh, err)
	}
	return nil
}

// resend asks the kernel to queue again every request that was read and not answered (FUSE_NOTIFY_RESEND, Linux 6.9).
func (c *Conn) resend() error {
	if err := c.notify(fuse.NOTIFY_RESEND, nil); err != nil {
		return fmt.Errorf("FUSE_NOTIFY_RESEND: %w", err)
	}
	return nil
}

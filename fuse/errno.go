package fuse

import (
	"errors"
	"io/fs"
	"syscall"
)

// errno is the one place where errors become error numbers: the kernel's own where there is one in err, ENOENT and EACCES
// for io/fs's words for them, and EIO for the rest.
func errno(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	if n, ok := errors.AsType[syscall.Errno](err); ok {
		return n
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return syscall.ENOENT
	case errors.Is(err, fs.ErrPermission):
		return syscall.EACCES
	case errors.Is(err, fs.ErrInvalid):
		return syscall.EINVAL
	}
	return syscall.EIO
}

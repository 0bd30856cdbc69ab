package fakekernel

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// errnos are the errors a kernel file may answer with, by their names in errno(3).
var errnos = map[string]syscall.Errno{
	"E2BIG": syscall.E2BIG, "EACCES": syscall.EACCES, "EAGAIN": syscall.EAGAIN, "EBADF": syscall.EBADF, "EBUSY": syscall.EBUSY,
	"EEXIST": syscall.EEXIST, "EFAULT": syscall.EFAULT, "EFBIG": syscall.EFBIG, "EINTR": syscall.EINTR, "EINVAL": syscall.EINVAL,
	"EIO": syscall.EIO, "EISDIR": syscall.EISDIR, "ELOOP": syscall.ELOOP, "EMFILE": syscall.EMFILE, "ENAMETOOLONG": syscall.ENAMETOOLONG,
	"ENFILE": syscall.ENFILE, "ENODEV": syscall.ENODEV, "ENOENT": syscall.ENOENT, "ENOMEM": syscall.ENOMEM, "ENOSPC": syscall.ENOSPC,
	"ENOSYS": syscall.ENOSYS, "ENOTCONN": syscall.ENOTCONN, "ENOTDIR": syscall.ENOTDIR, "ENOTSUP": syscall.ENOTSUP, "ENXIO": syscall.ENXIO,
	"EOPNOTSUPP": syscall.EOPNOTSUPP, "EOVERFLOW": syscall.EOVERFLOW, "EPERM": syscall.EPERM, "ERANGE": syscall.ERANGE,
	"EROFS": syscall.EROFS, "ESRCH": syscall.ESRCH, "ETIMEDOUT": syscall.ETIMEDOUT,
}

func parseErrno(s string) (syscall.Errno, error) {
	if e, ok := errnos[s]; ok {
		return e, nil
	}
	return 0, fmt.Errorf("errno %q: want one of %s", s, strings.Join(sortedKeys(errnos), ", "))
}

// errnoName is the symbol of an error's errno, else its text.
func errnoName(err error) string {
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		for _, name := range sortedKeys(errnos) {
			if errnos[name] == e {
				return name
			}
		}
	}
	return err.Error()
}

package kernelfs

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Trigger is an armed pressure trigger (Documentation/accounting/psi.rst, "Monitoring for pressure
// thresholds"): an open pressure file of a cgroup. It is a file, but a polled one, which afero has no
// word for; a fake's file is opened for writing in the same way and never fires by itself.
type Trigger struct {
	fd   int
	file interface{ Close() error }
}

// Trigger writes text to the cgroup's pressure file for resource. The kernel checks the text: EINVAL
// if it is no trigger, EBUSY if the cgroup has one it cannot share, EOPNOTSUPP without PSI.
func (cg *Cgroup) Trigger(resource Controller, text string) (*Trigger, error) {
	path := cg.Dir() + "/" + fileNames[psiName[resource]][cg.Hierarchy.Version]
	if cg.Hierarchy.fs.host == nil {
		f, err := cg.Hierarchy.fs.raw.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return nil, pathError(path, err)
		}
		if _, err := f.WriteString(text); err != nil {
			f.Close()
			return nil, pathError(path, err)
		}
		return &Trigger{fd: -1, file: f}, nil
	}
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, pathError(path, err)
	}
	if _, err := unix.Write(fd, []byte(text)); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("trigger %q: %w", text, pathError(path, err))
	}
	return &Trigger{fd: fd}, nil
}

// FD returns the descriptor that polls POLLPRI when the trigger fires, -1 on a fake kernel.
func (t *Trigger) FD() int { return t.fd }

// Close disarms the trigger.
func (t *Trigger) Close() error {
	if t.file != nil {
		return t.file.Close()
	}
	return unix.Close(t.fd)
}

package conn

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrMounted says that something that works is mounted where we should mount.
var ErrMounted = errors.New("already mounted")

const device = "/dev/fuse"

// mountFUSE opens /dev/fuse and mounts it on dir as type fuse.lxcfs. The descriptor is non-blocking and closed on exec.
//
// default_permissions lets the kernel judge access by mode bits, so access(2) answers truthfully and a file that only
// root may read on the host is not handed to others (LXCFS hands it to everybody).
func mountFUSE(dir string, writable bool) (int, error) {
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return -1, fmt.Errorf("open %s: %w: load the kernel module (modprobe fuse), in a container pass the device in", device, err)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return -1, fmt.Errorf("open %s: %w: run as root, and allow the device 10:229 rwm in a container", device, err)
	case err != nil:
		return -1, fmt.Errorf("open %s: %w", device, err)
	}
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV)
	if !writable {
		// Nothing can be written, and a read that may update atime makes the next stat a GETATTR.
		flags |= unix.MS_RDONLY
	}
	data := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions", fd)
	if err := unix.Mount("lxcfs", dir, "fuse.lxcfs", flags, data); err != nil {
		unix.Close(fd)
		if errors.Is(err, unix.EPERM) {
			return -1, fmt.Errorf("mount on %s: %w: run as root (CAP_SYS_ADMIN)", dir, err)
		}
		return -1, fmt.Errorf("mount on %s: %w", dir, err)
	}
	return fd, nil
}

// prepare checks that dir can be mounted on and returns its absolute path without symbolic links. A dead mount of our
// own type, whose daemon is gone for good (ENOTCONN), is taken away.
func prepare(dir string) (string, error) {
	abs, err := resolve(dir)
	if err != nil {
		return "", err
	}
	for range 8 { // mounts can be stacked
		kind, err := mountedOn(abs)
		if err != nil {
			return "", err
		}
		if kind == "" {
			return abs, usable(abs)
		}
		if !dead(abs) {
			return "", fmt.Errorf("mount point %s: %w (type %s): unmount it first (umount %s), or choose another directory", abs, ErrMounted, kind, abs)
		}
		if !strings.HasPrefix(kind, "fuse.lxcfs") {
			return "", fmt.Errorf("mount point %s holds a dead mount of type %s: unmount it first (umount -l %s)", abs, kind, abs)
		}
		if err := unix.Unmount(abs, unix.MNT_DETACH); err != nil {
			return "", fmt.Errorf("unmount the dead mount on %s: %w", abs, err)
		}
	}
	return "", fmt.Errorf("mount point %s: too many dead mounts on top of each other", abs)
}

// resolve makes dir absolute without touching what is mounted on it.
func resolve(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("mount point %s: %w", dir, err)
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("mount point %s does not exist: make it first (mkdir -p %s)", abs, abs)
	}
	if err != nil {
		return "", fmt.Errorf("mount point %s: %w", abs, err)
	}
	abs = filepath.Join(parent, filepath.Base(abs))
	if kind, err := mountedOn(abs); err != nil || kind != "" {
		return abs, err
	}
	real, err := filepath.EvalSymlinks(abs)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("mount point %s does not exist: make it first (mkdir -p %s)", abs, abs)
	}
	if err != nil {
		return "", fmt.Errorf("mount point %s: %w", abs, err)
	}
	return real, nil
}

func usable(dir string) error {
	st, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("mount point %s: %w", dir, err)
	}
	if !st.IsDir() {
		return fmt.Errorf("mount point %s is not a directory: name an empty directory", dir)
	}
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("mount point %s: %w", dir, err)
	}
	defer f.Close()
	if names, _ := f.Readdirnames(1); len(names) > 0 {
		return fmt.Errorf("mount point %s is not empty (it holds %s): name an empty directory", dir, names[0])
	}
	return nil
}

// dead reports whether the FUSE connection behind dir is gone: statfs is always asked of the daemon, and the kernel
// answers ENOTCONN itself when there is none. A daemon that does not answer in two seconds counts as alive.
func dead(dir string) bool {
	answer := make(chan error, 1)
	go func() {
		var st unix.Statfs_t
		answer <- unix.Statfs(dir, &st)
	}()
	select {
	case err := <-answer:
		return errors.Is(err, unix.ENOTCONN) || errors.Is(err, unix.ECONNABORTED)
	case <-time.After(2 * time.Second):
		return false
	}
}

// mountedOn returns the type of the topmost mount on dir, "" when dir is no mount point. It reads
// /proc/self/mountinfo (proc_pid_mountinfo(5)) and does not touch the mount.
func mountedOn(dir string) (string, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("mount table: %w", err)
	}
	return findMount(string(text), dir), nil
}

func findMount(mountinfo, dir string) string {
	kind := ""
	for line := range strings.Lines(mountinfo) {
		left, right, ok := strings.Cut(line, " - ")
		fields := strings.Fields(left)
		if !ok || len(fields) < 5 || unescape(fields[4]) != dir {
			continue
		}
		kind, _, _ = strings.Cut(right, " ")
	}
	return kind
}

// unescape undoes the kernel's \040 style for blanks, tabs, newlines and backslashes.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && isOctal(s[i+1:i+4]) {
			b.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isOctal(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '7' {
			return false
		}
	}
	return true
}

// Resume checks that dir is still mounted with the connection behind fd, which is not touched otherwise, and returns its
// absolute path.
func Resume(dir string, fd int) (string, error) {
	abs, err := resolve(dir)
	if err != nil {
		return "", err
	}
	kind, err := mountedOn(abs)
	if err != nil {
		return "", err
	}
	if kind == "" {
		return "", fmt.Errorf("mount point %s: no longer mounted", abs)
	}
	// A connection without a superblock or aborted polls POLLERR (fuse_dev_poll).
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for err = unix.EINTR; errors.Is(err, unix.EINTR); { // a signal of the runtime's must not cost the mount
		_, err = unix.Poll(poll, 0)
	}
	if err != nil || poll[0].Revents&unix.POLLERR != 0 {
		return "", fmt.Errorf("mount point %s: its connection is gone", abs)
	}
	return abs, nil
}

// Unmount takes the mount on dir away, also while files of it are in use. It is no error if there is none.
func Unmount(dir string) error {
	err := unix.Unmount(dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmount %s: %w", dir, err)
	}
	return nil
}

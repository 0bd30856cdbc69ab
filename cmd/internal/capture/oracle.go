package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"lxcfs/cmd/internal/archive"
	"lxcfs/core"
)

// oracle asks another LXCFS, mounted on dir, what it tells the process pid. A FUSE server judges its
// reader by the reader's pid namespace, so each file is read by a child in pid's: nsenter(1) forks into
// it and cat(1) reads. A process in our own pid namespace would be judged by the child's cgroup, which
// is ours, and is refused.
func oracle(ctx context.Context, dir string, pid int) ([]archive.Entry, error) {
	own, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return nil, err
	}
	its, err := os.Readlink(procPath(pid, "ns/pid"))
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	if own == its {
		return nil, fmt.Errorf("process %d is in our own pid namespace, where another LXCFS judges a reader by its own cgroup: name a process in a container", pid)
	}
	if _, err := os.Stat(filepath.Join(dir, "proc/meminfo")); err != nil {
		return nil, fmt.Errorf("%s: no LXCFS is mounted there: %w", dir, err)
	}
	var list []archive.Entry
	for _, f := range core.Files {
		name := filepath.Join(dir, f.Path)
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			continue // older ones serve fewer files
		}
		e, err := readIn(ctx, pid, name)
		if err != nil {
			return nil, err
		}
		e.Path = f.Path
		list = append(list, e)
	}
	return list, nil
}

// readIn reads the file name from within pid's pid namespace.
func readIn(ctx context.Context, pid int, name string) (archive.Entry, error) {
	var log bytes.Buffer
	cmd := exec.CommandContext(ctx, "nsenter", "--target", strconv.Itoa(pid), "--pid", "cat", "--", name)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err == nil {
		return archive.Entry{Text: out}, nil
	}
	if errors.Is(err, exec.ErrNotFound) {
		return archive.Entry{}, fmt.Errorf("%w: install util-linux", err)
	}
	// cat(1) prints the error's text after the file's name.
	said := strings.TrimSpace(log.String())
	for e := syscall.Errno(1); e < 134; e++ {
		if text, ok := strings.CutPrefix(said, "cat: "+name+": "); ok && strings.EqualFold(text, e.Error()) {
			return archive.Entry{Errno: unix.ErrnoName(e)}, nil
		}
	}
	return archive.Entry{}, fmt.Errorf("%s: %w: %s", name, err, said)
}

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
		var out, log bytes.Buffer
		cmd := exec.CommandContext(ctx, "nsenter", "--target", strconv.Itoa(pid), "--pid", "cat", "--", name)
		cmd.Stdout, cmd.Stderr = &out, &log
		e := archive.Entry{Path: f.Path, Text: out.Bytes()}
		switch err := cmd.Run(); {
		case err == nil:
			e.Text = out.Bytes()
		case errors.Is(err, exec.ErrNotFound):
			return nil, fmt.Errorf("%w: install util-linux", err)
		case bytes.HasPrefix(log.Bytes(), []byte("nsenter:")):
			return nil, errors.New(string(bytes.TrimSpace(log.Bytes())))
		default:
			e = archive.Entry{Path: f.Path, Errno: "EIO"} // cat's message is for people
		}
		list = append(list, e)
	}
	return list, nil
}

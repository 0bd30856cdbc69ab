package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// startLimit is how long a daemon may take to mount; it takes milliseconds.
const startLimit = 10 * time.Second

// realSides runs the tools on this machine and in a container made for them.
func realSides(ctx context.Context, daemon string) (host, container side, err error) {
	dir, err := os.MkdirTemp("", "lxcfs-demo-")
	if err != nil {
		return nil, nil, err
	}
	// Not RemoveAll: should the mount still be there, it is not ours to walk.
	defer func() { err = errors.Join(err, os.Remove(dir)) }()
	tree := filepath.Join(dir, "mount")
	if err := os.Mkdir(tree, 0o755); err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, os.Remove(tree)) }()

	stop, err := startDaemon(ctx, daemon, tree, filepath.Join(dir, "lxcfs.pid"))
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()

	cg, err := newCgroup(filepath.Base(dir))
	if err != nil {
		return nil, nil, fmt.Errorf("cgroup: %w", err)
	}
	defer func() { err = errors.Join(err, cg.remove()) }()

	if container, err = contain(ctx, cg, tree); err != nil {
		return nil, nil, fmt.Errorf("container: %w", err)
	}
	return runTools(ctx), container, nil
}

// startDaemon mounts daemon on tree and returns what stops it again.
func startDaemon(ctx context.Context, daemon, tree, pidfile string) (stop func() error, err error) {
	var log bytes.Buffer
	cmd := exec.Command(daemon, "--enable-cfs", "--pidfile", pidfile, tree)
	cmd.Stdout, cmd.Stderr = &log, &log
	// An interrupt at the terminal is for this process, which then stops the daemon in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	stop = func() error {
		if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
			return err
		}
		select {
		case err := <-exited:
			return err
		case <-time.After(startLimit):
			return errors.Join(fmt.Errorf("%s does not stop", daemon), cmd.Process.Kill(), unix.Unmount(tree, unix.MNT_DETACH))
		}
	}
	limit := time.After(startLimit)
	for {
		if _, err := os.Stat(filepath.Join(tree, "proc/meminfo")); err == nil {
			return stop, nil
		}
		select {
		case err := <-exited:
			return nil, fmt.Errorf("%s: %w: %s", daemon, err, strings.TrimSpace(log.String()))
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), stop())
		case <-limit:
			return nil, errors.Join(fmt.Errorf("%s does not mount", daemon), stop())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// contain runs the tools as children of pid 1 of a new pid namespace in cg, with tree's files laid over /proc and /sys.
func contain(ctx context.Context, cg *cgroup, tree string) (side, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	start, gate, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	defer start.Close()

	var out, log bytes.Buffer
	cmd := exec.CommandContext(ctx, self, insideName, tree)
	cmd.ExtraFiles = []*os.File{start}
	cmd.Stdout, cmd.Stderr = &out, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS,
		Setpgid:    true,
		Pdeathsig:  unix.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if err := cg.add(cmd.Process.Pid); err != nil {
		return nil, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	gate.Close() // it waits for the end of the pipe
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(log.String()))
	}
	var s side
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		return nil, err
	}
	return s, nil
}

// runTools runs every tool that is installed.
func runTools(ctx context.Context) side {
	s := make(side)
	for _, tool := range tools {
		program, _, _ := strings.Cut(tool, " ")
		if _, err := exec.LookPath(program); err != nil {
			s[tool] = "(not installed)"
			continue
		}
		cmd := exec.CommandContext(ctx, "sh", "-c", tool)
		cmd.Env = append(os.Environ(), "TERM=dumb", "COLUMNS=80", "LC_ALL=C")
		out, err := cmd.CombinedOutput()
		s[tool] = string(out)
		if err != nil {
			s[tool] += fmt.Sprintf("(%v)", err)
		}
	}
	return s
}

package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// insideName is the hidden command that the container's init is.
const insideName = "demo-inside"

// gateFD is where the parent tells the container's init to go on: by then it is in its cgroup.
const gateFD = 3

// Inside returns the command that "lxcfsctl demo" runs as the init of its container. It is of no use to anybody else.
func Inside() *cobra.Command {
	return &cobra.Command{
		Use:    insideName + " TREE",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if os.Getpid() != 1 {
				return errors.New("this is the inside of lxcfsctl demo: run that")
			}
			gate := os.NewFile(gateFD, "gate")
			if _, err := io.Copy(io.Discard, gate); err != nil {
				return err
			}
			if err := overlay(args[0]); err != nil {
				return err
			}
			used := use(memoryUse)
			defer runtime.KeepAlive(used)
			return json.NewEncoder(c.OutOrStdout()).Encode(runTools(context.Background()))
		},
	}
}

// use returns size bytes of memory that the kernel has had to provide.
func use(size int) []byte {
	b := make([]byte, size)
	for i := 0; i < size; i += os.Getpagesize() {
		b[i] = 1
	}
	return b
}

// overlay mounts this pid namespace's /proc and lays tree's files over it and over /sys, as container runtimes do.
func overlay(tree string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make / private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	served, err := os.ReadDir(filepath.Join(tree, "proc"))
	if err != nil {
		return err
	}
	for _, e := range served {
		if err := bind(filepath.Join(tree, "proc", e.Name()), filepath.Join("/proc", e.Name())); err != nil {
			return err
		}
	}
	return bind(filepath.Join(tree, "sys/devices/system/cpu"), "/sys/devices/system/cpu")
}

// bind lays from over to, if this kernel has to at all: not every one has pressure or slabinfo.
func bind(from, to string) error {
	if _, err := os.Stat(to); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s over %s: %w", from, to, err)
	}
	return nil
}

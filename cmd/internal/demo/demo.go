// Package demo shows what lxcfs is for in one command: a host's numbers beside those of a small container on it.
//
// With root and /dev/fuse it mounts the daemon, makes a container by itself (a cgroup of 256 MiB and one CPU, a pid and a mount namespace),
// runs the usual tools on both sides and takes everything down again. Without, the same numbers come from the fake kernel.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

const (
	memoryLimit = 256 << 20
	cpuLimit    = 1
	memoryUse   = 64 << 20 // what the container's init takes of it, to be seen
)

// Command returns "lxcfsctl demo".
func Command() *cobra.Command {
	var daemon string
	var fake bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show a host and a 256 MiB, 1 CPU container on it side by side",
		Long: `Mounts lxcfs on a temporary directory, starts a process that takes 64 MiB in a cgroup of 256 MiB and one CPU and in pid and mount namespaces of its own,
and shows free, uptime, CPU counts and top of the host and of that container side by side. Everything is removed again.

Needs root and /dev/fuse. Without them the same is shown of the fake kernel that the tests use.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			// An interrupt must not leave a mount or a cgroup behind.
			ctx, stop := signal.NotifyContext(c.Context(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
			defer stop()
			return run(ctx, c.OutOrStdout(), daemon, fake)
		},
	}
	c.Flags().StringVar(&daemon, "daemon", "", "the lxcfs `PROGRAM` to show (default: the one beside lxcfsctl)")
	c.Flags().BoolVar(&fake, "fake", false, "use the fake kernel even if the real one could be used")
	return c
}

func run(ctx context.Context, w io.Writer, daemon string, fake bool) error {
	why := cannot()
	if fake {
		why = errors.New("asked for")
	}
	if why != nil {
		fmt.Fprintf(w, "A fake kernel with 8 CPUs and 16 GiB, not this machine (%v).\n\n", why)
		host, container, err := fakeSides()
		if err != nil {
			return err
		}
		return show(w, host, container)
	}
	if daemon == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		daemon = filepath.Join(filepath.Dir(self), "lxcfs")
	}
	fmt.Fprintf(w, "This machine's own kernel: %s mounted, a process in a new cgroup and new namespaces reading through it.\n\n", daemon)
	host, container, err := realSides(ctx, daemon)
	if err != nil {
		return err
	}
	return show(w, host, container)
}

// cannot says why the real demonstration is out of reach here, or nil.
func cannot() error {
	if os.Geteuid() != 0 {
		return errors.New("not root")
	}
	if err := unix.Access("/dev/fuse", unix.R_OK|unix.W_OK); err != nil {
		return fmt.Errorf("/dev/fuse: %w", err)
	}
	return nil
}

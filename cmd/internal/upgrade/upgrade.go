// Package upgrade asks a running lxcfs to become the program now on disk, and waits for what comes of it.
//
// The daemon is asked by SIGUSR1, which carries no answer back, so it leaves that in a file beside its pidfile.
package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"lxcfs/cmd/internal/outcome"
)

// patience is longer than a new program has to show that it works.
const patience = 30 * time.Second

// Command returns "lxcfsctl upgrade".
func Command() *cobra.Command {
	var pidfile string
	c := &cobra.Command{
		Use:   "upgrade",
		Short: "Hand the mount over to the program now on disk",
		Long: "Hand the mount over to the lxcfs now on disk. Containers see a pause of some milliseconds. If the new program\n" +
			"does not start or does not work, the old one goes on and the error says why.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			version, err := ask(c.Context(), pidfile)
			if err == nil {
				fmt.Fprintf(c.OutOrStdout(), "lxcfs %s serves\n", version)
			}
			return err
		},
	}
	c.Flags().StringVarP(&pidfile, "pidfile", "p", "/run/lxcfs.pid", "the daemon's pid is in `FILE`")
	return c
}

// ask returns the version of the program that serves from now on.
func ask(ctx context.Context, pidfile string) (version string, err error) {
	text, err := os.ReadFile(pidfile)
	if err != nil {
		return "", fmt.Errorf("no lxcfs: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return "", fmt.Errorf("pidfile %s: %w", pidfile, err)
	}
	if err := outcome.Remove(pidfile); err != nil { // a former one
		return "", err
	}
	if err := unix.Kill(pid, unix.SIGUSR1); err != nil {
		return "", fmt.Errorf("lxcfs, process %d: %w", pid, err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	t := time.NewTicker(10 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("lxcfs, process %d, does not say what became of it: see its log: %w", pid, ctx.Err())
		case <-t.C:
		}
		version, err := outcome.Read(pidfile)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return version, err
	}
}

// Package inspect is what of lxcfsctl looks at served files without a mount: render, explain, files and
// replay.
package inspect

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lxcfs/cmd/internal/archive"
	"lxcfs/cmd/internal/flags"
	"lxcfs/core"
	"lxcfs/kernelfs"
)

// host is where answers come from: this machine, or an archive.
type host struct {
	archive string
	who     core.Caller
	view    core.Options
}

// flags adds the flags that choose host, caller and view to c, and the completion of a served file's
// name.
func (h *host) flags(c *cobra.Command) {
	f := c.Flags()
	f.SortFlags = false
	f.IntVar(&h.who.PID, "pid", 0, "answer the process `PID` (default: lxcfsctl itself, or the caller that the archive names)")
	f.Uint32Var(&h.who.UID, "uid", 0, "the user it runs as")
	f.StringVar(&h.archive, "host", "", "answer from `ARCHIVE`, as lxcfsctl capture wrote it, not from this machine")
	flags.View(f, &h.view)
	c.MarkFlagsMutuallyExclusive(flags.Exclusive[:]...)
	c.Args = oneFile
	c.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for _, f := range core.Files {
			names = append(names, "/"+f.Path)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

func oneFile(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("one served file wanted, such as /proc/meminfo: %d given (lxcfsctl files lists them)", len(args))
	}
	return nil
}

// open returns the core that answers, and who asks.
func (h *host) open(c *cobra.Command) (*core.Core, core.Caller, error) {
	if c.Flags().Changed("pid") && h.who.PID < 1 {
		return nil, h.who, fmt.Errorf("--pid %d: want a process, as the host numbers it", h.who.PID)
	}
	if h.archive != "" {
		return h.openArchive(c.Flags())
	}
	who := h.who
	if who.PID == 0 {
		who.PID = os.Getpid()
	}
	link := "/proc/" + strconv.Itoa(who.PID) + "/ns/pid"
	switch _, err := os.Readlink(link); {
	case errors.Is(err, fs.ErrPermission):
		return nil, who, fmt.Errorf("the pid namespace of process %d is hidden from us: run as root", who.PID)
	case err != nil:
		return nil, who, fmt.Errorf("no process %d on this machine: %w", who.PID, err)
	}
	files, err := kernelfs.Host(0)
	if err != nil {
		return nil, who, err
	}
	o := h.view
	o.Log = slog.New(slog.NewTextHandler(c.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	answers, err := archive.New(files, o)
	return answers, who, err
}

func (h *host) openArchive(f *pflag.FlagSet) (*core.Core, core.Caller, error) {
	who := h.who
	data, err := os.ReadFile(h.archive)
	if err != nil {
		return nil, who, fmt.Errorf("archive: %w", err)
	}
	a, err := archive.Parse(data)
	if err != nil {
		return nil, who, err
	}
	if len(a.Host) == 0 {
		return nil, who, fmt.Errorf("%s: no archive of a host: lxcfsctl capture writes them", h.archive)
	}
	if who.PID == 0 {
		who.PID = a.Caller
	}
	k, err := a.Kernel()
	if err != nil {
		return nil, who, fmt.Errorf("%s: %w", h.archive, err)
	}
	if who.PID == 0 {
		return nil, who, fmt.Errorf("%s names no caller: say which process asks by --pid", h.archive)
	}
	if _, err := k.Stat("/proc/" + strconv.Itoa(who.PID)); err != nil {
		return nil, who, fmt.Errorf("no process %d in %s: leave --pid out for the one it was captured for", who.PID, h.archive)
	}
	o, err := overlay(a.Flags, f)
	if err != nil {
		return nil, who, fmt.Errorf("%s: flags: %w", h.archive, err)
	}
	answers, err := archive.New(kernelfs.New(k), o)
	return answers, who, err
}

// overlay returns the view that an archive's flags ask for, but for those of the command line.
func overlay(recorded []string, given *pflag.FlagSet) (core.Options, error) {
	var o core.Options
	view := pflag.NewFlagSet("view", pflag.ContinueOnError)
	view.Usage = func() {}
	flags.View(view, &o)
	if err := view.Parse(recorded); err != nil {
		return o, err
	}
	var errs []error
	given.Visit(func(flag *pflag.Flag) {
		if view.Lookup(flag.Name) != nil {
			errs = append(errs, view.Set(flag.Name, flag.Value.String()))
		}
	})
	return o, errors.Join(errs...)
}

// served returns name as core knows it: below the mount point.
func served(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// refused says of an error about a served file what to do.
func refused(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		for _, f := range core.Files {
			if strings.HasSuffix(f.Path, "/"+name) {
				return fmt.Errorf("%w (/%s is served)", err, f.Path)
			}
		}
		return fmt.Errorf("%w (lxcfsctl files lists what is served)", err)
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w (only root is shown the host's /%s)", err, name)
	}
	return err
}

package capture

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/afero"
	"github.com/spf13/cobra"

	"lxcfs/cmd/internal/flags"
	"lxcfs/core"
)

// Command returns "lxcfsctl capture".
func Command() *cobra.Command {
	var o Options
	var file, with, why string
	c := &cobra.Command{
		Use:   "capture --pid PID [-o FILE]",
		Short: "Write this host, as a process sees it, to one file",
		Long: `Renders every served file for a process and writes the kernel's files that were read, nothing else, to one txtar archive, with the answers. The archive then
stands for the host: lxcfsctl render --host and explain --host answer from it, anywhere and without root, and in testdata/hosts it is a test.

Words of cgroup paths are replaced, each by the same pseudonym everywhere, but for those that only say how a host is built, such as docker, user and slice. So
are container ids, pod UIDs, the names of swap devices and commands, and CPU serial numbers. Mounts other than of cgroups and what nobody reads of a process are left
out. --no-scrub keeps names.

The code is asked afresh, not the running daemon: load averages start at 0.00.

--with-lxcfs stores what another LXCFS, mounted on DIR, tells the same process. It is read by a child in the process' pid namespace (nsenter, root).

A container's pid namespace and threads can be read by root, or by the user who runs it.`,
		Example: `  lxcfsctl capture --pid $(docker inspect -f '{{.State.Pid}}' web) -o web.txtar`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("%s: no arguments wanted: --pid PID says which process, -o FILE where to write", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			if o.PID < 1 {
				return errors.New("--pid PID wanted: a process in the container, as the host numbers it")
			}
			if _, err := os.Stat(procPath(o.PID, "")); err != nil {
				return fmt.Errorf("no process %d here: %w", o.PID, err)
			}
			if _, err := os.Readlink(procPath(o.PID, "ns/pid")); err != nil {
				return fmt.Errorf("its pid namespace is hidden from us: run as root: %w", err)
			}
			o.Flags = flags.Given(c.Flags())
			o.Comment = about(o.PID) + why
			a, err := Host(afero.NewOsFs(), o)
			if err != nil {
				return err
			}
			if with != "" {
				if a.Oracle, err = oracle(c.Context(), with, o.PID); err != nil {
					return err
				}
				if !o.Keep {
					scrubber{}.answers(a.Oracle)
				}
			}
			data := a.Bytes()
			if err := write(c.OutOrStdout(), file, data); err != nil {
				return err
			}
			c.PrintErrf("%d kernel files, %d answers, %d bytes: rendering from them gives what rendering from this host gave\n", len(a.Host), len(a.Want), len(data))
			return nil
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.IntVar(&o.PID, "pid", 0, "the `PID`, on this host, of a process in the container")
	f.StringVarP(&file, "output", "o", "-", "write to `FILE`; - is standard output")
	f.StringVar(&why, "comment", "", "say in the archive why it is kept: `TEXT`")
	f.StringVar(&with, "with-lxcfs", "", "store the answers of the LXCFS mounted on `DIR` too")
	f.BoolVar(&o.Keep, "no-scrub", false, "keep ids, names and serial numbers")
	flags.View(f, new(core.Options))
	c.MarkFlagsMutuallyExclusive(flags.Exclusive[:]...)
	return c
}

func write(stdout io.Writer, file string, data []byte) error {
	if file == "-" {
		_, err := stdout.Write(data)
		return err
	}
	return os.WriteFile(file, data, 0o644)
}

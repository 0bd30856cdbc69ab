package inspect

import (
	"fmt"

	"github.com/spf13/cobra"

	"lxcfs/core"
)

// Render returns "lxcfsctl render".
func Render() *cobra.Command {
	var h host
	c := &cobra.Command{
		Use:   "render [--pid PID | --host ARCHIVE] FILE",
		Short: "Print a served file, without a mount",
		Long: `Prints a served file, or lists a served directory, as a process sees it: of this machine, or of one that was captured. It asks the code afresh, not a running
daemon: load averages start at 0.00.`,
		Example: `  lxcfsctl render --pid $(docker inspect -f '{{.State.Pid}}' web) /proc/meminfo
  lxcfsctl render --host web.txtar --enable-cfs /proc/stat`,
		RunE: func(c *cobra.Command, args []string) error {
			answers, who, err := h.open(c)
			if err != nil {
				return err
			}
			name := served(args[0])
			if e, err := answers.Stat(who, name); err == nil && e.Mode.IsDir() {
				return list(c, answers, who, name)
			}
			text, err := answers.Read(who, name, nil)
			if err != nil {
				return refused(name, err)
			}
			_, err = c.OutOrStdout().Write(text)
			return err
		},
	}
	h.flags(c)
	return c
}

func list(c *cobra.Command, answers *core.Core, who core.Caller, dir string) error {
	entries, err := answers.List(who, dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name
		if e.Mode.IsDir() {
			name += "/"
		}
		if _, err := fmt.Fprintln(c.OutOrStdout(), name); err != nil {
			return err
		}
	}
	return nil
}

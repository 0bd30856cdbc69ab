package inspect

import (
	"errors"

	"github.com/spf13/cobra"

	"lxcfs/cmd/internal/flags"
	"lxcfs/cmd/subject"
	"lxcfs/core"
	"lxcfs/fakekernel"
)

// Replay returns "lxcfsctl replay".
func Replay() *cobra.Command {
	var trace bool
	c := &cobra.Command{
		Use:   "replay [--trace] SCRIPT...",
		Short: "Run scenario files on the fake kernel",
		Long: `Runs scenarios, such as those of testdata/script, outside of go test. The language is described by "go doc ./fakekernel"; $layout in a script runs it under legacy,
hybrid and unified cgroups. Flags of the daemon given here come before those of the script's own daemon verb.`,
		Example: "  lxcfsctl replay --trace testdata/script/meminfo.txtar",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			daemon := flags.Given(c.Flags())
			start := func(k *fakekernel.Kernel, words ...string) (fakekernel.Subject, error) {
				return subject.New(k, append(daemon[:len(daemon):len(daemon)], words...)...)
			}
			var errs []error
			for _, script := range args {
				errs = append(errs, fakekernel.Replay(c.OutOrStdout(), script, trace, start))
			}
			return errors.Join(errs...)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.BoolVar(&trace, "trace", false, "show what each verb changes in the tree of kernel files")
	flags.View(f, new(core.Options))
	c.MarkFlagsMutuallyExclusive(flags.Exclusive[:]...)
	return c
}

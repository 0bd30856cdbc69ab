package inspect

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"lxcfs/cmd/internal/archive"
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
hybrid and unified cgroups: write unified instead to run it under that alone. Flags of the daemon given here come before those of the script's own daemon verb.`,
		Example: "  lxcfsctl replay --trace testdata/script/meminfo.txtar",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("a scenario wanted, such as testdata/script/meminfo.txtar")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			daemon := flags.Given(c.Flags())
			start := func(k *fakekernel.Kernel, words ...string) (fakekernel.Subject, error) {
				return subject.New(k, append(daemon[:len(daemon):len(daemon)], words...)...)
			}
			var errs []error
			for _, script := range args {
				if err := noHost(script); err != nil {
					errs = append(errs, err)
					continue
				}
				errs = append(errs, fakekernel.Replay(c.OutOrStdout(), script, trace, start))
			}
			return errors.Join(errs...)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.BoolVar(&trace, "trace", false, "show what each verb changes in the tree of kernel files, and what read and list answer")
	flags.View(f, new(core.Options))
	c.MarkFlagsMutuallyExclusive(flags.Exclusive[:]...)
	return c
}

// noHost refuses a captured host, which is a txtar as scenarios are, and no scenario.
func noHost(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if a, err := archive.Parse(data); err == nil && a.Caller != 0 {
		return fmt.Errorf("%s: a host, not a scenario: use render --host, or boot it in a scenario that lies beside it", file)
	}
	return nil
}

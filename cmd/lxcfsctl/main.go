// Lxcfsctl is everything about lxcfs that a person or a container runtime calls.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"lxcfs/cmd/internal/bench"
	"lxcfs/cmd/internal/capture"
	"lxcfs/cmd/internal/demo"
	"lxcfs/cmd/internal/inspect"
	"lxcfs/cmd/internal/upgrade"
	"lxcfs/cmd/internal/version"
)

func main() {
	if err := command().ExecuteContext(context.Background()); err != nil {
		fmt.Fprintf(os.Stderr, "lxcfsctl: %v\n", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	c := &cobra.Command{
		Use:           "lxcfsctl",
		Short:         "Try and look into lxcfs",
		Version:       version.String(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	c.SetVersionTemplate("lxcfsctl {{.Version}}\n")
	c.AddCommand(
		capture.Command(), inspect.Render(), inspect.Explain(), inspect.Replay(), inspect.Files(),
		demo.Command(), demo.Inside(), bench.Command(), upgrade.Command(),
	)
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return fmt.Errorf("%w (see %s --help)", err, c.CommandPath()) })
	cobra.AddTemplateFunc("plain", plain)
	c.SetUsageTemplate(strings.ReplaceAll(c.UsageTemplate(), "FlagUsages |", "FlagUsages | plain |"))
	return c
}

// plain takes from the list of flags what pflag says of each that may be given or not.
func plain(usages string) string {
	const noise = "[=true|false]"
	return strings.ReplaceAll(usages, noise, strings.Repeat(" ", len(noise)))
}

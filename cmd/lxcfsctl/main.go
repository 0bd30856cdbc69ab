// Lxcfsctl is everything about lxcfs that a person or a container runtime calls.
package main

import (
	"context"
	"fmt"
	"os"

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
	return c
}

// Package flags holds the flags that say what containers see: of the daemon, of "lxcfsctl render" and
// its like, and of a scenario's daemon verb. They mean the same everywhere because they are the same.
package flags

import (
	"github.com/spf13/pflag"

	"lxcfs/core"
)

// Exclusive are the flags of [View] of which only one may be given.
var Exclusive = [2]string{"enable-loadavg", "disable-loadavg"}

// View adds the flags to f, bound to o.
func View(f *pflag.FlagSet, o *core.Options) {
	f.BoolVar(&o.CFS, "enable-cfs", false, "show as many CPUs as the CPU quota allows, rounded up")
	f.BoolP("enable-loadavg", "l", false, "show the container's load averages (the default)")
	f.BoolVar(&o.NoLoadavg, "disable-loadavg", false, "show the host's load averages")
	f.BoolVarP(&o.NoSwap, "disable-swap", "u", false, "show containers no swap")
	f.BoolVar(&o.NoZswap, "disable-zswap", false, "show containers no zswap")
	f.BoolVar(&o.PSIPoll, "enable-psi-poll", false, "let containers write and poll pressure triggers")
}

// Parse reads args, which are flags of [View] only.
func Parse(args []string) (core.Options, error) {
	var o core.Options
	f := pflag.NewFlagSet("view", pflag.ContinueOnError)
	f.Usage = func() {}
	View(f, &o)
	return o, f.Parse(args)
}

// Given returns the flags of [View] that were given on the command line that f has parsed, as they would
// be typed again.
func Given(f *pflag.FlagSet) []string {
	view := pflag.NewFlagSet("view", pflag.ContinueOnError)
	View(view, new(core.Options))
	var list []string
	f.Visit(func(flag *pflag.Flag) {
		switch {
		case view.Lookup(flag.Name) == nil:
		case flag.Value.String() == "true":
			list = append(list, "--"+flag.Name)
		default:
			list = append(list, "--"+flag.Name+"="+flag.Value.String())
		}
	})
	return list
}

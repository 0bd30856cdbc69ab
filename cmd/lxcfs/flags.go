package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"lxcfs/cmd/internal/flags"
	"lxcfs/core"
)

// config is what the command line asks for.
type config struct {
	mountpoint string

	debug, foreground          bool
	view                       core.Options // what containers see
	keepMount, standby         bool
	noKeeper, null             bool
	pidfile, runtimeDir        string
	mountOptions               []string
	help, version, man         bool
	pidfd, cgroupTree, oneFile bool
}

// exclusive lists the pairs of flags that contradict each other.
var exclusive = [...][2]string{
	{"debug", "foreground"}, // LXCFS refuses the pair, and scripts may rely on it
	flags.Exclusive,
	{"no-keeper", "keep-mount"}, // nobody would hold what is kept
	{"no-keeper", "standby"},
}

// newFlags returns the daemon's flags, bound to c, in the order in which help and the manual list them.
func newFlags(c *config) *pflag.FlagSet {
	f := pflag.NewFlagSet("lxcfs", pflag.ContinueOnError)
	f.SortFlags = false
	f.Usage = func() {}

	flags.View(f, &c.view)
	f.StringVarP(&c.pidfile, "pidfile", "p", "", "write the pid to `FILE` and keep it locked (default RUNTIME-DIR/lxcfs.pid)")
	f.StringVar(&c.runtimeDir, "runtime-dir", "/run", "keep the daemon's own files in `DIR`")
	f.BoolVar(&c.keepMount, "keep-mount", false, "leave the mount, and its connection where systemd keeps it, when told to stop")
	f.BoolVar(&c.standby, "standby", false, "keep a second worker ready for the death of the first")
	f.BoolVar(&c.noKeeper, "no-keeper", false, "serve in one process: when it dies, so does the mount")
	f.BoolVarP(&c.debug, "debug", "d", false, "log every fallback to standard error")
	f.BoolVarP(&c.foreground, "foreground", "f", false, "stay in the foreground (always so; accepted for LXCFS's sake)")
	f.StringArrayVarP(&c.mountOptions, "option", "o", nil, "FUSE mount `OPTIONS`, separated by commas: checked, and otherwise ignored")
	f.BoolVar(&c.pidfd, "enable-pidfd", false, "ignored: pidfds are always used")
	f.BoolVar(&c.cgroupTree, "enable-cgroup", false, "ignored: the cgroup tree is gone, as in LXCFS 7")
	f.BoolVarP(&c.oneFile, "single", "s", false, "ignored")
	f.BoolVarP(&c.version, "version", "v", false, "print the version and exit")
	f.BoolVarP(&c.help, "help", "h", false, "print this help and exit")
	f.BoolVar(&c.man, "man", false, "print the manual page, in mdoc, and exit")
	f.BoolVar(&c.null, "null", false, "mount files of one constant content, the floor for measurements")
	for _, name := range []string{"man", "null", "single"} {
		f.Lookup(name).Hidden = true
	}

	f.SetNormalizeFunc(completePrefix(f))
	return f
}

// eachFlag calls do for every flag that is not hidden, with what help and the manual say of it.
func eachFlag(f *pflag.FlagSet, do func(flag *pflag.Flag, placeholder, usage string)) {
	f.VisitAll(func(flag *pflag.Flag) {
		if flag.Hidden {
			return
		}
		placeholder, usage := pflag.UnquoteUsage(flag)
		if flag.Value.Type() == "bool" {
			placeholder = ""
		}
		if flag.DefValue != "" && flag.DefValue != "false" && flag.DefValue != "[]" {
			usage += fmt.Sprintf(" (default %s)", flag.DefValue)
		}
		do(flag, placeholder, usage)
	})
}

// flagLines returns one line of help for each flag.
func flagLines(f *pflag.FlagSet) string {
	var b strings.Builder
	eachFlag(f, func(flag *pflag.Flag, placeholder, usage string) {
		short := "    "
		if flag.Shorthand != "" {
			short = "-" + flag.Shorthand + ", "
		}
		long := strings.TrimRight("--"+flag.Name+" "+placeholder, " ")
		fmt.Fprintf(&b, "  %s%-20s  %s\n", short, long, usage)
	})
	return b.String()
}

// completePrefix lets a long flag be cut short where that is unambiguous, as getopt_long(3) does.
func completePrefix(f *pflag.FlagSet) func(*pflag.FlagSet, string) pflag.NormalizedName {
	var names []string
	f.VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
	return func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		var found string
		for _, n := range names {
			switch {
			case n == name:
				return pflag.NormalizedName(name)
			case name == "" || !strings.HasPrefix(n, name):
			case found != "":
				return pflag.NormalizedName(name)
			default:
				found = n
			}
		}
		if found == "" {
			found = name
		}
		return pflag.NormalizedName(found)
	}
}

// parse reads the command line, without the program's name. --help, --version and --man are reported in the config and make everything
// else optional.
func parse(args []string) (config, error) {
	var c config
	f := newFlags(&c)
	if err := f.Parse(args); err != nil {
		return c, err
	}
	if c.help || c.version || c.man {
		return c, nil
	}
	for _, pair := range exclusive {
		if f.Changed(pair[0]) && f.Changed(pair[1]) {
			return c, fmt.Errorf("both --%s and --%s given: leave one out", pair[0], pair[1])
		}
	}
	if len(c.mountOptions) > 1 {
		return c, errors.New("-o given more than once: join the options with commas")
	}
	for _, o := range c.mountOptions {
		if err := checkMountOptions(o); err != nil {
			return c, err
		}
	}
	switch {
	case f.NArg() == 0 || f.Arg(0) == "":
		return c, errors.New("missing mount point: name a directory, such as /var/lib/lxcfs")
	case f.NArg() > 1:
		return c, fmt.Errorf("one mount point wanted, %d given: %s", f.NArg(), strings.Join(f.Args(), " "))
	}
	var err error
	if c.mountpoint, err = filepath.Abs(f.Arg(0)); err != nil {
		return c, fmt.Errorf("mount point %s: %w", f.Arg(0), err)
	}
	if c.pidfile == "" {
		c.pidfile = filepath.Join(c.runtimeDir, "lxcfs.pid")
	}
	return c, nil
}
